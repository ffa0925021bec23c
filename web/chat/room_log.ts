import { type Bytes, equal, fromHex } from '../protocol/bytes.ts'
import type { Head, RoomInfo } from '../protocol/messages.ts'
import { breathe } from './clock.ts'
import { PATIENCE_MS, PAUSE_MS, type RoomCore } from './room_core.ts'
import type { Link, Loaded } from './room_deps.ts'
import type { Then } from './room_loop.ts'
import { unconfirmedNotice, withheldNotice } from './room_notices.ts'
import { inDoubt, LogReader, MOST_UNREADABLE, ownItem, UNREADABLE } from './room_read.ts'
import type { Alarm, Change } from './room_store.ts'

/** Entries that are read and written together, at most. */
const BATCH = 64
/** Entries that are asked for at once; the endpoint may send fewer. */
const FETCH = 500
/** A cast that is late by this much is fetched … */
const GAP_MS = 100
/** … and so is anything as soon as more than these are missing. */
const GAP_ENTRIES = 2
/** A device doubts its own state once in so long: a member could make it do so at will. */
const DOUBT_MS = 3_600_000

/** Follows the room's log: subscribes, fetches what casts do not bring, reads in order. */
export class RoomLog {
  readonly #core: RoomCore
  #gapSince: number | undefined
  /** The person knows of this gap. */
  #told = false
  /** When this device last took a new place because of messages that it did not know. */
  #doubtedAt: number | undefined

  constructor(core: RoomCore) {
    this.#core = core
  }

  reset(): void {
    this.#gapSince = undefined
  }

  subscribe(link: Link, { room }: RoomInfo): void {
    this.#core.loop.ask('subscribe', async () => {
      const { head } = await link.ask({ op: 'subscribe', room })
      return () => this.#subscribed(head)
    })
  }

  /** Before anything is believed: does the log still have all that we have read of it? */
  async #subscribed(head: Head): Promise<void> {
    const core = this.#core
    const { cursor } = core.store.meta
    if (cursor !== null && head.seq < cursor.seq) return core.alarm(ROLLED_BACK)
    if (cursor?.chain.length && head.seq === cursor.seq && !equal(head.chain, cursor.chain))
      return core.alarm(REPLACED)
    core.head = head
    core.stopped = ''
    core.merge.hear(head.seq)
  }

  /** Reads what follows without a gap; false when nothing does. */
  async readBatch(loaded: Loaded): Promise<boolean> {
    const core = this.#core
    const { group, meta } = core.store
    const { cursor } = meta
    if (group === null || cursor === null || !core.merge.ready(cursor.seq)) return false
    const now = core.deps.clock.steady()
    const mayDoubt = this.#doubtedAt === undefined || now - this.#doubtedAt > DOUBT_MS
    const start = { cursor, group, unreadable: core.unreadable, mayDoubt }
    const reader = new LogReader(core.store, core.deps, loaded, start)
    for (const entry of core.merge.take(cursor.seq, BATCH)) if (!(await reader.read(entry))) break
    const { change, stop } = reader.result()
    this.#gapSince = undefined
    if (stop?.kind === 'repair' && stop.doubt) this.#doubtedAt = now
    if (stop?.kind === 'repair') await core.repair(stop.cause, change)
    else await core.commit(change)
    if (stop === undefined) core.unreadable = reader.unreadable
    this.#reassure(change)
    if (stop?.kind === 'alarm') await core.alarm(stop.alarm)
    else await this.checkAcknowledged()
    // Not before everything was tried: what opens later would be lost by joining anew.
    if (core.caughtUp && core.unreadable >= MOST_UNREADABLE) await core.repair(UNREADABLE)
    if (core.merge.ready(core.seq)) await breathe(core.deps.clock)
    return true
  }

  /** What came late was not kept back, and nobody need be told of it any longer. */
  #reassure({ removed }: Change): void {
    const { caughtUp, deps, store } = this.#core
    if (removed?.length) deps.dismiss(unconfirmedNotice(store.meta, store.id).id)
    if (caughtUp) deps.dismiss(withheldNotice(store.meta, store.id).id)
  }

  /** Raises the alarm when the log has passed the place of a message of ours, without it. */
  async checkAcknowledged(): Promise<void> {
    const { acked, seq, store } = this.#core
    for (const [n, place] of acked) {
      if (place.seq > seq) continue
      const own = await store.chains.at(place.seq)
      const missing = store.outbox.has(n) || (own !== undefined && !equal(own, place.chain))
      if (missing) return this.#core.alarm(WITHHELD)
      acked.delete(n)
    }
  }

  /** Fetches what casts have not brought: at once when it is much, else when it is late. */
  fillGap(link: Link): void {
    const { merge, seq, behind, deps, loop, store } = this.#core
    const missing = merge.head - seq
    if (missing <= 0 && !behind) return
    const now = deps.clock.steady()
    if (this.#gapSince === undefined) this.#told = false
    this.#gapSince ??= now
    const since = now - this.#gapSince
    if (behind || missing > GAP_ENTRIES || since >= GAP_MS) this.#fetch(link)
    else loop.later(GAP_MS - since)
    // Also when what was asked is never answered.
    if (since < PATIENCE_MS) loop.later(PATIENCE_MS - since)
    else if (!this.#told) {
      this.#told = true
      deps.raise(withheldNotice(store.meta, store.id))
    }
  }

  #fetch(link: Link): void {
    const core = this.#core
    core.loop.ask('fetch', async () => {
      const room = fromHex(core.store.id)
      const page = await link.ask({ op: 'fetch', room, after: core.seq, most: FETCH })
      return () => this.#fetched(page)
    })
  }

  #fetched: (page: {
    readonly entries: readonly { seq: number; chain: Bytes; mls: Bytes }[]
    readonly head: Head
    readonly oldest: number
  }) => ReturnType<Then> = async ({ entries, head, oldest }) => {
    const core = this.#core
    core.behind = false
    core.stopped = ''
    core.merge.hear(head.seq)
    if (oldest > core.seq + 1) await this.#skip(oldest, head)
    for (const entry of entries) core.merge.offer(entry, core.seq)
    // What was announced and not given is asked for again, until it counts as withheld.
    if (!core.merge.ready(core.seq) && !core.caughtUp) core.loop.pause('fetch', PAUSE_MS)
  }

  /**
   * The endpoint no longer keeps what comes next: say so, and go on where it begins. What of ours
   * may stand in between would be a second one if it were sent again.
   */
  async #skip(oldest: number, head: Head): Promise<void> {
    const { store, deps, acked, loop } = this.#core
    const unknown = { seq: oldest - 1, chain: new Uint8Array(0) }
    const cursor = oldest > head.seq ? { seq: head.seq, chain: head.chain } : unknown
    const text = 'You were away for so long that some messages here are no longer kept for you.'
    const item = { k: 's', id: `skip-${oldest}`, text, at: deps.clock.now() } as const
    const there = store.outbox.entries.filter(({ n }) => (acked.get(n)?.seq ?? oldest) < oldest)
    const replaced = inDoubt(store, ({ n }) => !acked.has(n) && !loop.asking(`send ${n}`))
    const items = [item, ...there.map((entry) => ownItem(entry, deps.me))]
    await this.#core.commit({ meta: { cursor }, items, removed: there, replaced })
    for (const { n } of there) acked.delete(n)
  }
}

const ROLLED_BACK: Alarm = {
  kind: 'fork',
  text: 'The server has gone back in time: messages that it had confirmed are missing.',
}
const REPLACED: Alarm = {
  kind: 'fork',
  text: 'The server shows another history of this conversation than before.',
}
const WITHHELD: Alarm = {
  kind: 'fork',
  text: 'The server confirmed a message of yours and then left it out of the conversation.',
}
