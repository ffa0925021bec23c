import { type Bytes, equal, fromHex, hex } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import type { DeviceRef, Head, RoomInfo } from '../protocol/messages.ts'
import { breathe } from './clock.ts'
import { type LogEntry, Merge } from './merge.ts'
import type { MessageId, RoomView, TimelineItem } from './model.ts'
import type { OutboxEntry } from './outbox.ts'
import { proposeChange, type Wish } from './room_change.ts'
import type { Link, Loaded, RoomDeps } from './room_deps.ts'
import { enter, placed } from './room_enter.ts'
import { forkNotice, memberNotice, withheldNotice } from './room_notices.ts'
import { LogReader } from './room_read.ts'
import { RoomScreen, type Situation } from './room_screen.ts'
import { sealNext } from './room_seal.ts'
import type { Alarm, Change, Codec, Cursor, Pending, RoomStore } from './room_store.ts'
import { RefusedError } from './rpc.ts'

/** Entries that are read and written together, at most. */
const BATCH = 64
const FETCH = 500
/** A cast that is late by this much is fetched. */
const GAP_MS = 100
/** After a failure that may pass, the same thing is tried again. */
const PAUSE_MS = 1_000
/** Something that the endpoint says it has and does not give is told to the person after this. */
const PATIENCE_MS = 30_000
/** Without a Welcome for this long, the endpoint is asked again. */
const WELCOME_MS = 15_000

type Work = 'subscribe' | 'enter' | 'commit' | 'fetch' | 'change' | 'send'
/** What is to be done on this side once the endpoint has answered. */
type Then = () => Promise<void>

/**
 * One room, kept in step with its log. Everything that changes the room's state is done by one
 * loop, one step at a time; requests run beside it and hand their results back to it. Each turn
 * looks at what is there and does the next thing that is missing, so that it does not matter
 * where a crash, a lost connection or a refusal left off.
 */
export class RoomSync {
  readonly store: RoomStore
  readonly screen: RoomScreen
  readonly #deps: RoomDeps
  readonly #merge = new Merge()
  readonly #acked = new Map<number, Cursor>()
  readonly #busy = new Set<Work>()
  readonly #pausedUntil = new Map<Work, number>()
  #todo: Then[] = []
  /** What the person asked for: done with or without a connection. */
  readonly #local: Then[] = []
  #link: Link | undefined
  #info: RoomInfo | undefined
  #head: Head | undefined
  #loaded: Loaded | undefined
  #wish: Wish = { add: [], remove: [] }
  #waiting = ''
  #gone = false
  #unreadable = 0
  /** A fetch is due whatever the known head says: an epoch has passed us by. */
  #behind = false
  #gapSince: number | undefined
  #again = false
  #running: Promise<void> | undefined

  constructor(store: RoomStore, deps: RoomDeps) {
    this.store = store
    this.#deps = deps
    this.screen = new RoomScreen(store, deps)
  }

  get id(): string {
    return this.store.id
  }

  /** Whether this is the session that the room works over. */
  linkedTo(link: Link): boolean {
    return this.#link?.session === link.session
  }

  get gone(): boolean {
    return this.#gone
  }

  // ── what comes in ──

  /** A session has begun and told of this room. */
  online(link: Link, info: RoomInfo): void {
    this.offline()
    this.#link = link
    this.#gone = false
    this.inform(info)
  }

  /** The session is over: what it has not answered it never will. */
  offline(): void {
    this.#link = undefined
    this.#head = undefined
    this.#todo = []
    this.#busy.clear()
    this.#pausedUntil.clear()
    this.#acked.clear()
    this.#merge.clear()
    this.#wish = { add: [], remove: [] }
    this.#gapSince = undefined
    this.#behind = false
  }

  inform(info: RoomInfo): void {
    this.#info = info
    this.#waiting = ''
    this.#pausedUntil.delete('enter')
    this.#merge.hear(info.seq)
    this.poke()
  }

  /** The room is no longer ours. */
  end(): void {
    this.offline()
    this.#gone = true
    this.#deps.changed()
  }

  cast(entry: LogEntry): void {
    this.#merge.offer(entry, this.#seq)
    this.poke()
  }

  heads(head: Head): void {
    this.#merge.hear(head.seq)
    this.poke()
  }

  reconcile(add: readonly DeviceRef[], remove: readonly DeviceRef[]): void {
    const devices = Map.groupBy(add, ({ user }) => user)
    const users = [...devices].map(([user, refs]) => ({
      user,
      devices: refs.map(({ device }) => device),
    }))
    this.#wish = { add: users, remove }
    this.poke()
  }

  // ── what the person does ──

  /** Resolves when the message is safely in the outbox. */
  async send(text: string): Promise<MessageId> {
    const msgId = crypto.getRandomValues(new Uint8Array(16))
    await this.store.outbox.add(msgId, text, this.#deps.clock.now())
    this.#deps.changed()
    this.poke()
    return hex(msgId) as MessageId
  }

  retry(id: MessageId): Promise<void> {
    return this.#locally(async () => {
      const entry = this.store.outbox.find(fromHex(id))
      if (entry?.failed) await this.store.outbox.update([{ ...entry, failed: '' }])
    })
  }

  /** Takes back a message that failed, or that nobody has sent yet. */
  discard(id: MessageId): Promise<void> {
    return this.#locally(async () => {
      const entry = this.store.outbox.find(fromHex(id))
      if (entry && (entry.failed !== '' || entry.sealed === null))
        await this.store.outbox.remove(entry)
    })
  }

  async markRead(): Promise<void> {
    if (this.store.unread === 0) return
    await this.store.markRead()
    this.#deps.changed()
  }

  /** Whether messages are kept from now on. */
  setHistory(keep: boolean): Promise<void> {
    return this.#locally(() => this.#commit({ meta: { keeps: keep } }))
  }

  /** Deletes the room's messages from this device. */
  wipeHistory(): Promise<void> {
    return this.#locally(() => this.store.wipe())
  }

  /** The person has decided about a changed key, or to go on after an alarm. */
  calm(): Promise<void> {
    return this.#locally(async () => {
      if (this.store.meta.alarm?.kind === 'fork') await this.#forget()
      else await this.#commit({ meta: { alarm: null } })
    })
  }

  /** The endpoint is another one by the person's decision: its log and group are new. */
  startOver(): Promise<void> {
    return this.#locally(() => {
      this.#loaded = undefined
      return this.#forget()
    })
  }

  view(): RoomView {
    return this.screen.view(this.#situation())
  }

  timeline(from: number, to: number) {
    const range: readonly TimelineItem[] | Promise<readonly TimelineItem[]> = this.screen.range(
      from,
      to,
      this.#situation(),
    )
    return range
  }

  #situation(): Situation {
    const crypto = this.#loaded?.mls.cryptoInUse(this.#loaded.keys.suite)
    return {
      online: this.#link !== undefined,
      gone: this.#gone,
      waiting: this.#waiting,
      acked: this.#acked,
      crypto: crypto === undefined ? '' : describe(crypto),
    }
  }

  // ── the loop ──

  /** Something may be there to do. */
  poke(): void {
    this.#again = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#again) this.poke()
    })
  }

  /** Resolves when there is nothing left to do for now. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false
      try {
        while (await this.#step()) this.#deps.changed()
      } catch (error) {
        this.#stumble(error)
        return
      }
    }
  }

  /** A fault on this side, such as a full disk: nothing was written, so try again later. */
  #stumble(error: unknown): void {
    const text = error instanceof SottoError ? error.message : 'Something went wrong here.'
    this.#waiting = text
    this.#deps.fault(error)
    this.#deps.changed()
    this.#later(PAUSE_MS * 5)
  }

  /** Does one thing; false when there is nothing to do at once. */
  async #step(): Promise<boolean> {
    const next = this.#local.shift() ?? this.#todo.shift()
    if (next !== undefined) {
      await next()
      return true
    }
    const link = this.#link
    const info = this.#info
    if (link === undefined || info === undefined || this.store.meta.alarm !== null) return false
    if (this.#head === undefined) {
      this.#ask('subscribe', link, () => this.#subscribe(link, info))
      return false
    }
    const loaded = await this.#load()
    if (this.#link !== link) return false
    if (await this.#repairDue(info)) return true
    if (await this.#readBatch(loaded)) return true
    const { pending } = this.store
    if (pending !== null) this.#ask('commit', link, () => this.#sendCommit(link, pending))
    if (this.store.group === null) {
      if (pending === null) this.#ask('enter', link, () => this.#enter(link, loaded, info))
      return false
    }
    this.#fillGap(link)
    if (this.#caughtUp && pending === null && wishes(this.#wish))
      this.#ask('change', link, () => this.#change(link, loaded))
    return this.#deliver(link, loaded)
  }

  async #load(): Promise<Loaded> {
    if (this.#loaded !== undefined) return this.#loaded
    const loaded = await this.#deps.loaded()
    const { mls, keys } = loaded
    const own = keys.binding.signatureKey
    const whole = await this.store.decodeGroup(own, (bytes) => mls.decodeRoom(keys, bytes))
    this.#loaded = loaded
    if (!whole)
      await this.#repair('The keys of this conversation on this device were renewed or damaged.')
    return loaded
  }

  /** Runs a request beside the loop, once at a time per kind; its result comes back to the loop. */
  #ask(work: Work, link: Link, request: () => Promise<Then | undefined>): void {
    if (this.#busy.has(work)) return
    const pause = (this.#pausedUntil.get(work) ?? 0) - this.#deps.clock.steady()
    if (pause > 0) return
    this.#busy.add(work)
    const done = (then: Then | undefined) => {
      if (this.#link !== link) return
      this.#busy.delete(work)
      if (then !== undefined) this.#todo.push(then)
      this.poke()
    }
    request().then(done, (error) => done(() => this.#failed(work, error)))
  }

  /** A request came to nothing in a way that its own code does not handle. */
  async #failed(work: Work, error: unknown): Promise<void> {
    if (error instanceof RefusedError) {
      this.#pause(work, error.refusal.retryAfter ?? PAUSE_MS)
      if (work === 'enter') this.#waiting = error.message
      if (error.code === 'stale_epoch') this.#behind = true
      return
    }
    if (!(error instanceof SottoError)) throw error
    if (error.code === 'bad_member') return this.#alarm({ kind: 'member', text: error.message })
    this.#pause(work, PAUSE_MS)
    if (error.code !== 'closed' && error.code !== 'truncated') throw error
  }

  #pause(work: Work, ms: number): void {
    this.#pausedUntil.set(work, this.#deps.clock.steady() + ms)
    this.#later(ms + 1)
  }

  #later(ms: number): void {
    this.#deps.clock.after(ms, () => this.poke())
  }

  /** Runs a change that the person asked for inside the loop. */
  #locally(work: Then): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#local.push(() => work().then(resolve, reject))
      this.poke()
    })
  }

  async #commit(change: Change): Promise<void> {
    await this.store.commit(change, this.#codec)
  }

  get #codec(): Codec {
    const loaded = this.#loaded
    if (loaded === undefined) return NO_CODEC
    const { mls, keys } = loaded
    return {
      keys: keys.binding.signatureKey,
      encode: mls.encodeRoom,
      readers: (state) => readers(mls.members(state)),
    }
  }

  // ── the log ──

  get #seq(): number {
    return this.store.meta.cursor?.seq ?? 0
  }

  get #caughtUp(): boolean {
    return !this.#behind && this.#seq >= this.#merge.head
  }

  async #subscribe(link: Link, { room }: RoomInfo): Promise<Then> {
    const { head } = await link.ask({ op: 'subscribe', room })
    return async () => {
      const { cursor } = this.store.meta
      if (cursor !== null && head.seq < cursor.seq) return this.#alarm(ROLLED_BACK)
      if (cursor?.chain.length && head.seq === cursor.seq && !equal(head.chain, cursor.chain))
        return this.#alarm(REPLACED)
      this.#head = head
      this.#merge.hear(head.seq)
    }
  }

  async #readBatch(loaded: Loaded): Promise<boolean> {
    const { group, meta } = this.store
    if (group === null || meta.cursor === null || !this.#merge.ready(meta.cursor.seq)) return false
    const start = { cursor: meta.cursor, group, unreadable: this.#unreadable }
    const reader = new LogReader(this.store, this.#deps, loaded, start)
    for (const entry of this.#merge.take(meta.cursor.seq, BATCH))
      if (!(await reader.read(entry))) break
    const { change, stop } = reader.result()
    await this.#commit(change)
    this.#unreadable = reader.unreadable
    this.#gapSince = undefined
    if (stop?.kind === 'alarm') await this.#alarm(stop.alarm)
    else if (stop?.kind === 'repair') await this.#repair(stop.cause)
    else if (await this.#broken()) await this.#alarm(WITHHELD)
    if (this.#merge.ready(this.#seq)) await breathe(this.#deps.clock)
    return true
  }

  /** Whether the log has passed a place at which a message of ours was said to be, without it. */
  async #broken(): Promise<boolean> {
    for (const [n, head] of this.#acked) {
      if (head.seq > this.#seq) continue
      const own = await this.store.chains.at(head.seq)
      if (this.store.outbox.entries.some((entry) => entry.n === n)) return true
      if (own !== undefined && !equal(own, head.chain)) return true
      this.#acked.delete(n)
    }
    return false
  }

  /** Fetches what casts have not brought: at once when it is much, else when it is late. */
  #fillGap(link: Link): void {
    const missing = this.#merge.head - this.#seq
    if (missing <= 0 && !this.#behind) return
    const now = this.#deps.clock.steady()
    const fresh = this.#gapSince === undefined
    this.#gapSince ??= now
    const late = now - this.#gapSince >= GAP_MS
    if (this.#behind || late || missing > 2) this.#ask('fetch', link, () => this.#fetch(link))
    else if (fresh) this.#later(GAP_MS + 1)
    if (now - this.#gapSince >= PATIENCE_MS) this.#deps.raise(withheldNotice(this.view()))
  }

  async #fetch(link: Link): Promise<Then> {
    const after = this.#seq
    const room = fromHex(this.id)
    const { entries, head, oldest } = await link.ask({ op: 'fetch', room, after, most: FETCH })
    return async () => {
      this.#behind = false
      this.#merge.hear(head.seq)
      if (oldest > this.#seq + 1) await this.#skip(oldest, head)
      for (const entry of entries) this.#merge.offer(entry, this.#seq)
      // What was announced and not given is asked for again, until it counts as withheld.
      if (!this.#merge.ready(this.#seq) && !this.#caughtUp) this.#pause('fetch', PAUSE_MS)
    }
  }

  /** The endpoint no longer keeps what comes next: say so, and go on where it begins. */
  async #skip(oldest: number, head: Head): Promise<void> {
    const nothing = new Uint8Array(0)
    const cursor = oldest > head.seq ? head : { seq: oldest - 1, chain: nothing }
    const text = 'You were away for so long that some messages here are no longer kept for you.'
    const item = { k: 's', id: `skip-${oldest}`, text, at: this.#deps.clock.now() } as const
    await this.#commit({
      meta: { cursor: { seq: cursor.seq, chain: cursor.chain } },
      items: [item],
    })
  }

  // ── the group ──

  /** Notices when the endpoint and the store disagree about this device's place in the group. */
  async #repairDue(info: RoomInfo): Promise<boolean> {
    const { group, pending, meta } = this.store
    if (group !== null && info.generation !== null && info.generation > group.generation) {
      await this.#repair('The conversation was set up anew by another device.')
      return true
    }
    const lost = group === null && pending === null && info.joined && meta.repair === ''
    if (!lost || meta.cursor === null) return false
    await this.#repair('This device had lost its keys of this conversation.')
    return true
  }

  /** Gives the group state up, says why, and begins to join again. */
  async #repair(cause: string): Promise<void> {
    await this.#commit({ group: null, pending: null, meta: { repair: cause } })
    this.#unreadable = 0
    this.#merge.clear()
    this.#behind = true
  }

  async #enter(link: Link, loaded: Loaded, info: RoomInfo): Promise<Then> {
    const { seq, chain } = this.#head ?? info
    const head = { seq, chain }
    const entered = await enter({ store: this.store, deps: this.#deps, loaded, link, info, head })
    return async () => {
      this.#waiting = entered.kind === 'wait' ? entered.text : ''
      if (entered.kind === 'wait') return this.#pause('enter', WELCOME_MS)
      await this.#commit(this.#withRejoined(entered.change))
      entered.after?.().catch(() => undefined)
      this.#behind = true
      if (entered.change.group) this.#inviteAll()
    }
  }

  /** In a private room, whoever makes the group asks everyone in without being told to. */
  #inviteAll(): void {
    const { peer } = this.store.meta
    if (peer === '') return
    const users = [peer, this.#deps.me.user]
    this.#wish = { add: users.map((user) => ({ user, devices: undefined })), remove: [] }
  }

  /** A line in the room about what a repair leaves behind. */
  #withRejoined(change: Change): Change {
    const { repair } = this.store.meta
    if (repair === '' || !change.group) return change
    const text = `${repair} It has joined again; what was written in between can’t be read here.`
    const at = this.#deps.clock.now()
    return { ...change, items: [{ k: 's', id: `repair-${at}`, text, at }] }
  }

  async #change(link: Link, loaded: Loaded): Promise<Then> {
    const wish = this.#wish
    const found = await proposeChange(link, this.#deps, wish)
    return async () => {
      if (this.#wish === wish) this.#wish = { add: [], remove: [] }
      const { group, pending } = this.store
      if (group === null || pending !== null) return
      const made = await found(loaded, group)
      if (made !== undefined) await this.#commit({ pending: made })
    }
  }

  async #sendCommit(link: Link, pending: Pending): Promise<Then> {
    const { msgId, mls, groupInfo, added, removed, welcome } = pending
    const commit = {
      groupInfo,
      added: [...added],
      removed: [...removed],
      ...(welcome === null ? {} : { welcome }),
    }
    try {
      const room = fromHex(this.id)
      const at = await link.ask({ op: 'send', room, msgId, mls, commit })
      return () => this.#won(pending, at)
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      if (error.refusal.error === 'unavailable' || error.refusal.error === 'slow_down') throw error
      return async () => {
        // Somebody else's commit came first (or ours is not wanted): make it anew on the next epoch.
        if (this.store.pending === pending) await this.#commit({ pending: null })
        this.#behind = true
        if (error.code !== 'stale_epoch') this.#pause('enter', PAUSE_MS)
      }
    }
  }

  /** Our commit is in the log. A member meets it there; who joins from outside begins with it. */
  async #won(pending: Pending, at: { seq: number; chain: Bytes }): Promise<void> {
    this.#merge.hear(at.seq)
    const loaded = await this.#load()
    if (this.store.pending !== pending || pending.kind !== 'join') return
    const state = await loaded.mls.decodeRoom(loaded.keys, pending.next)
    const group = { generation: pending.generation, state }
    const meta = { ...placed({ store: this.store }, at), repair: '' }
    const link = { seq: at.seq, chain: at.chain }
    await this.#commit(this.#withRejoined({ group, pending: null, meta, links: [link] }))
  }

  // ── sending ──

  /** Sends the next message, and seals those that come after it. True when it changed something. */
  async #deliver(link: Link, loaded: Loaded): Promise<boolean> {
    const { outbox, group, meta } = this.store
    const waiting = outbox.entries.filter(({ n, failed }) => failed === '' && !this.#acked.has(n))
    const first = waiting[0]
    if (first === undefined) return false
    if (first.sealed !== null) {
      this.#ask('send', link, () => this.#sendMessage(link, first, first.sealed as Bytes))
      return false
    }
    if (!this.#caughtUp || group === null || meta.cursor === null || !this.#heard()) return false
    const change = await sealNext(loaded, group, meta.cursor, waiting)
    await this.#commit(change)
    return true
  }

  /** Whether the one a private message is for could read it. */
  #heard(): boolean {
    const { peer, readers } = this.store.meta
    if (peer === '') return true
    if (this.#deps.trust.word(peer) === 'changed') return false
    const there = readers.some(({ user }) => user === peer)
    this.#waiting = there ? '' : `Waiting for a device of ${peer} to come in.`
    return there
  }

  async #sendMessage(link: Link, entry: OutboxEntry, mls: Bytes): Promise<Then> {
    try {
      const room = fromHex(this.id)
      const at = await link.ask({ op: 'send', room, msgId: entry.msgId, mls })
      return async () => {
        this.#merge.hear(at.seq)
        if (!this.store.outbox.entries.some(({ n }) => n === entry.n)) return
        this.#acked.set(entry.n, at)
        if (await this.#broken()) await this.#alarm(WITHHELD)
      }
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      const { refusal } = error
      if (refusal.error === 'unavailable' || refusal.error === 'slow_down') throw error
      return () => this.#refused(entry, refusal.error === 'stale_epoch', refusal.text)
    }
  }

  /** Refused for good. As the endpoint never acknowledged it, it may be sealed for another epoch. */
  async #refused(entry: OutboxEntry, stale: boolean, reason: string): Promise<void> {
    if (stale) {
      this.#behind = true
      const sealed = this.store.outbox.entries.filter(
        ({ n }) => n >= entry.n && !this.#acked.has(n),
      )
      await this.store.outbox.update(sealed.map((one) => ({ ...one, sealed: null })))
    } else await this.store.outbox.update([{ ...entry, failed: reason }])
  }

  // ── alarms ──

  async #alarm(alarm: Alarm): Promise<void> {
    await this.#commit({ meta: { alarm } })
    this.#merge.clear()
    const notice = alarm.kind === 'fork' ? forkNotice : memberNotice
    this.#deps.raise(notice(this.view(), alarm.text))
  }

  /** Forgets how far the log was read: the person takes the endpoint's history as it is now. */
  async #forget(): Promise<void> {
    const meta = { cursor: null, from: 0, alarm: null, repair: 'You chose to go on here.' }
    await this.#commit({ group: null, pending: null, meta })
    this.#head = undefined
    this.#merge.clear()
  }
}

const ROLLED_BACK: Alarm = {
  kind: 'fork',
  text: 'The endpoint has gone back in time: messages that it had confirmed are missing.',
}
const REPLACED: Alarm = {
  kind: 'fork',
  text: 'The endpoint shows another history of this conversation than before.',
}
const WITHHELD: Alarm = {
  kind: 'fork',
  text: 'The endpoint confirmed a message of yours and then left it out of the conversation.',
}

const NO_CODEC: Codec = {
  keys: new Uint8Array(0),
  encode: () => {
    throw new Error('a group state without MLS')
  },
  readers: () => [],
}

function wishes({ add, remove }: Wish): boolean {
  return add.length + remove.length > 0
}

function readers(members: readonly { readonly user: string; readonly fingerprint: Bytes }[]) {
  const people = Map.groupBy(members, ({ user }) => user)
  return [...people].map(([user, devices]) => ({
    user,
    fingerprint: devices[0]?.fingerprint ?? new Uint8Array(0),
    devices: devices.length,
  }))
}

function describe(used: {
  readonly suite: string
  readonly native: readonly string[]
  readonly library: readonly string[]
}): string {
  return `${used.suite}; by the browser: ${used.native.join(', ')}; by a library: ${used.library.join(', ')}`
}
