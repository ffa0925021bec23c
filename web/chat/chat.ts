import { type Bytes, equal, fromHex, hex } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import type { HandshakeStep } from '../protocol/handshake_steps.ts'
import type { Primitives } from '../protocol/primitives.ts'
import { ChatSession, hostKey, type Passwords, said } from './chat_session.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Connection, End } from './connection.ts'
import { Drafts } from './drafts.ts'
import { Keeper } from './keeper.ts'
import { Keyring } from './keyring.ts'
import type {
  ChatModel,
  ChatState,
  ConnectionState,
  DeviceView,
  HandshakeView,
  MessageId,
  Notice,
  RoomId,
  SearchOptions,
  SearchPage,
  TimelineItem,
} from './model.ts'
import {
  deviceRemoved,
  endpointChanged,
  notAccepted,
  personChanged,
  pinsLost,
  tampered,
  trouble,
} from './notice_texts.ts'
import { Notices } from './notices.ts'
import { type News, People } from './people.ts'
import { markBackedUp, type Profile } from './profile.ts'
import type { RoomDeps } from './room_deps.ts'
import { Rooms } from './rooms.ts'
import { Snapshot } from './snapshot.ts'
import type { Dial } from './transport.ts'
import { Trust } from './trust.ts'

/** The longest text of one message, in UTF-16 units. */
export const MAX_TEXT = 16_384

export interface ChatOptions {
  readonly profile: Profile
  readonly dial: Dial
  /** The endpoint's configured name. */
  readonly host: string
  /** SHA-256 of the endpoint's SPKI, from an invitation; undefined trusts the first one seen. */
  readonly pin: Bytes | undefined
  readonly primitives: Primitives
  readonly clock?: Clock
  /** Numbers in [0, 1), for the times of reconnecting. */
  readonly random?: () => number
  /** Calls back when a connection may be possible again; returns what ends that. */
  readonly onWake?: (wake: () => void) => () => void
  /** What became of the store before it was opened, for the person to know; empty for nothing. */
  readonly news?: string
  /** Where faults of this program go. They hold no secrets. */
  readonly log?: (error: unknown) => void
}

/** Stands in the store once another device has removed this one. */
const REVOKED = 'revoked'
const REMOVED: ConnectionState = {
  phase: 'stopped',
  text: 'This device was removed.',
  final: true,
}

/** What exists once the store has been read. */
interface Parts {
  readonly trust: Trust
  readonly notices: Notices
  readonly drafts: Drafts
  readonly people: People
  readonly rooms: Rooms
  readonly keeper: Keeper
  readonly session: ChatSession
}

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
  readonly #keyring: Keyring
  readonly #snapshot = new Snapshot()
  #profile: Profile
  #parts: Parts | undefined
  #phase: ConnectionState = { phase: 'offline', text: '', retryAt: undefined }
  #handshake: HandshakeView | undefined
  #state: ChatState | undefined
  #announced = false
  #stopWaking: (() => void) | undefined

  constructor(options: ChatOptions) {
    super()
    this.#o = options
    this.#clock = options.clock ?? systemClock
    this.#profile = options.profile
    this.#keyring = new Keyring(options.profile, this.#clock)
    this.ready = this.#open()
    this.ready.catch((error) => this.#set({ phase: 'stopped', text: said(error) }))
  }

  async #open(): Promise<void> {
    const { profile, host, pin, dial, primitives, random = Math.random } = this.#o
    const { storage, vault } = profile
    const [trust, notices, drafts] = await Promise.all([
      Trust.open(storage, vault, host),
      Notices.open(storage, vault),
      Drafts.open(storage, vault),
    ])
    const people = new People(primitives, trust, profile.user)
    const rooms = await Rooms.open(this.#roomDeps(trust, notices))
    if (this.#o.news) notices.raise(trouble(this.#o.news, 'store'))
    if ((await storage.read(REVOKED)) === true) this.#phase = REMOVED
    else if (trust.lost) {
      const notice = pinsLost(host)
      notices.raise(notice)
      this.#phase = { phase: 'stopped', text: notice.seen }
    } else await trust.restore(rooms.all.flatMap(({ store }) => store.meta.readers))
    const session = new ChatSession({
      ...{ trust, people, rooms, keyring: this.#keyring, clock: this.#clock },
      set: (phase) => this.#set(phase),
      raise: (notice) => this.#raise(notice),
      changed: () => this.#changed(),
      log: (error) => this.#o.log?.(error),
    })
    const options = { profile, dial, host, pin, primitives, trust, clock: this.#clock, random }
    const keeper = new Keeper(options, {
      connecting: () => this.#set({ phase: 'connecting' }),
      handshake: () => this.#beginHandshake(),
      step: (step) => this.#step(step),
      session: (connection, transcript) => {
        this.#handshakeDone(connection, transcript)
        return session.run(connection)
      },
      ended: (end, retryAt) => this.#ended(end, retryAt),
      keyChanged: (seen) => this.#keyChanged(seen),
      event: (event) => session.event(event),
      cast: (entry) => rooms.get(hex(entry.room))?.cast(entry),
    })
    this.#parts = { trust, notices, drafts, people, rooms, keeper, session }
    this.#changed()
  }

  #roomDeps(trust: Trust, notices: Notices): RoomDeps {
    const { primitives } = this.#o
    const { user, device, identity, storage, vault } = this.#profile
    return {
      storage,
      vault,
      primitives,
      clock: this.#clock,
      trust,
      me: { user, device, fingerprint: identity.fingerprint },
      loaded: () => this.#keyring.loaded(hostKey(trust)),
      keyPackages: () => this.#keyring.packages(),
      verify: async (binding) => {
        this.#alarmed(await trust.see([binding]))
        if (trust.word(binding.user) === 'changed')
          throw new SottoError('bad_member', `The key of ${binding.user} has changed.`)
      },
      raise: (notice) => {
        notices.raise(notice)
        this.#changed()
      },
      fault: (error) => this.#o.log?.(error),
      changed: () => this.#changed(),
    }
  }

  // ── what the screen sees ──

  get state(): ChatState {
    this.#state ??= this.#snapshot.take({
      profile: this.#profile,
      connection: this.#phase,
      handshake: this.#handshake,
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

  #set(phase: ConnectionState): void {
    this.#phase = phase
    this.#changed()
  }

  #raise(notice: Notice): void {
    this.#parts?.notices.raise(notice)
    this.#changed()
  }

  // ── what the person does ──

  connect(): void {
    void this.ready.then(
      () => {
        if (this.#phase === REMOVED) return
        const blocking = this.state.notices.find((notice) => notice.blocking)
        if (blocking !== undefined) {
          if (this.#phase.phase !== 'stopped') this.#set({ phase: 'stopped', text: blocking.title })
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
    if (this.#phase.phase !== 'stopped')
      this.#set({ phase: 'offline', text: 'You are disconnected.', retryAt: undefined })
  }

  /** The browser is online again, or the tab is looked at: tries at once, checks what is open. */
  wake(): void {
    this.#parts?.keeper.wake()
  }

  async send(room: RoomId, text: string): Promise<MessageId> {
    if (text.length < 1 || text.length > MAX_TEXT)
      throw new SottoError('refused', 'A message has between 1 and 16,384 characters.')
    await this.ready
    const target = this.#room(room)
    if (target.gone) throw new SottoError('refused', 'This conversation is over.')
    return target.send(text)
  }

  retry(room: RoomId, id: MessageId): Promise<void> {
    return this.#room(room).retry(id)
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
    await this.#online().ask({ op: 'leave_room', room: fromHex(target.id) })
    rooms.get(room)?.end()
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
    const { devices } = await this.#online().ask({ op: 'devices' })
    return devices
      .map((one) => ({
        ...one,
        device: hex(one.device),
        me: equal(one.device, this.#profile.device),
      }))
      .sort(
        (a, b) =>
          Number(b.me) - Number(a.me) ||
          Number(b.online) - Number(a.online) ||
          b.lastSeen - a.lastSeen,
      )
  }

  async removeDevice(device: string): Promise<void> {
    await this.#online().ask({ op: 'remove_device', device: fromHex(device) })
  }

  /** The identity was exported. */
  async backedUp(): Promise<void> {
    this.#profile = await markBackedUp(this.#profile)
    this.#changed()
  }

  /** The two have compared their safety numbers. */
  async verifyPerson(user: string): Promise<void> {
    await (await this.#opened()).trust.verified(user)
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
    const { notices, trust, rooms, keeper } = await this.#opened()
    const [kind, about = ''] = id.split(/\/(.*)/s)
    if (choice === 'trust' && kind === 'endpoint') {
      const fingerprint = this.#seen
      if (fingerprint === undefined) return this.#look(id)
      await trust.pinEndpoint({ fingerprint, verified: true })
      this.#keyring.forget()
      await rooms.startOver()
      notices.dismiss(id)
      keeper.start()
    } else if (choice === 'trust' && kind === 'pins') {
      await trust.startAnew()
      await trust.restore(rooms.all.flatMap(({ store }) => store.meta.readers))
      notices.dismiss(id)
      keeper.start()
    } else if (choice === 'trust' && kind === 'key') await trust.decide(about, true)
    else if (choice === 'go_on') await rooms.get(about)?.calm()
    if (kind !== 'endpoint' && kind !== 'pins') notices.dismiss(id)
    rooms.poke()
    this.#changed()
  }

  /** After a restart the changed key has to be seen again: the very one that was accepted. */
  #look(id: string): void {
    this.#accepted = this.state.notices.find((notice) => notice.id === id)?.seen
    this.#parts?.notices.dismiss(id)
    this.#parts?.keeper.start()
  }

  #seen: Bytes | undefined
  /** The words of a notice that names the key which the person accepted before it was seen again. */
  #accepted: string | undefined

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

  #room(room: RoomId) {
    const found = this.#parts?.rooms.get(room)
    if (found === undefined) throw new SottoError('refused', 'There is no such conversation.')
    return found
  }

  // ── the connection's life ──

  #beginHandshake(): void {
    this.#handshake = { mode: undefined, done: false, ms: 0, steps: [], transcript: '' }
    this.#set({ phase: 'handshake' })
  }

  #step(step: HandshakeStep): void {
    const before = this.#handshake
    if (before === undefined) return
    const steps = [...before.steps, step]
    this.#handshake = { ...before, steps, ms: step.at, transcript: step.transcript }
    this.#changed()
  }

  #handshakeDone(connection: Connection, transcript: Bytes): void {
    const before = this.#handshake
    if (before === undefined) return
    const { mode } = connection
    this.#handshake = { ...before, mode, done: true, transcript: hex(transcript) }
  }

  #ended(end: End, retryAt: number | undefined): void {
    if (end.why === 'tampered') this.#raise(tampered(end.text))
    if (end.why === 'refused' && end.text.includes('did not accept'))
      this.#raise(notAccepted(end.text))
    if (end.why === 'revoked') this.#endForGood()
    else if (end.why === 'replaced') this.#set({ phase: 'stopped', text: end.text })
    else this.#set({ phase: 'offline', text: end.text, retryAt })
  }

  /** Only an authenticated alert comes here. It holds over reloads: nothing is tried again. */
  #endForGood(): void {
    const { storage } = this.#profile
    storage.write(new Map([[REVOKED, true]])).catch((error) => this.#o.log?.(error))
    this.#raise(deviceRemoved(this.#profile.user))
    this.#set(REMOVED)
  }

  #keyChanged(seen: Bytes): void {
    this.#seen = seen
    const pinned = this.#parts?.trust.endpoint?.fingerprint ?? this.#o.pin
    const notice = endpointChanged(this.#o.host, pinned, seen)
    this.#raise(notice)
    this.#set({ phase: 'stopped', text: 'The endpoint shows another key than the one you know.' })
    if (this.#accepted === notice.seen)
      this.decide(notice.id, 'trust').catch((error) => this.#o.log?.(error))
  }

  #alarmed(alarms: News['alarms']): void {
    for (const pin of alarms) this.#raise(personChanged(pin))
  }
}
