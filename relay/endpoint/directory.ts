import { type Bytes, hex } from '../../web/protocol/bytes.ts'
import type { Peer } from './peer.ts'

/** Who is connected: at most one session per device. */
export class Directory {
  readonly #people = new Map<string, Map<string, Peer>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Returns the device's older session, which this one replaces. */
  enter(peer: Peer): Peer | undefined {
    let devices = this.#people.get(peer.skeleton)
    if (devices === undefined) {
      devices = new Map()
      this.#people.set(peer.skeleton, devices)
    }
    const older = devices.get(peer.key)
    devices.set(peer.key, peer)
    if (older === undefined) this.#size += 1
    return older
  }

  /** False when another session has taken the device's place already. */
  leave(peer: Peer): boolean {
    const devices = this.#people.get(peer.skeleton)
    if (devices?.get(peer.key) !== peer) return false
    devices.delete(peer.key)
    this.#size -= 1
    if (devices.size === 0) this.#people.delete(peer.skeleton)
    return true
  }

  online(skeleton: string): boolean {
    return this.#people.has(skeleton)
  }

  of(skeleton: string): Iterable<Peer> {
    return this.#people.get(skeleton)?.values() ?? []
  }

  device(skeleton: string, device: Bytes): Peer | undefined {
    return this.#people.get(skeleton)?.get(`${skeleton}/${hex(device)}`)
  }

  *all(): Iterable<Peer> {
    for (const devices of this.#people.values()) yield* devices.values()
  }
}
