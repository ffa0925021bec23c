/** A chat that does what a test tells it, behind the interfaces that the page's elements know. */

import type {
  ChatModel,
  ChatState,
  DeviceView,
  HandshakeStep,
  MessageId,
  MessageView,
  Notice,
  PersonView,
  Reader,
  RoomId,
  RoomView,
  SearchHit,
  SearchOptions,
  SearchPage,
  TimelineItem,
} from '../../web/chat/model.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import type {
  Door,
  Entered,
  IdentityKeeper,
  KeyFile,
  Locked,
  Making,
  ProfileView,
} from '../../web/ui/door.ts'

/** A fixed afternoon, so that pictures are the same every time. */
export const NOON = new Date(2026, 4, 14, 14, 3).getTime()

export const LOBBY = '00'.repeat(16) as RoomId

/** 64 hex digits that look like a hash and depend on the text alone. */
export function digits(text: string): string {
  let value = 0x9e3779b9
  for (const char of text) value = Math.imul(value ^ char.charCodeAt(0), 0x85ebca6b)
  let out = ''
  for (let i = 0; out.length < 64; i++) {
    value = Math.imul(value ^ i, 0x85ebca6b)
    value ^= value >>> 13
    out += (value >>> 0).toString(16).padStart(8, '0')
  }
  return out.slice(0, 64)
}

export function reader(user: string, me = false, trust: Reader['trust'] = 'pinned'): Reader {
  return { user, fingerprint: digits(user), devices: 1, me, trust }
}

export function person(user: string, online = true, me = false): PersonView {
  return { user, fingerprint: digits(user), online, me, trust: 'pinned', room: undefined }
}

export function room(id: RoomId, title: string, readers: readonly Reader[]): RoomView {
  return {
    room: id,
    kind: id === LOBBY ? 'lobby' : 'private',
    title,
    readers,
    phase: 'ready',
    text: '',
    unread: 0,
    lastActivity: 0,
    length: 0,
    keepsHistory: true,
    crypto:
      'MLS, X-Wing (X25519 with ML-KEM-768), AES-256-GCM, Ed25519; all by this browser itself',
  }
}

/** What `openPrivate` makes of a name, after so many that are over. */
export function privateRoom(user: string, ended = 0): RoomId {
  return digits(`room ${user}${ended || ''}`).slice(0, 32) as RoomId
}

export class ScriptedChat extends EventTarget implements ChatModel {
  state: ChatState
  /** Everything the page asked for, in order, as words. */
  readonly asked: string[] = []
  /** What the next request fails with, if anything. */
  failure: Error | undefined
  /** Whether `timeline` answers with a promise, as when a segment has to be read. */
  slow = false
  readonly drafts = new Map<RoomId, string>()
  owned: readonly DeviceView[] = [
    { device: '11'.repeat(16), me: true, online: true, lastSeen: NOON },
    { device: 'ab'.repeat(16), me: false, online: false, lastSeen: NOON - 86_400_000 },
  ]
  readonly #items = new Map<RoomId, TimelineItem[]>()
  #count = 0

  constructor(user = 'alice', others: readonly string[] = ['bob', 'carol']) {
    super()
    const readers = [reader(user, true), ...others.map((other) => reader(other))]
    this.state = {
      me: { user, fingerprint: digits(user), device: '11'.repeat(16), backedUp: false },
      connection: { phase: 'online', resumed: false, since: NOON },
      rooms: [room(LOBBY, 'Lobby', readers)],
      people: [person(user, true, true), ...others.map((other) => person(other))],
      notices: [],
      handshake: undefined,
    }
  }

  /** Sets parts of the state and tells the page. */
  set(change: Partial<ChatState>): void {
    this.state = { ...this.state, ...change }
    this.dispatchEvent(new Event('change'))
  }

  setRoom(id: RoomId, change: Partial<RoomView>): void {
    const rooms = this.state.rooms.map((one) => (one.room === id ? { ...one, ...change } : one))
    this.set({ rooms })
  }

  notify(notice: Partial<Notice>): void {
    const whole: Notice = {
      id: `notice ${this.#count++}`,
      kind: 'warning',
      title: '',
      seen: '',
      advice: '',
      blocking: false,
      choices: [],
      ...notice,
    }
    this.set({ notices: [whole, ...this.state.notices] })
  }

  /** Appends items to a room and tells the page once. */
  put(id: RoomId, ...items: readonly TimelineItem[]): void {
    const all = [...(this.#items.get(id) ?? []), ...items]
    this.#items.set(id, all)
    this.setRoom(id, { length: all.length, lastActivity: all.at(-1)?.at ?? 0 })
  }

  /** Empties a room without a word to the page. */
  clear(id: RoomId): void {
    this.#items.delete(id)
  }

  /** Somebody says something. */
  hear(id: RoomId, from: string, text: string, at = NOON): void {
    const unread = (this.state.rooms.find((one) => one.room === id)?.unread ?? 0) + 1
    this.setRoom(id, { unread })
    this.put(id, this.message({ from, text, at }))
  }

  message(part: Partial<MessageView>): MessageView {
    const id = (this.#count++).toString(16).padStart(32, '0') as MessageId
    const mine = part.from === this.state.me.user
    const state = mine ? 'sent' : 'received'
    return { kind: 'text', id, from: '', mine, text: '', at: NOON, state, reason: '', ...part }
  }

  /** Changes one message, as when it has been acknowledged. */
  change(id: RoomId, message: MessageId, change: Partial<MessageView>): void {
    const items = (this.#items.get(id) ?? []).map((item) =>
      item.kind === 'text' && item.id === message ? { ...item, ...change } : item,
    )
    this.#items.set(id, items)
    this.setRoom(id, {})
  }

  timeline(
    id: RoomId,
    from: number,
    to: number,
  ): readonly TimelineItem[] | Promise<readonly TimelineItem[]> {
    const items = (this.#items.get(id) ?? []).slice(from, to)
    return this.slow ? Promise.resolve(items) : items
  }

  async send(id: RoomId, text: string): Promise<MessageId> {
    this.#ask(`send ${text}`)
    const message = this.message({ from: this.state.me.user, text, state: 'sending' })
    this.put(id, message)
    return message.id
  }

  async retry(_room: RoomId, id: MessageId): Promise<void> {
    this.#ask(`retry ${id}`)
  }

  async discard(_room: RoomId, id: MessageId): Promise<void> {
    this.#ask(`discard ${id}`)
  }

  async openPrivate(user: string): Promise<RoomId> {
    this.#ask(`private ${user}`)
    const before = this.state.rooms.filter((one) => one.title === user)
    if (before.some(({ phase }) => phase !== 'gone')) return privateRoom(user, before.length - 1)
    const id = privateRoom(user, before.length)
    const readers = [reader(this.state.me.user, true), reader(user)]
    this.set({ rooms: [...this.state.rooms, room(id, user, readers)] })
    return id
  }

  async leave(id: RoomId): Promise<void> {
    this.#ask('end conversation')
    this.over(id)
  }

  async remove(id: RoomId): Promise<void> {
    this.#ask('remove conversation')
    this.clear(id)
    this.drafts.delete(id)
    this.set({ rooms: this.state.rooms.filter((one) => one.room !== id) })
  }

  /** One of the two has ended a private conversation. */
  over(id: RoomId): void {
    this.setRoom(id, { phase: 'gone', text: 'This conversation is over: it can only be read.' })
  }

  markRead(id: RoomId): void {
    if (this.state.rooms.some((one) => one.room === id && one.unread > 0))
      this.setRoom(id, { unread: 0 })
  }

  connect(): void {
    this.#ask('connect')
    this.set({ connection: { phase: 'online', resumed: true, since: NOON } })
  }

  async disconnect(): Promise<void> {
    this.#ask('disconnect')
    this.set({ connection: { phase: 'offline', text: 'you have left', retryAt: undefined } })
  }

  async admit(passwords: { serverPassword?: string; accountPassword?: string }): Promise<void> {
    this.#ask(`admit ${JSON.stringify(passwords)}`)
  }

  draft(id: RoomId): string {
    return this.drafts.get(id) ?? ''
  }

  setDraft(id: RoomId, text: string): void {
    this.drafts.set(id, text)
  }

  async devices(): Promise<readonly DeviceView[]> {
    return this.owned
  }

  async removeDevice(device: string): Promise<void> {
    this.#ask(`remove device ${device}`)
    this.owned = this.owned.filter((one) => one.device !== device)
  }

  async setPassword(next: string | null, current?: string): Promise<void> {
    this.#ask(`password ${next}${current === undefined ? '' : ` instead of ${current}`}`)
  }

  async verifyPerson(user: string, verified: boolean): Promise<void> {
    this.#ask(`${verified ? 'verify' : 'doubt'} ${user}`)
    for (const { room, readers } of this.state.rooms)
      this.setRoom(room, {
        readers: readers.map((one) =>
          one.user === user ? { ...one, trust: verified ? 'verified' : 'pinned' } : one,
        ),
      })
  }

  /** Finds what holds the query as it stands. */
  async search(query: string, options: SearchOptions = {}): Promise<SearchPage> {
    this.#ask(`search ${query}`)
    const hits: SearchHit[] = []
    for (const { room, length } of this.state.rooms)
      for (const [place, item] of (await this.timeline(room, 0, length)).entries()) {
        if (item.kind !== 'text' || !item.text.includes(query)) continue
        const { id, from, mine, at, text } = item
        const first = text.indexOf(query)
        const ranges = [[first, first + query.length]] as const
        hits.push({ room, place, id, from, mine, at, snippet: text, ranges })
      }
    return { hits: hits.toReversed().slice(0, options.limit), more: undefined }
  }

  async setHistory(id: RoomId, keep: boolean): Promise<void> {
    this.#ask(`history ${keep ? 'on' : 'off'}`)
    this.setRoom(id, { keepsHistory: keep })
  }

  async wipeHistory(id: RoomId | 'all'): Promise<void> {
    this.#ask(`wipe ${id}`)
    for (const { room } of this.state.rooms)
      if (id === 'all' || id === room) {
        this.clear(room)
        this.setRoom(room, { length: 0 })
      }
  }

  dismiss(notice: string): void {
    this.#ask(`dismiss ${notice}`)
    this.set({ notices: this.state.notices.filter(({ id }) => id !== notice) })
  }

  async decide(notice: string, choice: string): Promise<void> {
    this.#ask(`decide ${choice}`)
    this.set({ notices: this.state.notices.filter(({ id }) => id !== notice) })
  }

  #ask(words: string): void {
    this.asked.push(words)
    const { failure } = this
    this.failure = undefined
    if (failure) throw failure
  }
}

/** A browser that does what a test tells it. */
export class ScriptedDoor implements Door {
  readonly chat: ScriptedChat
  readonly asked: string[] = []
  known: ProfileView[] = []
  resumes = false
  /** Why nobody can chat from here. */
  lacks = ''
  problem = ''
  failure: Error | undefined
  /** Of the app lock, when there is one. */
  passphrase: string | undefined
  readonly #lost = Promise.withResolvers<void>()

  constructor(chat = new ScriptedChat()) {
    this.chat = chat
  }

  /** Another tab takes the person over. */
  lose(): void {
    this.#lost.resolve()
  }

  async unable(): Promise<string> {
    return this.lacks
  }

  async resume(): Promise<Entered | Locked | undefined> {
    if (this.resumes && this.passphrase !== undefined) return this.#locked('a')
    return this.resumes ? this.#entered() : undefined
  }

  async profiles(): Promise<readonly ProfileView[]> {
    return this.known
  }

  nameProblem(): string {
    return this.problem
  }

  async readKey(pem: string, passphrase: string): Promise<KeyFile> {
    this.asked.push(`read key, passphrase ${passphrase}`)
    if (this.failure) throw this.failure
    return { fingerprint: digits(pem) }
  }

  async start(
    name: string,
    key: KeyFile | undefined,
    progress: (step: Making) => void,
  ): Promise<Entered> {
    progress('key')
    this.asked.push(`start ${name}${key ? ` with ${key.fingerprint}` : ''}`)
    if (this.failure) throw this.failure
    // Whose key came from a file has it in a file.
    if (key) this.chat.set({ me: { ...this.chat.state.me, backedUp: true } })
    return this.#entered(key)
  }

  async enter(profile: string, takeOver: boolean, passphrase?: string): Promise<Entered | Locked> {
    const how = takeOver ? ' by taking over' : ''
    this.asked.push(
      `enter ${profile}${how}${passphrase === undefined ? '' : ` with ${passphrase}`}`,
    )
    if (this.failure) throw this.failure
    if (this.passphrase !== undefined && passphrase === undefined) return this.#locked(profile)
    if (passphrase !== this.passphrase)
      throw new SottoError('bad_passphrase', 'The passphrase is wrong.')
    return this.#entered()
  }

  async forget(profile: string): Promise<void> {
    this.asked.push(`forget ${profile}`)
    this.known = this.known.filter(({ id }) => id !== profile)
  }

  #locked(profile: string): Locked {
    const { user } = this.chat.state.me
    return { profile, user, cancel: () => void this.asked.push('cancel') }
  }

  #entered(key: KeyFile = { fingerprint: this.chat.state.me.fingerprint }): Entered {
    const { chat, asked } = this
    const keeper: IdentityKeeper = {
      persistent: true,
      async publicPem() {
        return '-----BEGIN PUBLIC KEY-----\nTUlJQm9qQU5CZ2s=\n-----END PUBLIC KEY-----\n'
      },
      async exportPem(passphrase) {
        asked.push(`export ${passphrase}`)
        chat.set({ me: { ...chat.state.me, backedUp: true } })
        return '-----BEGIN ENCRYPTED PRIVATE KEY-----\nTUlJ\n-----END ENCRYPTED PRIVATE KEY-----\n'
      },
      async destroy() {
        asked.push('destroy')
      },
    }
    const door = this
    return {
      model: chat,
      keeper,
      key,
      lock: {
        get isSet() {
          return door.passphrase !== undefined
        },
        async set(passphrase) {
          door.passphrase = passphrase
        },
        async change(current, next) {
          if (current !== door.passphrase)
            throw new SottoError('bad_passphrase', 'The passphrase is wrong.')
          door.passphrase = next
        },
        async remove(passphrase) {
          if (passphrase !== door.passphrase)
            throw new SottoError('bad_passphrase', 'The passphrase is wrong.')
          door.passphrase = undefined
        },
      },
      lost: this.#lost.promise,
      async leave() {
        asked.push('leave')
      },
      async lockNow() {
        asked.push('lock now')
      },
    }
  }
}

/** A full handshake as the protocol tells it. */
export const HANDSHAKE_STEPS: readonly HandshakeStep[] = (
  [
    [
      'own',
      'X25519 key pair',
      'A fresh key pair for this connection only: it makes the connection unreadable later, even to somebody who steals every long-term key.',
      0,
      0.6,
      [['share', 'client share', 32]],
    ],
    [
      'out',
      'M1 ClientHello',
      'Offers suite and group and sends fresh randomness, so that no old conversation can be played again.',
      91,
      1.1,
      [
        ['suites', 'AES-256-GCM, SHA-256, RSA-OAEP, RSA-PSS', 2],
        ['client_random', 'random c', 32],
        ['share', 'client share', 32],
      ],
    ],
    [
      'in',
      'M2 ServerHello',
      'The endpoint’s fresh share. Its RSA key comes sealed, and it is the one that this page has pinned.',
      632,
      5.8,
      [
        ['server_random', 'random s', 32],
        ['share', 'server share', 32],
        ['fingerprint', 'endpoint', 32],
      ],
    ],
    [
      'own',
      'Key agreed',
      'Both sides have the same X25519 secret; nobody who only listens can compute it.',
      0,
      6.9,
      [],
    ],
    [
      'out',
      'M3 ClientAuth',
      'Only the owner of the pinned endpoint key can open this; inside, your RSA-PSS signature over everything so far proves who you are.',
      1970,
      12.4,
      [
        ['identity', 'alice', 32],
        ['signature', 'sealed', 384],
      ],
    ],
    [
      'in',
      'M4 ServerFinished',
      'The endpoint has opened the sealed secret, so it owns its key, and has seen exactly the same messages.',
      196,
      18.3,
      [['session_id', 'session', 16]],
    ],
  ] as const
).map(([direction, name, proves, bytes, at, fields]) => ({
  direction,
  name,
  proves,
  bytes,
  at,
  transcript: direction === 'own' ? '' : digits(name),
  fields: fields.map(([field, value, size]) => ({
    name: field,
    value: size === 32 ? digits(value) : value,
    bytes: size,
  })),
}))
