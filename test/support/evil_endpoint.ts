/**
 * An endpoint that lies. It is the real one, with a layer between its service and the sessions:
 * everyone is shown the true log as `show` changes it for them, with sequence numbers and chain
 * computed anew, so that each view is perfect in itself. Every switch can be turned at any time.
 *
 *     const evil = new Evil()
 *     const endpoint = await startEndpoint(options, evil.build)
 *     evil.show = (viewer, log) => (viewer === 'bob' ? log.slice(0, -1) : log)
 */
import { nextChain } from '../../relay/endpoint/log_chain.ts'
import type { Outcome, Peer, Service } from '../../relay/endpoint/peer.ts'
import { type BuildService, buildService, type ServiceNeeds } from '../../relay/endpoint/service.ts'
import type { Store } from '../../relay/endpoint/store.ts'
import { Topics } from '../../relay/endpoint/topics.ts'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { equal, hex } from '../../web/protocol/bytes.ts'
import { firstChain } from '../../web/protocol/cast.ts'
import type {
  Event,
  Head,
  Op,
  PersonInfo,
  Reply,
  Request,
  RoomInfo,
} from '../../web/protocol/messages.ts'

/** One entry of the true log. */
export interface Shown {
  readonly mls: Bytes
}

interface Placed extends Shown {
  readonly seq: number
  readonly chain: Bytes
}

const WHOLE_LOG = 1_000
const NO_LIMIT = 2 ** 30

export class Evil {
  /** The log of `room` (hex) as `viewer` is to see it. Undefined: everyone sees the truth. */
  show: ((viewer: string, log: readonly Shown[], room: string) => readonly Shown[]) | undefined
  /** A person as `viewer` is told of them: another key, another name. */
  person: ((viewer: string, person: PersonInfo) => PersonInfo) | undefined
  /** Key packages that `viewer` asked for. */
  keyPackages:
    | ((
        viewer: string,
        user: string,
        reply: Reply<'take_key_packages'>,
      ) => Reply<'take_key_packages'>)
    | undefined
  /** Requests that are neither carried out nor answered. */
  swallow: ((viewer: string, request: Request) => boolean) | undefined
  /** Any reply, after everything else. */
  reply: ((viewer: string, op: Op, reply: Reply<Op>) => Reply<Op>) | undefined
  /** Any event, after everything else; undefined keeps it back. */
  event: ((viewer: string, event: Event) => Event | undefined) | undefined
  /** Casts are kept back (they always are while `show` is set). */
  noCasts = false
  /** Heads are kept back. */
  noHeads = false

  #store: Store | undefined
  readonly #peers = new Map<Peer, Peer>()
  readonly #first = new Map<string, Bytes>()

  /** For `startEndpoint`: the real service, behind this liar. */
  readonly build: BuildService = (needs: ServiceNeeds): Service => {
    this.#store = needs.store
    const inner = buildService({ ...needs, topics: new SilencedTopics(this) })
    return {
      entered: (peer) => inner.entered(this.#behind(peer)),
      gone: (peer) => {
        inner.gone(this.#behind(peer))
        this.#peers.delete(peer)
      },
      handle: (peer, request) => this.#handle(inner, peer, request),
      close: () => inner.close(),
    }
  }

  /** Says to everyone where the room's log ends in their view, as casts would have. */
  async announce(room: Bytes): Promise<void> {
    for (const peer of this.#peers.keys()) {
      const head = await this.#head(peer.user, room)
      if (!this.noHeads) void peer.tell({ ev: 'head', head })
    }
  }

  // ── towards the service, every peer is one that is lied to ──

  #behind(peer: Peer): Peer {
    const known = this.#peers.get(peer)
    if (known !== undefined) return known
    const { user, skeleton, device, key, wire } = peer
    const lied: Peer = {
      ...{ user, skeleton, device, key, wire },
      tell: async (event) => {
        const twisted = await this.#event(user, event)
        if (twisted !== undefined) await peer.tell(twisted)
      },
      end: (alert) => peer.end(alert),
    }
    this.#peers.set(peer, lied)
    return lied
  }

  async #handle(inner: Service, peer: Peer, request: Request): Promise<Outcome> {
    const viewer = peer.user
    if (this.swallow?.(viewer, request)) return new Promise(() => undefined)
    const outcome = await inner.handle(this.#behind(peer), request)
    const told = typeof outcome.reply === 'function' ? outcome.reply() : outcome.reply
    const twisted = await this.#reply(viewer, request, told)
    const reply = this.reply?.(viewer, request.op, twisted) ?? twisted
    const done = (): void => {
      outcome.done?.()
      if (request.op === 'send' && this.show !== undefined) void this.announce(request.room)
    }
    return { ...outcome, reply, done }
  }

  async #reply(viewer: string, request: Request, reply: Reply<Op>): Promise<Reply<Op>> {
    switch (request.op) {
      case 'sync': {
        const { rooms, people, ...rest } = reply as Reply<'sync'>
        return {
          ...rest,
          rooms: await this.#rooms(viewer, rooms),
          people: this.#people(viewer, people),
        }
      }
      case 'open_private': {
        const { room } = reply as Reply<'open_private'>
        return { room: await this.#room(viewer, room) }
      }
      case 'subscribe':
        return { ...(reply as Reply<'subscribe'>), head: await this.#head(viewer, request.room) }
      case 'group_info':
        return { ...(reply as Reply<'group_info'>), head: await this.#head(viewer, request.room) }
      case 'fetch': {
        const log = await this.log(viewer, request.room)
        const entries = log.filter(({ seq }) => seq > request.after).slice(0, request.most)
        return { entries, head: await this.#head(viewer, request.room), oldest: 1 }
      }
      case 'send': {
        const log = await this.log(viewer, request.room)
        const own = log.findLast(({ mls }) => equal(mls, request.mls))
        return own === undefined ? reply : { seq: own.seq, chain: own.chain }
      }
      case 'welcome': {
        const { welcome } = reply as Reply<'welcome'>
        return {
          welcome: welcome && {
            ...welcome,
            ...(await this.#placeOf(viewer, request.room, welcome.seq)),
          },
        }
      }
      case 'take_key_packages': {
        const packages = reply as Reply<'take_key_packages'>
        return this.keyPackages?.(viewer, request.user, packages) ?? packages
      }
      default:
        return reply
    }
  }

  async #event(viewer: string, event: Event): Promise<Event | undefined> {
    const twisted = await this.#twist(viewer, event)
    if (twisted === undefined) return undefined
    return this.event === undefined ? twisted : this.event(viewer, twisted)
  }

  async #twist(viewer: string, event: Event): Promise<Event | undefined> {
    if (event.ev === 'head')
      return this.noHeads
        ? undefined
        : { ev: 'head', head: await this.#head(viewer, event.head.room) }
    if (event.ev === 'room') return { ev: 'room', room: await this.#room(viewer, event.room) }
    if (event.ev === 'people') return { ev: 'people', people: this.#people(viewer, event.people) }
    return event
  }

  // ── what the liar shows ──

  /** The log as this viewer is shown it. */
  async log(viewer: string, room: Bytes): Promise<Placed[]> {
    const truth = this.#store?.entries(room, 0, WHOLE_LOG, NO_LIMIT) ?? []
    if (this.show === undefined) return [...truth]
    const shown = this.show(viewer, truth, hex(room))
    let chain = await this.#firstChain(room)
    return shown.map(({ mls }, i) => {
      chain = nextChain(chain, i + 1, mls)
      return { seq: i + 1, chain, mls }
    })
  }

  async #head(viewer: string, room: Bytes): Promise<Head> {
    const last = (await this.log(viewer, room)).at(-1)
    const chain = last?.chain ?? (await this.#firstChain(room))
    return { room, seq: last?.seq ?? 0, chain }
  }

  /** Where the true log's entry `seq` stands in the viewer's. */
  async #placeOf(viewer: string, room: Bytes, seq: number): Promise<{ seq: number; chain: Bytes }> {
    const [entry] = this.#store?.entries(room, seq - 1, 1, NO_LIMIT) ?? []
    const log = await this.log(viewer, room)
    const place = (entry && log.find(({ mls }) => equal(mls, entry.mls))) ?? entry
    if (place === undefined) return { seq, chain: await this.#firstChain(room) }
    return { seq: place.seq, chain: place.chain }
  }

  async #room(viewer: string, room: RoomInfo): Promise<RoomInfo> {
    const { seq, chain } = await this.#head(viewer, room.room)
    return { ...room, seq, chain, members: this.#people(viewer, room.members) }
  }

  #rooms(viewer: string, rooms: readonly RoomInfo[]): Promise<RoomInfo[]> {
    return Promise.all(rooms.map((room) => this.#room(viewer, room)))
  }

  #people(viewer: string, people: readonly PersonInfo[]): PersonInfo[] {
    return people.map((person) => this.person?.(viewer, person) ?? person)
  }

  async #firstChain(room: Bytes): Promise<Bytes> {
    const id = hex(room)
    const known = this.#first.get(id) ?? (await firstChain(nodePrimitives, room))
    this.#first.set(id, known)
    return known
  }
}

/** Casts go out only while everyone is shown the truth. */
class SilencedTopics extends Topics {
  readonly #evil: Evil

  constructor(evil: Evil) {
    super()
    this.#evil = evil
  }

  override publish(topic: number, frame: Bytes): void {
    if (this.#evil.show === undefined && !this.#evil.noCasts) super.publish(topic, frame)
  }
}

// ── lies that several tests tell ──

/** Entries that `hidden` holds are kept from `victims`. */
export function withholding(
  victims: readonly string[],
  hidden: (mls: Bytes, i: number) => boolean,
) {
  return (viewer: string, log: readonly Shown[]): readonly Shown[] =>
    victims.includes(viewer) ? log.filter(({ mls }, i) => !hidden(mls, i)) : log
}

/** Entries `i` and `i + 1` change places for `victims`. */
export function reordering(victims: readonly string[], i: number) {
  return (viewer: string, log: readonly Shown[]): readonly Shown[] => {
    const [first, second] = [log[i], log[i + 1]]
    if (!victims.includes(viewer) || first === undefined || second === undefined) return log
    return [...log.slice(0, i), second, first, ...log.slice(i + 2)]
  }
}

/** Entry `i` is shown to `victims` a second time, at place `at`: what comes later stands behind it. */
export function replaying(victims: readonly string[], i: number, at: number) {
  return (viewer: string, log: readonly Shown[]): readonly Shown[] => {
    const again = log[i]
    if (again === undefined || !victims.includes(viewer)) return log
    return [...log.slice(0, at), again, ...log.slice(at)]
  }
}

/** The log of `room` (hex) goes back to its first `length` entries for `victims`. */
export function rollingBack(victims: readonly string[], room: string, length: number) {
  return (viewer: string, log: readonly Shown[], of: string): readonly Shown[] =>
    of === room && victims.includes(viewer) ? log.slice(0, length) : log
}
