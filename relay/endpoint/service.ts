/** What the endpoint does for admitted sessions: each request to the part that answers it. */
import type { Bytes } from '../../web/protocol/bytes.ts'
import type { Op } from '../../web/protocol/messages.ts'
import { normaliseName, skeleton } from '../../web/protocol/names.ts'
import type { Primitives, SigningPair } from '../../web/protocol/primitives.ts'
import type { Log } from '../log.ts'
import { Casting } from './casting.ts'
import { DeviceRequests, TAKE_RATE } from './device_requests.ts'
import type { Directory } from './directory.ts'
import { GroupRequests } from './group_requests.ts'
import { Groups } from './groups.ts'
import type { Outcome, Peer, RequestOf, Service } from './peer.ts'
import type { People } from './people.ts'
import { Presence } from './presence.ts'
import { PrivateRooms } from './private_rooms.ts'
import { Reconciler } from './reconcile.ts'
import { badRequest } from './refusal.ts'
import { isMember, Rooms } from './rooms.ts'
import { Sending } from './sending.ts'
import type { GroupDevice, Store } from './store.ts'
import { TokenBuckets } from './token_bucket.ts'
import type { Topics } from './topics.ts'

/** A fetch's entries in bytes, or one entry if it is larger. */
const FETCH_BYTES = 256 * 1024
/** The people that `sync` tells: those of one's rooms, then who is online, then others. */
const SYNC_PEOPLE = 500

export interface ServiceNeeds {
  readonly store: Store
  readonly directory: Directory
  readonly people: People
  readonly topics: Topics
  readonly primitives: Primitives
  readonly logKey: Pick<SigningPair, 'sign'>
  readonly log: Log
  readonly lobby: Bytes
  /** SHA-256 of the endpoint's SPKI. */
  readonly hostKeyHash: Bytes
  /** Seconds. */
  readonly lobbyAbsence: number
  readonly keepDays: number
  /** Milliseconds of a monotonic clock. */
  now(): number
  /** Milliseconds that one member has for a `reconcile`; the default when absent. */
  readonly turnMs?: number
  /** Milliseconds until who is locked out of the lobby's group may begin another; the default when absent. */
  readonly lockedOutMs?: number
}

export type BuildService = (needs: ServiceNeeds) => Service

type Handlers = {
  readonly [O in Exclude<Op, 'register' | 'login' | 'set_password'>]: (
    peer: Peer,
    request: RequestOf<O>,
  ) => Outcome<O> | Promise<Outcome<O>>
}

export const buildService: BuildService = (needs) => {
  const { store, directory, people, topics, log, primitives, logKey } = needs
  const failed = (error: unknown): void => {
    const text = error instanceof Error ? error.message : 'unknown'
    log.warn({ event: 'deferred', text }, 'something could not be said or asked yet')
  }
  const groups = new Groups(store)
  const rooms = new Rooms(store, groups, people, needs.lobby)
  const head = (room: Bytes) => rooms.head(room)
  const casting = new Casting({ primitives, logKey, topics, head, failed, now: needs.now })
  const presence = new Presence(people, directory)
  const reconciler = new Reconciler({
    store,
    directory,
    groups,
    failed,
    user: (one) => people.info(one)?.user,
    lobbyAbsence: needs.lobbyAbsence,
    ...(needs.turnMs === undefined ? {} : { turnMs: needs.turnMs }),
  })
  const roomChanged = (id: Bytes, devices: readonly GroupDevice[]): void => {
    const room = store.room(id)
    if (room === undefined) return
    for (const { skeleton: one, device } of devices) {
      // A commit may claim to remove anybody's device: a room is told to its members alone.
      const peer = isMember(room, one) ? directory.device(one, device) : undefined
      if (peer !== undefined) void peer.tell({ ev: 'room', room: rooms.info(peer, room) })
    }
  }
  const shared = {
    ...{ store, rooms, groups, people, directory, casting, reconciler, roomChanged },
    hostKeyHash: needs.hostKeyHash,
    takes: new TokenBuckets(TAKE_RATE, () => needs.now() / 1000),
    skeleton: skeletonOf,
  }
  const sending = new Sending(shared)
  const { now, lockedOutMs } = needs
  const group = new GroupRequests({
    ...shared,
    now,
    ...(lockedOutMs === undefined ? {} : { lockedOutMs }),
  })
  const devices = new DeviceRequests(shared)
  const privateRooms = new PrivateRooms(shared)

  const handlers: Handlers = {
    sync: (peer) => {
      const all = rooms.all(peer)
      const partners = all.rooms.flatMap(({ members }) =>
        members.map(({ user }) => skeletonOf(user)),
      )
      const list = people.list([peer.skeleton, ...partners], SYNC_PEOPLE)
      const { stock, lastResort } = store.keyPackageStock(peer)
      const { lobbyAbsence, keepDays } = needs
      const time = store.now()
      return {
        reply: { ...all, people: list, stock, lastResort, time, lobbyAbsence, keepDays },
      }
    },
    publish_key_packages: (peer, request) => devices.publish(peer, request),
    take_key_packages: (peer, request) => devices.take(peer, request),
    open_private: (peer, request) => privateRooms.open(peer, request),
    leave_room: (peer, request) => privateRooms.leave(peer, request),
    subscribe: (peer, request) => casting.subscribe(rooms.of(peer, request.room).room, peer),
    unsubscribe: (peer, request) => {
      casting.unsubscribe(request.room, peer)
      return { reply: {} }
    },
    fetch: (peer, { room, after, most }) => {
      const { oldest } = rooms.of(peer, room)
      const entries = [...store.entries(room, after, most, FETCH_BYTES)]
      return { reply: { entries, head: rooms.head(room), oldest } }
    },
    create_group: (peer, request) => group.createGroup(peer, request),
    group_info: (peer, request) => group.groupInfo(peer, request),
    send: (peer, request) => sending.send(peer, request),
    welcome: (peer, request) => group.welcome(peer, request),
    welcome_done: (peer, request) => group.welcomeDone(peer, request),
    rejoin: (peer, request) => group.rejoin(peer, request),
    devices: (peer) => devices.list(peer),
    remove_device: (peer, request) => devices.remove(peer, request),
  }

  const lobbyTimer = setInterval(
    () => reconciler.consider(needs.lobby),
    Math.min(60_000, Math.max(1_000, needs.lobbyAbsence * 250)),
  ).unref()

  return {
    entered(peer) {
      const online = directory.online(peer.skeleton)
      directory.enter(peer)?.end('replaced')
      if (!online) presence.changed(peer.skeleton, false)
      for (const room of store.roomsOf(peer.skeleton)) reconciler.consider(room)
    },
    gone(peer) {
      casting.gone(peer)
      if (directory.leave(peer) && !directory.online(peer.skeleton))
        presence.changed(peer.skeleton, true)
    },
    async handle(peer, request) {
      const handler = handlers[request.op as keyof Handlers] as Handlers[keyof Handlers] | undefined
      if (handler === undefined) throw badRequest()
      // Handler and request belong together by their op.
      return handler(peer, request as never)
    },
    async close() {
      clearInterval(lobbyTimer)
      presence.close()
      reconciler.close()
      await casting.close()
    },
  }
}

/** A name that nobody can have gives a skeleton that nobody has. */
function skeletonOf(user: string): string {
  try {
    return skeleton(normaliseName(user))
  } catch {
    return ''
  }
}
