import { type Bytes, equal, fromHex } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import { type MlsHeader, readMlsHeader } from '../protocol/mls_header.ts'
import type { OutboxEntry } from './outbox.ts'
import { PATIENCE_MS, PAUSE_MS, type RoomCore, UNLISTED } from './room_core.ts'
import type { Link, Loaded } from './room_deps.ts'
import { groupIdOf } from './room_enter.ts'
import type { RoomLog } from './room_log.ts'
import type { Then } from './room_loop.ts'
import { unconfirmedNotice } from './room_notices.ts'
import { SET_UP_ANEW } from './room_read.ts'
import { sealNext } from './room_seal.ts'
import type { Group } from './room_store.ts'
import { RefusedError } from './rpc.ts'

/** Messages that may be on their way to the endpoint at once. */
const WINDOW = 16

/**
 * Empties the outbox in its order. Several messages are on their way at once, but only of one
 * epoch: if one of them is refused as stale, so is every later one, and none overtakes another.
 */
export class RoomSender {
  readonly #core: RoomCore
  readonly #log: RoomLog
  /** Bytes on their way, by outbox number. */
  readonly #inFlight = new Map<number, Bytes>()
  /** Since when the endpoint owes an answer to any of them; undefined once the person is told. */
  #owedSince: number | undefined
  /** One at a time, after the endpoint has refused one that is to be sent again. */
  #careful = false
  /** What the last one was sealed for that was refused as stale, and what the endpoint then said. */
  #stale: (Pick<MlsHeader, 'groupId' | 'epoch'> & { generation: number }) | undefined

  constructor(core: RoomCore, log: RoomLog) {
    this.#core = core
    this.#log = log
  }

  reset(): void {
    this.#inFlight.clear()
    this.#owedSince = undefined
    this.#careful = false
    this.#stale = undefined
  }

  /** Sends what is sealed and seals what comes next. True when it changed something. */
  async deliver(link: Link, loaded: Loaded): Promise<boolean> {
    this.#doubt()
    const { store, acked } = this.#core
    const { outbox, group, meta } = store
    const skips = (this.#core.info?.oldest ?? 0) > this.#core.seq + 1
    if (this.#core.unlisted !== '' || skips) return false
    const unsealed: OutboxEntry[] = []
    for (const entry of outbox.entries) {
      if (entry.failed !== '' || acked.has(entry.n) || this.#inFlight.has(entry.n)) continue
      if (entry.sealed === null) unsealed.push(entry)
      else if (unsealed.length > 0) break
      else if (!this.#send(link, entry, entry.sealed)) return false
      if (unsealed.length >= WINDOW) break
    }
    if (unsealed.length === 0 || group === null || meta.cursor === null) return false
    if (!this.#core.caughtUp || !this.#heard() || !this.#roomToSeal()) return false
    if (this.#outOfStep(loaded, group)) return true
    await this.#core.commit(await sealNext(loaded, group, meta.cursor, unsealed))
    return true
  }

  /** Refused for the very epoch in which the log ends: sealed again it would be refused again. */
  #outOfStep({ mls }: Loaded, { generation, state }: Group): boolean {
    const stale = this.#stale
    const core = this.#core
    const groupId = groupIdOf(core.store.id, generation)
    if (stale?.epoch !== mls.epoch(state) || !equal(stale.groupId, groupId)) return false
    core.unlisted = stale.generation > generation ? SET_UP_ANEW : UNLISTED
    this.#stale = undefined
    return true
  }

  /** What was refused as stale is sealed again only once nothing of that epoch is on its way. */
  #roomToSeal(): boolean {
    if (this.#inFlight.size >= WINDOW) return false
    const { outbox } = this.#core.store
    return [...this.#inFlight].every(([n, bytes]) => outbox.get(n)?.sealed === bytes)
  }

  /** Whether the one a private message is for could read it. */
  #heard(): boolean {
    const core = this.#core
    const { peer, readers } = core.store.meta
    if (peer === '') return true
    const there = readers.some(({ user }) => user === peer)
    core.waiting = there ? '' : core.shut || `Waiting for a device of ${peer} to come in.`
    return there
  }

  /** False when it has to wait for those that are on their way. */
  #send(link: Link, entry: OutboxEntry, mls: Bytes): boolean {
    const [first] = this.#inFlight.values()
    if (this.#inFlight.size >= (this.#careful ? 1 : WINDOW)) return false
    if (first !== undefined && epochOf(first) !== epochOf(mls)) return false
    const work = `send ${entry.n}`
    this.#core.loop.ask(work, () => this.#ask(link, entry, mls))
    if (!this.#core.loop.asking(work)) return false
    this.#inFlight.set(entry.n, mls)
    if (this.#inFlight.size === 1) this.#owe()
    return true
  }

  #owe(): void {
    this.#owedSince = this.#core.deps.clock.steady()
    this.#core.loop.later(PATIENCE_MS)
  }

  #over(n: number): void {
    this.#inFlight.delete(n)
    this.#owedSince = undefined
    if (this.#inFlight.size > 0) this.#owe()
  }

  /** Taken or refused: that it was not answered is no longer so. */
  #answered(n: number): void {
    const { deps, store } = this.#core
    this.#over(n)
    deps.dismiss(unconfirmedNotice(store.meta, store.id).id)
  }

  /** Tells the person once when the endpoint has not answered for long. */
  #doubt(): void {
    const { deps, loop, store } = this.#core
    if (this.#owedSince === undefined) return
    const left = this.#owedSince + PATIENCE_MS - deps.clock.steady()
    if (left > 0) loop.later(left)
    else {
      this.#owedSince = undefined
      deps.raise(unconfirmedNotice(store.meta, store.id))
    }
  }

  async #ask(link: Link, entry: OutboxEntry, mls: Bytes): Promise<Then> {
    const core = this.#core
    try {
      const room = fromHex(core.store.id)
      const place = await link.ask({ op: 'send', room, msgId: entry.msgId, mls })
      return async () => {
        this.#answered(entry.n)
        core.merge.hear(place.seq)
        core.rejoined = 0
        if (!core.store.outbox.has(entry.n)) return
        core.acked.set(entry.n, place)
        await this.#log.checkAcknowledged()
      }
    } catch (error) {
      if (!isRefusal(error)) {
        this.#over(entry.n)
        throw error
      }
      return async () => {
        this.#answered(entry.n)
        await this.#refused(entry, mls, error)
      }
    }
  }

  async #refused(entry: OutboxEntry, mls: Bytes, error: SottoError): Promise<void> {
    const core = this.#core
    const refusal = error instanceof RefusedError ? error.refusal : undefined
    if (refusal?.error === 'unavailable' || refusal?.error === 'slow_down') {
      this.#careful = true
      core.loop.pause(`send ${entry.n}`, refusal.retryAfter ?? PAUSE_MS)
      return
    }
    const now = core.store.outbox.get(entry.n)
    if (now === undefined || now.sealed === null || !equal(now.sealed, mls)) return
    if (refusal?.error === 'stale_epoch') {
      this.#stale = { ...readMlsHeader(mls), generation: refusal.generation ?? 0 }
      await this.#sealAgain(entry.n)
    } else await core.store.outbox.update([{ ...now, failed: error.message }])
  }

  /** As the endpoint never acknowledged them, these may be sealed for another epoch. */
  async #sealAgain(from: number): Promise<void> {
    const { store, acked } = this.#core
    this.#core.behind = true
    const again = store.outbox.entries.filter(({ n }) => n >= from && !acked.has(n))
    await store.outbox.update(again.map((entry) => ({ ...entry, sealed: null })))
  }
}

/** The endpoint's no, or our own: the message is longer than the endpoint takes. */
function isRefusal(error: unknown): error is SottoError {
  return error instanceof SottoError && (error instanceof RefusedError || error.code === 'limit')
}

function epochOf(mls: Bytes): number {
  return readMlsHeader(mls).epoch
}
