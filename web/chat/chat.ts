import { fromHex, hex } from '../protocol/bytes.ts'
import { SottoError, textOf } from '../protocol/errors.ts'
import { ChatLife } from './chat_life.ts'
import { type ChatOptions, openParts, type Parts } from './chat_parts.ts'
import type { Passwords } from './chat_session.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Connection } from './connection.ts'
import type {
  ChatModel,
  ChatState,
  DeviceView,
  MessageId,
  RoomId,
  SearchOptions,
  SearchPage,
  TimelineItem,
} from './model.ts'
import { ownDevices } from './own_devices.ts'
import { markBackedUp, type Profile } from './profile.ts'
import { Snapshot } from './snapshot.ts'

export type { ChatOptions } from './chat_parts.ts'

/** The longest text of one message, in UTF-16 units. */
export const MAX_TEXT = 16_384

/**
 * A person's chat on one device, without a screen. It reads its store by itself; until then the
 * state has no rooms. `change` is dispatched, once for all that happened together, whenever
 * {@link Chat.state} is another.
 */
export class Chat extends EventTarget implements ChatModel {
  /** Resolves when the store has been read; rejects when it can't be. */
  readonly ready: Promise<void>
  readonly #o: ChatOptions
  readonly #clock: Clock
  readonly #snapshot = new Snapshot()
  readonly #life: ChatLife
  #profile: Profile
  #parts: Parts | undefined
  #state: ChatState | undefined
  #announced = false
  #stopWaking: (() => void) | undefined

  constructor(options: ChatOptions) {
    super()
    this.#o = options
    this.#clock = options.clock ?? systemClock
    this.#profile = options.profile
    this.#life = new ChatLife({
      profile: options.profile,
      raise: (notice) => {
        this.#parts?.notices.raise(notice)
        this.#changed()
      },
      changed: () => this.#changed(),
      log: (error) => options.log?.(error),
    })
    this.ready = this.#open()
    this.ready.catch((error) => this.#life.set({ phase: 'stopped', text: textOf(error) }))
  }

  async #open(): Promise<void> {
    this.#parts = await openParts(this.#o, this.#clock, this.#life, () => this.#changed())
    this.#changed()
  }

  // ── what the screen sees ──

  get state(): ChatState {
    this.#state ??= this.#snapshot.take({
      profile: this.#profile,
      connection: this.#life.phase,
      handshake: this.#life.handshake,
      rooms: this.#parts?.rooms,
      people: this.#parts?.people,
      notices: this.#parts?.notices.list ?? [],
      endpoint: this.#parts?.trust.endpoint,
      host: this.#o.host,
    })
    return this.#state
  }

  timeline(
    room: RoomId,
    from: number,
    to: number,
  ): readonly TimelineItem[] | Promise<readonly TimelineItem[]> {
    return this.#parts?.rooms.get(room)?.timeline(from, to) ?? []
  }

  /** Gathers what changes in one turn into one event. */
  #changed(): void {
    this.#state = undefined
    if (this.#announced) return
    this.#announced = true
    queueMicrotask(() => {
      this.#announced = false
      this.dispatchEvent(new globalThis.Event('change'))
    })
  }

  // ── what the person does ──

  connect(): void {
    // Also while the store is still being read: it is on its way.
    if (this.#life.phase.phase === 'offline') this.#life.set({ phase: 'connecting' })
    void this.ready.then(
      () => {
        const life = this.#life
        if (life.over) return
        const blocking = this.state.notices.find((notice) => notice.blocking)
        if (blocking !== undefined) {
          if (life.phase.phase !== 'stopped') life.set({ phase: 'stopped', text: blocking.title })
          return
        }
        this.#stopWaking ??= this.#o.onWake?.(() => this.wake())
        this.#parts?.keeper.start()
      },
      () => undefined, // already on the screen
    )
  }

  async disconnect(): Promise<void> {
    await this.ready.catch(() => undefined)
    this.#stopWaking?.()
    this.#stopWaking = undefined
    await this.#parts?.keeper.stop()
    await this.#parts?.rooms.settled()
    await this.#parts?.drafts.settled()
    if (this.#life.phase.phase !== 'stopped')
      this.#life.set({ phase: 'offline', text: 'You are disconnected.', retryAt: undefined })
  }

  /** The browser is online again, or the tab is looked at: tries at once, checks what is open. */
  wake(): void {
    this.#parts?.keeper.wake()
  }

  async send(room: RoomId, text: string): Promise<MessageId> {
    if (text.length < 1 || text.length > MAX_TEXT)
      throw new SottoError('refused', 'A message has between 1 and 16,384 characters.')
    await this.ready
    const target = this.#writable(room)
    if (target.over) throw new SottoError('refused', 'This conversation is over.')
    return target.send(text)
  }

  async retry(room: RoomId, id: MessageId): Promise<void> {
    await this.#writable(room).retry(id)
  }

  discard(room: RoomId, id: MessageId): Promise<void> {
    return this.#room(room).discard(id)
  }

  async openPrivate(user: string): Promise<RoomId> {
    const { rooms, session } = await this.#opened()
    const known = rooms.withPerson(user)
    if (known !== undefined) return known
    if (user === this.#profile.user)
      throw new SottoError('refused', 'This is you. Choose somebody else.')
    const { room } = await this.#online().ask({ op: 'open_private', user })
    await session.tellRoom(room)
    return hex(room.room) as RoomId
  }

  async leave(room: RoomId): Promise<void> {
    const { rooms } = await this.#opened()
    const target = this.#room(room)
    target.leave()
    await this.#online().ask({ op: 'leave_room', room: fromHex(target.id) })
    rooms.get(room)?.end()
  }

  async remove(room: RoomId): Promise<void> {
    const { rooms, drafts } = await this.#opened()
    await drafts.forget(room, (changes) => rooms.remove(room, changes))
    this.#changed()
  }

  markRead(room: RoomId): void {
    this.#parts?.rooms
      .get(room)
      ?.markRead()
      .catch((error) => this.#o.log?.(error))
  }

  draft(room: RoomId): string {
    return this.#parts?.drafts.get(room) ?? ''
  }

  setDraft(room: RoomId, text: string): void {
    this.#parts?.drafts.set(room, text)
  }

  async admit(passwords: Passwords): Promise<void> {
    await (await this.#opened()).session.admit(passwords)
  }

  /** Sets, changes or (null) removes the account's password. */
  async setPassword(next: string | null, current?: string): Promise<void> {
    await (await this.#opened()).session.setPassword(next, current)
  }

  async devices(): Promise<readonly DeviceView[]> {
    return ownDevices(this.#online(), this.#profile.device)
  }

  async removeDevice(device: string): Promise<void> {
    await this.#online().ask({ op: 'remove_device', device: fromHex(device) })
  }

  /** The identity was exported. */
  async backedUp(): Promise<void> {
    this.#profile = await markBackedUp(this.#profile)
    this.#changed()
  }

  async verifyPerson(user: string, verified: boolean): Promise<void> {
    await (await this.#opened()).trust.verified(user, verified)
    this.#changed()
  }

  async search(query: string, options: SearchOptions = {}): Promise<SearchPage> {
    const { rooms } = await this.#opened()
    const { room } = options
    const where = room === undefined ? rooms.all : [this.#room(room)]
    const { search } = await import('./search.ts')
    return search(
      where.map(({ screen }) => screen.searchable),
      query,
      options,
    )
  }

  async setHistory(room: RoomId, keep: boolean): Promise<void> {
    await this.#opened()
    await this.#room(room).setHistory(keep)
    this.#changed()
  }

  async wipeHistory(room: RoomId | 'all'): Promise<void> {
    const { rooms } = await this.#opened()
    const all = room === 'all' ? rooms.all : [this.#room(room)]
    await Promise.all(all.map((one) => one.wipeHistory()))
    this.#changed()
  }

  dismiss(notice: string): void {
    const found = this.state.notices.find(({ id }) => id === notice)
    if (found?.blocking) return
    this.#parts?.notices.dismiss(notice)
    this.#changed()
  }

  async decide(id: string, choice: string): Promise<void> {
    const { decisions, keeper } = await this.#opened()
    await decisions.take(id, choice, keeper)
    this.#changed()
  }

  async #opened(): Promise<Parts> {
    await this.ready
    if (this.#parts === undefined) throw new SottoError('unavailable', 'Nothing is loaded yet.')
    return this.#parts
  }

  /** Throws SottoError `unavailable` when there is no connection. */
  #online(): Connection {
    if (this.#parts === undefined) throw new SottoError('unavailable', 'Nothing is loaded yet.')
    return this.#parts.session.connection
  }

  /** Throws SottoError `refused` when nothing can leave this device any more. */
  #writable(room: RoomId) {
    if (this.#life.over)
      throw new SottoError('refused', 'This device was removed: nothing can be sent from it.')
    return this.#room(room)
  }

  #room(room: RoomId) {
    const found = this.#parts?.rooms.get(room)
    if (found === undefined) throw new SottoError('refused', 'There is no such conversation.')
    return found
  }
}
