import { type Bytes, equal } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import type { Casting } from './casting.ts'
import type { Groups } from './groups.ts'
import { deviceKey, deviceOf, type Outcome, type Peer, type RequestOf } from './peer.ts'
import type { Reconciler } from './reconcile.ts'
import { Refused, staleEpoch } from './refusal.ts'
import { isMember, type Rooms } from './rooms.ts'
import type { GroupDevice, Room, Store } from './store.ts'

export interface GroupNeeds {
  readonly store: Store
  readonly rooms: Rooms
  readonly groups: Groups
  readonly casting: Casting
  readonly reconciler: Reconciler
  /** Milliseconds of a monotonic clock. */
  now(): number
  /** Milliseconds; {@link LOCKED_OUT_MS} when absent. */
  readonly lockedOutMs?: number
  roomChanged(room: Bytes, devices: readonly GroupDevice[]): void
}

/**
 * Who has asked for so long to come into the lobby's group and was not able to may begin a new one:
 * one member can leave a group behind that nobody else can use.
 */
const LOCKED_OUT_MS = 60_000
/** Accounts that are remembered as being out. */
const MOST_OUT = 10_000

interface Out {
  readonly generation: number | null
  readonly since: number
}

/** Requests about the MLS group of a room: making it, joining it, coming back to it. */
export class GroupRequests {
  readonly #needs: GroupNeeds
  readonly #lockedOutMs: number
  /** By account: since when it asks to come into the lobby's group. */
  readonly #out = new Map<string, Out>()

  constructor(needs: GroupNeeds) {
    this.#needs = needs
    this.#lockedOutMs = needs.lockedOutMs ?? LOCKED_OUT_MS
  }

  /**
   * The first group of a generation wins. In the lobby a later generation is taken only when nobody
   * is left in the one before, or when it has let this account in for a minute in vain: else a member
   * could put all others out at once. In a private room either of the two may begin anew, as when the other's key is a new one: a group keeps the
   * keys that it was made for.
   */
  async createGroup(
    peer: Peer,
    request: RequestOf<'create_group'>,
  ): Promise<Outcome<'create_group'>> {
    const { store, groups, reconciler, casting } = this.#needs
    const { generation, groupInfo } = request
    const room = this.#needs.rooms.of(peer, request.room)
    if (this.#isRepeated(peer, room, generation, groupInfo)) return { reply: {} }
    const ends = room.generation !== null && room.kind === 'lobby'
    if (ends && this.#alive(room, peer) && !this.#lockedOut(room, peer)) throw staleEpoch(room)
    // Who is in the group that ends has to come into this one.
    const former = ends ? [...groups.of(room.room).values()] : []
    try {
      await store.createGroup(room.room, generation, groupInfo, deviceOf(peer))
    } catch (error) {
      const stale = error instanceof SottoError && error.code === 'stale_epoch'
      throw stale ? staleEpoch(store.room(room.room) ?? room) : error
    } finally {
      // Also after a failure: what a failing disk has taken nevertheless is on it.
      groups.changed(room.room)
    }
    casting.changed(room.room, 'removed')
    return {
      reply: {},
      done: () => {
        this.#needs.roomChanged(room.room, [peer, ...former])
        reconciler.committed(room.room)
      },
    }
  }

  /** The reply was lost and the same request comes again. */
  #isRepeated(peer: Peer, room: Room, generation: number, groupInfo: Bytes): boolean {
    if (room.generation !== generation || room.epoch !== 0) return false
    const present = this.#needs.store.groupInfo(room.room)
    return (
      present !== undefined && equal(present, groupInfo) && this.#needs.groups.has(room.room, peer)
    )
  }

  groupInfo(peer: Peer, request: RequestOf<'group_info'>): Outcome<'group_info'> {
    const { store, rooms, reconciler } = this.#needs
    const room = rooms.of(peer, request.room)
    if (room.kind !== 'lobby')
      throw new Refused('denied', 'Nobody can join this room from outside.')
    const groupInfo = store.groupInfo(room.room)
    if (room.generation === null || groupInfo === undefined) throw staleEpoch(room)
    const { generation, epoch } = room
    const now = rooms.of(peer, request.room)
    // A commit has come between the two reads: what was read may be of another epoch.
    if (now.generation !== generation || now.epoch !== epoch) return this.groupInfo(peer, request)
    return {
      reply: { generation, epoch, groupInfo, head: rooms.head(room.room) },
      // Who comes in may be kept out by a removed device of the same name.
      done: () => reconciler.consider(room.room),
    }
  }

  welcome(peer: Peer, request: RequestOf<'welcome'>): Outcome<'welcome'> {
    const room = this.#needs.rooms.of(peer, request.room)
    return { reply: { welcome: this.#needs.store.welcome(room.room, peer) ?? null } }
  }

  async welcomeDone(
    peer: Peer,
    request: RequestOf<'welcome_done'>,
  ): Promise<Outcome<'welcome_done'>> {
    await this.#needs.store.deleteWelcome(request.welcome, deviceOf(peer))
    return { reply: {} }
  }

  /**
   * The device has no state of the group: it counts as being out of it, unless a Welcome that came
   * meanwhile waits for it.
   */
  async rejoin(peer: Peer, request: RequestOf<'rejoin'>): Promise<Outcome<'rejoin'>> {
    const { store, groups, reconciler } = this.#needs
    const room = this.#needs.rooms.of(peer, request.room)
    this.#askedIn(room, peer)
    await store.dropGroupDevice(room.room, deviceOf(peer))
    groups.changed(room.room)
    const next = room.generation === null ? 0 : room.generation + 1
    const waits = this.#alive(room, peer) && !this.#lockedOut(room, peer)
    return {
      reply: { generation: waits ? null : next },
      done: () => reconciler.committed(room.room),
    }
  }

  /** Who has been in since it asked first begins to wait anew. */
  #askedIn({ room, kind, generation }: Room, peer: Peer): void {
    if (kind !== 'lobby') return
    const { groups, now } = this.#needs
    const before = this.#out.get(peer.skeleton)
    if (before?.generation === generation && !groups.has(room, peer)) return
    this.#out.delete(peer.skeleton)
    if (this.#out.size >= MOST_OUT) this.#out.delete(this.#out.keys().next().value ?? '')
    this.#out.set(peer.skeleton, { generation, since: now() })
  }

  #lockedOut({ room, kind, generation }: Room, peer: Peer): boolean {
    const { groups, now } = this.#needs
    const out = this.#out.get(peer.skeleton)
    if (kind !== 'lobby' || out?.generation !== generation || groups.has(room, peer)) return false
    return out !== undefined && now() - out.since >= this.#lockedOutMs
  }

  /** Whether a device other than this is in the group that can still commit to it. */
  #alive(room: Room, peer: Peer): boolean {
    const { store, groups } = this.#needs
    return [...groups.of(room.room).values()].some((one) => {
      if (deviceKey(one) === peer.key || !isMember(room, one.skeleton)) return false
      const devices = store.devices(one.skeleton)
      return devices.some(({ device, revoked }) => !revoked && equal(device, one.device))
    })
  }
}
