import { type Bytes, hex } from '../../web/protocol/bytes.ts'
import {
  CAST_LIFE_MS,
  CAST_MLS_MOST,
  CAST_SECRET_LENGTH,
  type CastEntry,
  CastSealer,
} from '../../web/protocol/cast.ts'
import type { Head } from '../../web/protocol/messages.ts'
import type { Primitives, SigningPair } from '../../web/protocol/primitives.ts'
import type { Outcome, Peer } from './peer.ts'
import { tellAll } from './presence.ts'
import type { Topics } from './topics.ts'

/** Heads are said once per so long in a room with traffic, and later the more must hear them. */
const HEAD_MS = 1_000
const HEAD_PER_SUBSCRIBER_MS = 0.5
/** After somebody joined, a new secret is told at most so often: an addition takes nothing away. */
const ADDITION_MS = 1_000
const ADDITION_PER_SUBSCRIBER_MS = 2

export interface CastingNeeds {
  readonly primitives: Primitives
  readonly logKey: Pick<SigningPair, 'sign'>
  readonly topics: Topics
  /** The head of the room's log, as it is on disk. Throws SottoError `unavailable`. */
  head(room: Bytes): Head
  /** A cast or a head could not be said: members fetch what they miss. */
  failed(error: unknown): void
  /** Milliseconds of a monotonic clock. */
  now(): number
}

/** Why a new cast secret is due: a removal must never wait, an addition may for a moment. */
export type Change = 'removed' | 'added'

/** Casts of all rooms that somebody is subscribed to (PROTOCOL.md, "Cast"). */
export class Casting {
  readonly #needs: CastingNeeds
  readonly #rooms = new Map<string, RoomCast>()
  /** The rooms of each peer, to leave them with it. */
  readonly #of = new Map<Peer, readonly RoomCast[]>()

  constructor(needs: CastingNeeds) {
    this.#needs = needs
  }

  subscribe(room: Bytes, peer: Peer): Outcome<'subscribe'> {
    const id = hex(room)
    let cast = this.#rooms.get(id)
    if (cast === undefined) {
      cast = new RoomCast(room, this.#needs)
      this.#rooms.set(id, cast)
    }
    const rooms = this.#of.get(peer) ?? []
    if (!rooms.includes(cast)) this.#of.set(peer, rooms.concat(cast))
    return cast.subscribe(peer)
  }

  unsubscribe(room: Bytes, peer: Peer): void {
    const cast = this.#rooms.get(hex(room))
    if (cast !== undefined) this.#leave(cast, peer)
  }

  gone(peer: Peer): void {
    for (const cast of this.#of.get(peer) ?? []) this.#leave(cast, peer)
  }

  /** An entry is on disk: it goes out to all subscribers, in the order of the calls. */
  publish(entry: CastEntry): void {
    this.#rooms.get(hex(entry.room))?.publish(entry)
  }

  /** An entry may be on disk that subscribers have not heard of: they are told the head. */
  remind(room: Bytes): void {
    this.#rooms.get(hex(room))?.remind()
  }

  /** The room's members or devices changed. */
  changed(room: Bytes, change: Change): void {
    this.#rooms.get(hex(room))?.changed(change)
  }

  /** Says the heads that are still due. */
  async close(): Promise<void> {
    await Promise.all([...this.#rooms.values()].map((cast) => cast.close()))
  }

  #leave(cast: RoomCast, peer: Peer): void {
    const others = this.#of.get(peer)?.filter((one) => one !== cast) ?? []
    if (others.length > 0) this.#of.set(peer, others)
    else this.#of.delete(peer)
    cast.unsubscribe(peer)
    if (!cast.idle) return
    cast.drop()
    if (this.#rooms.get(hex(cast.room)) === cast) this.#rooms.delete(hex(cast.room))
  }
}

class RoomCast {
  readonly room: Bytes
  readonly #needs: CastingNeeds
  readonly #topic: number
  /** Who asked for casts. */
  readonly #asked = new Set<Peer>()
  /** Who of them was told the secret, and whether casts go there already. */
  readonly #subscribers = new Map<Peer, boolean>()
  #secret: Bytes
  #sealer: CastSealer
  #since: number
  #due: Change | undefined
  #tail: Promise<void> = Promise.resolve()
  #headTimer: NodeJS.Timeout | undefined

  constructor(room: Bytes, needs: CastingNeeds) {
    this.room = room
    this.#needs = needs
    this.#topic = needs.topics.create()
    this.#secret = needs.primitives.random(CAST_SECRET_LENGTH)
    this.#sealer = new CastSealer(needs.primitives, this.#secret, needs.logKey)
    this.#since = needs.now()
  }

  get idle(): boolean {
    return this.#asked.size === 0
  }

  /**
   * The secret and the head are those of the moment in which the reply is sealed. What is cast
   * between that and the subscription would be missed, so the head is said again if it moved.
   */
  subscribe(peer: Peer): Outcome<'subscribe'> {
    this.#asked.add(peer)
    let told: Head | undefined
    return {
      reply: () => {
        if (this.#asked.has(peer) && !this.#subscribers.has(peer))
          this.#subscribers.set(peer, false)
        told = this.#needs.head(this.room)
        return { castSecret: this.#secret, head: told }
      },
      sent: () => {
        if (this.#subscribers.get(peer) !== false) return
        this.#subscribers.set(peer, true)
        this.#needs.topics.subscribe(this.#topic, peer.wire)
        const head = this.#needs.head(this.room)
        if (told !== undefined && head.seq !== told.seq) void peer.tell({ ev: 'head', head })
      },
    }
  }

  unsubscribe(peer: Peer): void {
    if (this.#subscribers.get(peer)) this.#needs.topics.unsubscribe(this.#topic, peer.wire)
    this.#subscribers.delete(peer)
    this.#asked.delete(peer)
  }

  drop(): void {
    clearTimeout(this.#headTimer)
    this.#needs.topics.drop(this.#topic)
  }

  changed(change: Change): void {
    if (this.#due !== 'removed') this.#due = change
  }

  publish(entry: CastEntry): void {
    this.#tail = this.#tail.then(() => this.#publish(entry)).catch(this.#needs.failed)
  }

  remind(): void {
    const wait = Math.max(HEAD_MS, this.#subscribers.size * HEAD_PER_SUBSCRIBER_MS)
    this.#headTimer ??= setTimeout(() => void this.#sayHead(), wait).unref()
  }

  async close(): Promise<void> {
    await this.#tail
    if (this.#headTimer !== undefined) await this.#sayHead()
  }

  async #publish(entry: CastEntry): Promise<void> {
    if (this.#subscribers.size === 0) return
    if (entry.mls.length > CAST_MLS_MOST) {
      await this.#sayHead()
      return
    }
    if (this.#rotationDue()) await this.#rotate()
    this.#needs.topics.publish(this.#topic, await this.#sealer.seal(entry))
    this.remind()
  }

  #rotationDue(): boolean {
    const age = this.#needs.now() - this.#since
    if (this.#due === 'removed' || this.#sealer.spent || age >= CAST_LIFE_MS) return true
    if (this.#due === undefined) return false
    return age >= Math.max(ADDITION_MS, this.#subscribers.size * ADDITION_PER_SUBSCRIBER_MS)
  }

  /** Resolves when every subscriber has been told: the new secret is used only then. */
  async #rotate(): Promise<void> {
    this.#due = undefined
    this.#since = this.#needs.now()
    this.#secret = this.#needs.primitives.random(CAST_SECRET_LENGTH)
    this.#sealer = new CastSealer(this.#needs.primitives, this.#secret, this.#needs.logKey)
    const event = { ev: 'cast_secret', room: this.room, castSecret: this.#secret } as const
    await tellAll(this.#subscribers.keys(), event)
  }

  async #sayHead(): Promise<void> {
    clearTimeout(this.#headTimer)
    this.#headTimer = undefined
    try {
      const head = this.#needs.head(this.room)
      await tellAll(this.#subscribers.keys(), { ev: 'head', head })
    } catch (error) {
      this.#needs.failed(error)
    }
  }
}
