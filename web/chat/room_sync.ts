import { fromHex, hex } from '../protocol/bytes.ts'
import type { DeviceRef, Head, RoomInfo } from '../protocol/messages.ts'
import type { LogEntry } from './merge.ts'
import type { MessageId, RoomView, TimelineItem } from './model.ts'
import type { OutboxEntry } from './outbox.ts'
import { RoomCore, UNLISTED } from './room_core.ts'
import type { Link, Loaded, RoomDeps } from './room_deps.ts'
import { RoomGroup } from './room_group.ts'
import { RoomLog } from './room_log.ts'
import { inDoubt, ownItem } from './room_read.ts'
import { undecided } from './room_renewal.ts'
import { type RoomScreen, type Situation, whyFailed } from './room_screen.ts'
import { RoomSender } from './room_sender.ts'
import type { RoomStore } from './room_store.ts'

/**
 * One room, kept in step with its log. Each turn of its loop looks at what is there and does the
 * next thing that is missing, so that it does not matter where a crash, a lost connection or a
 * refusal left off.
 */
export class RoomSync {
  readonly #core: RoomCore
  readonly #log: RoomLog
  readonly #group: RoomGroup
  readonly #sender: RoomSender
  #farewell = 'This conversation is over.'

  constructor(store: RoomStore, deps: RoomDeps) {
    this.#core = new RoomCore(store, deps, () => this.#step())
    this.#log = new RoomLog(this.#core)
    this.#group = new RoomGroup(this.#core)
    this.#sender = new RoomSender(this.#core, this.#log)
  }

  get id(): string {
    return this.#core.store.id
  }

  get store(): RoomStore {
    return this.#core.store
  }

  get screen(): RoomScreen {
    return this.#core.screen
  }

  /** Whether this is the session that the room works over. */
  linkedTo(link: Link): boolean {
    return this.#core.link?.session === link.session
  }

  get over(): boolean {
    return this.#core.over
  }

  /** On its way into the group, with nothing known to be in the way. */
  get entering(): boolean {
    return this.#core.waiting + this.#core.fault === '' && this.view().phase === 'joining'
  }

  // ── what comes in ──

  /** A session has begun and told of this room. */
  online(link: Link, info: RoomInfo): void {
    this.offline()
    this.#core.link = link
    this.#core.gone = false
    this.inform(info)
  }

  /** A session has begun in which nothing can be had of this room; `text` says why. */
  stopped(text: string): void {
    this.offline()
    this.#core.gone = false
    this.#core.stopped = text
    this.#core.deps.changed()
  }

  /** The session is over: what it has not answered it never will. */
  offline(): void {
    const core = this.#core
    core.link = undefined
    core.stopped = ''
    core.head = undefined
    core.behind = false
    core.acked.clear()
    core.merge.clear()
    core.loop.reset()
    this.#log.reset()
    this.#group.reset()
    this.#sender.reset()
  }

  inform(info: RoomInfo): void {
    const core = this.#core
    core.info = info
    core.waiting = ''
    core.unlisted = core.store.inGroup && !info.joined ? UNLISTED : ''
    core.merge.hear(info.seq)
    core.loop.resume('enter')
    core.loop.poke()
  }

  /** The room is no longer ours. */
  end(): void {
    const { loop, deps, store, acked } = this.#core
    const landed = store.outbox.entries.filter(({ n }) => acked.has(n))
    this.offline()
    this.#core.gone = true
    deps.changed()
    loop.locally(() => this.#close(this.#farewell, landed)).catch(deps.fault)
  }

  /** Closes the conversation with a line that says why. `landed` has been said, if not read yet. */
  async #close(over: string, landed: readonly OutboxEntry[] = []): Promise<void> {
    const { store, deps } = this.#core
    if (store.meta.over) return
    const removed = landed.filter(({ n }) => store.outbox.has(n))
    const at = deps.clock.now()
    const line = { k: 's', id: `over-${at}`, text: over, at } as const
    const items = [...removed.map((entry) => ownItem(entry, deps.me)), line]
    await this.#core.commit({ meta: { over }, items, removed })
  }

  cast(entry: LogEntry): void {
    this.#core.merge.offer(entry, this.#core.seq)
    this.#core.loop.poke()
  }

  heads(head: Head): void {
    this.#core.merge.hear(head.seq)
    this.#core.loop.poke()
  }

  /** The endpoint asks this device to bring the room's group in line. */
  reconcile(add: readonly DeviceRef[], remove: readonly DeviceRef[]): void {
    this.#group.reconcile(add, remove)
    this.#core.loop.poke()
  }

  poke(): void {
    this.#core.loop.poke()
  }

  /** Resolves when there is nothing left to do for now. */
  settled(): Promise<void> {
    return this.#core.loop.settled()
  }

  /** Does the next thing that is missing; false when there is nothing to do at once. */
  async #step(): Promise<boolean> {
    const { link, info, store, head } = this.#core
    if (link === undefined || info === undefined || store.meta.alarm !== null) return false
    if (head === undefined) {
      this.#log.subscribe(link, info)
      return false
    }
    const loaded = await this.#core.load()
    if (this.#core.link !== link) return false
    if (await this.#group.repairDue(info)) return true
    if (await this.#log.readBatch(loaded)) return true
    if (store.group !== null) this.#log.fillGap(link)
    if (await this.#judge(info)) return true
    // To neither key, before the person has decided between them.
    if (undecided(this.#core)) return false
    const { over } = this.#core
    if (!over && this.#group.renew(link, loaded, info)) return false
    this.#group.sendPending(link)
    if (store.group !== null) return this.#inside(link, loaded)
    // A Welcome lets this device read what was said before the other person left.
    if (store.pending === null && (!over || info.welcome)) this.#group.enter(link, loaded, info)
    return false
  }

  /** Closes it when the other person has left, after all that was said before. */
  async #judge({ welcome }: RoomInfo): Promise<boolean> {
    const { store, left, caughtUp } = this.#core
    const { over, peer } = store.meta
    if (left && !over && (store.group === null ? !welcome : caughtUp)) {
      await this.#close(`${peer} has ended this conversation.`)
      return true
    }
    // The endpoint was put back to an older state, in which it goes on.
    if (!left && over) await this.#core.commit({ meta: { over: '' } })
    return false
  }

  async #inside(link: Link, loaded: Loaded): Promise<boolean> {
    this.#group.change(link, loaded)
    return !this.#core.over && this.#sender.deliver(link, loaded)
  }

  // ── what the person does ──

  /** The person ends the conversation: to be called before the endpoint is told. */
  leave(): void {
    this.#farewell = 'You ended this conversation.'
  }

  /** Resolves when the message is safely in the outbox. */
  async send(text: string): Promise<MessageId> {
    const { store, deps, loop } = this.#core
    const msgId = freshId()
    await store.outbox.add(msgId, text, deps.clock.now())
    deps.changed()
    loop.poke()
    return hex(msgId) as MessageId
  }

  /**
   * Tries a failed message again, under a new id: it was refused for good, or nobody knows what
   * became of it.
   */
  retry(id: MessageId): Promise<void> {
    return this.#core.loop.locally(async () => {
      const { outbox } = this.#core.store
      const entry = outbox.find(fromHex(id))
      if (entry?.failed)
        await outbox.update([{ ...entry, msgId: freshId(), sealed: null, failed: '' }])
    })
  }

  /** Takes back a message that failed, or that nobody has sent yet. */
  discard(id: MessageId): Promise<void> {
    return this.#core.loop.locally(async () => {
      const { outbox } = this.#core.store
      const entry = outbox.find(fromHex(id))
      const failed = entry && whyFailed(entry, this.#situation()) !== ''
      if (entry && (failed || entry.sealed === null)) await outbox.remove(entry)
    })
  }

  async markRead(): Promise<void> {
    const { store, deps } = this.#core
    if (store.unread === 0) return
    await store.markRead()
    deps.changed()
  }

  /** Whether messages are kept from now on. */
  setHistory(keep: boolean): Promise<void> {
    return this.#core.loop.locally(() => this.#core.commit({ meta: { keeps: keep } }))
  }

  /** Deletes the room's messages from this device. */
  wipeHistory(): Promise<void> {
    return this.#core.loop.locally(() => this.#core.store.wipe())
  }

  /** Deletes the room from this device, in one write with `changes`: it is not used afterwards. */
  remove(changes: Map<string, unknown>): Promise<void> {
    this.offline()
    return this.#core.loop.locally(() => this.#core.store.remove(changes))
  }

  /** The person has decided about a changed key, or to go on after an alarm. */
  calm(): Promise<void> {
    return this.#core.loop.locally(async () => {
      if (this.#core.store.meta.alarm?.kind === 'fork') await this.#forget()
      else await this.#core.commit({ meta: { alarm: null } })
    })
  }

  /** The person has decided on somebody's key: whoever was kept out for it is looked at again. */
  keyDecided(): Promise<void> {
    return this.#core.loop.locally(async () => {
      if (this.#core.store.meta.alarm?.kind === 'member')
        await this.#core.commit({ meta: { alarm: null } })
    })
  }

  /** The endpoint is another one by the person's decision: its log and group are new. */
  startOver(): Promise<void> {
    return this.#core.loop.locally(() => {
      this.#core.loaded = undefined
      return this.#forget()
    })
  }

  /** Forgets how far the log was read: the person takes the endpoint's history as it is now. */
  async #forget(): Promise<void> {
    const core = this.#core
    const meta = { cursor: null, from: 0, alarm: null, repair: 'You chose to go on here.' }
    await core.commit({ group: null, pending: null, meta, replaced: inDoubt(core.store) })
    core.head = undefined
    core.merge.clear()
  }

  // ── what the screen sees ──

  view(): RoomView {
    return this.screen.view(this.#situation())
  }

  timeline(from: number, to: number): readonly TimelineItem[] | Promise<readonly TimelineItem[]> {
    return this.screen.range(from, to, this.#situation())
  }

  #situation(): Situation {
    const { link, stopped, over, shut, fault, acked, loaded, store, deps } = this.#core
    const { over: removed, refused } = deps.life
    const { peer, readers } = store.meta
    const waiting = this.#core.waiting || (readers.some(({ user }) => user === peer) ? '' : shut)
    const online = link !== undefined || stopped !== ''
    const crypto = loaded === undefined ? '' : describe(loaded)
    const left = { over, removed, refused }
    return { online, stopped, ...left, waiting, fault, acked, crypto, limits: link?.limits }
  }
}

function freshId() {
  return crypto.getRandomValues(new Uint8Array(16))
}

function describe({ mls, keys }: Loaded): string {
  const { suite, native, library } = mls.cryptoInUse(keys.suite)
  return `${suite}; by the browser: ${native.join(', ')}; by a library: ${library.join(', ')}`
}
