import { type Bytes, hex } from '../protocol/bytes.ts'
import { SottoError, textOf } from '../protocol/errors.ts'
import type { Event, RoomInfo } from '../protocol/messages.ts'
import type { Limits } from './absence.ts'
import type { Clock } from './clock.ts'
import type { Connection } from './connection.ts'
import type { Keyring } from './keyring.ts'
import type { ConnectionState, Notice } from './model.ts'
import { clocksApart, personChanged, personRenamed, trouble } from './notice_texts.ts'
import type { News, People } from './people.ts'
import { Presence } from './presence.ts'
import type { Link } from './room_deps.ts'
import type { Rooms } from './rooms.ts'
import { RefusedError } from './rpc.ts'
import type { Trust } from './trust.ts'

/** The times at messages are off by so much at least when the person is told. */
const CLOCKS_APART_MS = 600_000
/** After a failure of the store, what could not be taken in is tried again. */
const AGAIN_MS = 5_000

export interface Passwords {
  readonly serverPassword?: string
  readonly accountPassword?: string
}

export interface SessionNeeds {
  readonly trust: Trust
  readonly people: People
  readonly rooms: Rooms
  readonly keyring: Keyring
  readonly clock: Clock
  /** The connection's state for the screen. */
  set(phase: ConnectionState): void
  raise(notice: Notice): void
  changed(): void
  log(error: unknown): void
}

/**
 * What happens over one connection after another: admission, the first look at everything, and
 * then whatever the endpoint says unasked.
 */
export class ChatSession {
  readonly #needs: SessionNeeds
  readonly #presence: Presence
  #connection: Connection | undefined
  #passwords: Passwords = {}
  #limits: Limits = { keepDays: 0, lobbyAbsence: 0 }
  #clocksTold = false
  /** What the endpoint says while its answer to `sync` is taken in: news about what stands there. */
  #held: Event[] | undefined
  /** Everything that was said so far in this session has been taken in. */
  #heard: Promise<void> = Promise.resolve()
  /** While the endpoint waits for passwords: what it waits for, and who waits here. */
  #admission: { readonly op: 'register' | 'login'; done(): void } | undefined

  constructor(needs: SessionNeeds) {
    this.#needs = needs
    const { clock, rooms, changed } = needs
    this.#presence = new Presence(clock, (line) => {
      rooms.lobby?.screen.announce(line)
      changed()
    })
  }

  /** Throws SottoError `unavailable` when there is none. */
  get connection(): Connection {
    if (this.#connection === undefined)
      throw new SottoError('unavailable', 'You are not connected. Try again when you are.')
    return this.#connection
  }

  /** Resolves when the connection is over. */
  async run(connection: Connection): Promise<void> {
    const { people, rooms, log, raise } = this.#needs
    this.#connection = connection
    this.#heard = Promise.resolve()
    try {
      await this.#admit(connection)
      await this.#sync(connection)
    } catch (error) {
      // The connection ended meanwhile, or the store failed: then there is no use in it.
      if (!isClosed(error)) {
        log(error)
        raise(trouble(textOf(error)))
        await connection.close()
      }
    }
    await connection.ended
    this.#connection = undefined
    this.#admission = undefined
    this.#held = undefined
    this.#presence.end()
    people.offline()
    rooms.offline()
  }

  /** Answers the endpoint's wish for passwords. They are kept in memory for the next time. */
  async admit(passwords: Passwords): Promise<void> {
    const admission = this.#admission
    if (admission === undefined) throw new SottoError('refused', 'Nothing was asked.')
    await this.connection.ask({ op: admission.op, ...passwords })
    this.#passwords = passwords
    admission.done()
  }

  /** Sets, changes or (null) removes the account's password. */
  async setPassword(next: string | null, current?: string): Promise<void> {
    await this.connection.ask({ op: 'set_password', next, ...(current && { current }) })
    const { accountPassword: _, ...others } = this.#passwords
    this.#passwords = next === null ? others : { ...others, accountPassword: next }
  }

  /** A room is new, or something about it has changed. */
  async tellRoom(info: RoomInfo): Promise<void> {
    const { rooms, people } = this.#needs
    const connection = this.#connection
    if (connection === undefined) return
    await this.#told(await people.update(info.members))
    await rooms.tell(this.#linkOver(connection), info, () => this.#connection === connection)
  }

  /** Registers or logs in with what is known already, and else asks the person. */
  async #admit(connection: Connection): Promise<void> {
    const { status } = connection.params
    if (status === 'ok') return
    const op = status === 'register' ? 'register' : 'login'
    const known = Object.keys(this.#passwords).length > 0
    let text = 'Your name has a password on this server.'
    try {
      if (op === 'register' || known) {
        await connection.ask({ op, ...this.#passwords })
        return
      }
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      // Nobody has typed anything yet that could be wrong.
      const asks = error.refusal.error === 'denied' && error.refusal.retryAfter !== undefined
      text = asks && !known ? 'This server asks newcomers for its password.' : error.message
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#admission = { op, done: resolve }
    this.#needs.set({ phase: 'admission', needs: op, text })
    await Promise.race([promise, connection.ended.then(closed)])
    this.#admission = undefined
  }

  async #sync(connection: Connection): Promise<void> {
    const { people, rooms, trust, keyring, clock, set } = this.#needs
    await keyring.renew()
    const reply = await connection.ask({ op: 'sync' })
    const held: Event[] = []
    this.#held = held
    this.#limits = reply
    this.#compareClocks(reply.time)
    await this.#told(await people.replace(reply.people))
    this.#presence.begin(people.online)
    rooms.keep(new Set([...reply.rooms, ...reply.stopped].map(({ room }) => hex(room))))
    for (const { room, text } of reply.stopped) rooms.stopped(hex(room), text)
    for (const info of reply.rooms) await this.tellRoom(info)
    this.#held = undefined
    for (const event of held) this.event(event)
    set({ phase: 'online', resumed: connection.mode === 'resumed', since: clock.now() })
    void keyring.restock(this.#linkOver(connection), hostKey(trust), reply.stock, reply.lastResort)
  }

  /** Takes what the endpoint says unasked, one thing after the other. */
  event(event: Event): void {
    const connection = this.#connection
    if (this.#held !== undefined) this.#held.push(event)
    else if (connection !== undefined)
      this.#heard = this.#heard.then(() => this.#hear(event, connection))
  }

  /** What the store has failed for is tried again: it is said once, and would be missed for good. */
  async #hear(event: Event, connection: Connection): Promise<void> {
    const { clock, log } = this.#needs
    while (this.#connection === connection)
      try {
        return await this.#take(event)
      } catch (error) {
        if (isClosed(error)) return
        log(error)
        if (!(error instanceof SottoError && error.code === 'unavailable')) return
        await new Promise<void>((resolve) => clock.after(AGAIN_MS, resolve))
      }
  }

  async #take(event: Event): Promise<void> {
    const { rooms, people, trust, keyring, raise } = this.#needs
    switch (event.ev) {
      case 'people':
        return this.#told(await people.update(event.people))
      case 'head':
        return rooms.get(hex(event.head.room))?.heads(event.head)
      case 'room':
        return this.tellRoom(event.room)
      case 'room_gone':
        return rooms.get(hex(event.room))?.end()
      case 'reconcile':
        return rooms.get(hex(event.room))?.reconcile(event.add, event.remove)
      case 'stock':
        void keyring.restock(this.#linkOver(this.connection), hostKey(trust), event.stock, true)
        return
      case 'notice':
        return raise(trouble(event.text, `endpoint-${event.code}`))
      case 'cast_secret':
        return // the connection has learnt it
    }
  }

  #linkOver(session: Connection): Link {
    return { ask: (ask) => session.ask(ask), limits: this.#limits, session }
  }

  /** Tells the person once that the clocks differ by so much that it matters. */
  #compareClocks(time: number): void {
    const ahead = this.#needs.clock.now() - time
    if (Math.abs(ahead) < CLOCKS_APART_MS || this.#clocksTold) return
    this.#clocksTold = true
    this.#needs.raise(clocksApart(ahead))
  }

  async #told({ came, went, alarms, renamed }: News): Promise<void> {
    const { raise, changed } = this.#needs
    for (const { user, isNew } of came) this.#presence.came(user, isNew)
    for (const user of went) this.#presence.went(user)
    for (const pin of alarms) raise(personChanged(pin))
    for (const names of renamed) raise(personRenamed(names))
    changed()
  }
}

/**
 * SHA-256 of the endpoint's SPKI: known as soon as a first handshake has come through, and nothing
 * asks for it before.
 */
export function hostKey(trust: Trust): Bytes {
  if (trust.endpoint === undefined)
    throw new SottoError('unavailable', 'The server is not known yet.')
  return trust.endpoint.fingerprint
}

function isClosed(error: unknown): boolean {
  return error instanceof SottoError && error.code === 'closed'
}

function closed(): never {
  throw new SottoError('closed', 'The connection ended.')
}
