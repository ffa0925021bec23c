import { equal } from '../../web/protocol/bytes.ts'
import type { Casting } from './casting.ts'
import type { Directory } from './directory.ts'
import { deviceOf, type Outcome, type Peer, type RequestOf } from './peer.ts'
import type { Reconciler } from './reconcile.ts'
import { Refused } from './refusal.ts'
import type { Rooms } from './rooms.ts'
import type { GroupDevice, Store } from './store.ts'
import type { Rate, TokenBuckets } from './token_bucket.ts'

/**
 * What one person may take of another's key packages: a device keeps about sixteen. Beyond it there
 * is the last resort only, so nobody can use up what the others are to have.
 */
export const TAKE_RATE: Rate = { burst: 8, perSecond: 1 / 600 }
/** With this many key packages or fewer left, a device is told to publish more. */
const LOW_STOCK = 8

export interface DeviceNeeds {
  readonly store: Store
  readonly rooms: Rooms
  readonly directory: Directory
  readonly casting: Casting
  readonly reconciler: Reconciler
  /** One bucket for each two people, at {@link TAKE_RATE}. */
  readonly takes: TokenBuckets
  skeleton(user: string): string
}

/** Requests about a person's devices and the key packages by which they are added to rooms. */
export class DeviceRequests {
  readonly #needs: DeviceNeeds

  constructor(needs: DeviceNeeds) {
    this.#needs = needs
  }

  async publish(
    peer: Peer,
    request: RequestOf<'publish_key_packages'>,
  ): Promise<Outcome<'publish_key_packages'>> {
    const { store, reconciler } = this.#needs
    await store.addKeyPackages(deviceOf(peer), request.packages, request.lastResort)
    const { stock } = store.keyPackageStock(peer)
    return {
      reply: { stock },
      done: () => {
        // Now this device can be added to the private rooms that it is not in yet.
        for (const room of store.roomsOf(peer.skeleton)) reconciler.committed(room)
      },
    }
  }

  /** For oneself and for those with whom one shares a private room, which anybody can open. */
  async take(
    peer: Peer,
    request: RequestOf<'take_key_packages'>,
  ): Promise<Outcome<'take_key_packages'>> {
    const { store } = this.#needs
    const skeleton = this.#needs.skeleton(request.user)
    const shared = skeleton === peer.skeleton || store.privateRoom(peer.skeleton, skeleton)
    if (!shared) throw new Refused('denied', 'Open a conversation with this person first.')
    const mayDiminish =
      skeleton === peer.skeleton || this.#needs.takes.take(`${peer.skeleton}/${skeleton}`) === 0
    const wanted = request.devices
    const devices = store
      .devices(skeleton)
      .filter(({ revoked }) => !revoked)
      .filter(({ device }) => wanted === undefined || wanted.some((one) => equal(one, device)))
    const taken = devices.map(async ({ device }) => {
      const owner = { skeleton, device }
      const mls = mayDiminish ? await store.takeKeyPackage(owner) : store.lastResort(owner)
      if (mayDiminish) this.#tellLowStock(owner)
      return mls === undefined ? [] : [{ device, package: mls }]
    })
    return { reply: { packages: (await Promise.all(taken)).flat() } }
  }

  #tellLowStock(owner: GroupDevice): void {
    const { stock } = this.#needs.store.keyPackageStock(owner)
    const peer = this.#needs.directory.device(owner.skeleton, owner.device)
    if (stock <= LOW_STOCK) void peer?.tell({ ev: 'stock', stock })
  }

  list(peer: Peer): Outcome<'devices'> {
    const { store, directory } = this.#needs
    const devices = store
      .devices(peer.skeleton)
      .filter(({ revoked }) => !revoked)
      .map(({ device, lastSeen }) => {
        const online = directory.device(peer.skeleton, device) !== undefined
        return { device, lastSeen, online }
      })
    return { reply: { devices } }
  }

  /**
   * The device is never taken again, by a ticket or without (the directory says so, and so does
   * its entry into the session): its session ends, it leaves all groups.
   */
  async remove(peer: Peer, request: RequestOf<'remove_device'>): Promise<Outcome<'remove_device'>> {
    const { store, directory } = this.#needs
    const { device } = request
    if (store.device({ skeleton: peer.skeleton, device }) === undefined)
      throw new Refused('denied', 'You have no such device.')
    await store.revokeDevice(peer.skeleton, device)
    return {
      reply: {},
      done: () => {
        directory.device(peer.skeleton, device)?.end('revoked')
        for (const room of this.#needs.rooms.idsOf(peer)) {
          this.#needs.casting.changed(room, 'removed')
          this.#needs.reconciler.consider(room)
        }
      },
    }
  }
}
