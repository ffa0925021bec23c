import { type Bytes, equal } from '../../web/protocol/bytes.ts'
import type { Peer } from './peer.ts'

/** Who is connected: at most one session per device. */
export class Directory {
  /** Nearly everybody has one session: a list of one is a quarter of a map of one. */
  readonly #people = new Map<string, readonly Peer[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Returns the device's older session, which this one replaces. */
  enter(peer: Peer): Peer | undefined {
    const sessions = this.#people.get(peer.skeleton) ?? []
    const older = sessions.find(({ device }) => equal(device, peer.device))
    const others = sessions.filter((one) => one !== older)
    // A spread would set aside room for sixteen more.
    this.#people.set(peer.skeleton, others.concat(peer))
    if (older === undefined) this.#size += 1
    return older
  }

  /** False when another session has taken the device's place already. */
  leave(peer: Peer): boolean {
    const sessions = this.#people.get(peer.skeleton)
    if (!sessions?.includes(peer)) return false
    this.#size -= 1
    if (sessions.length === 1) this.#people.delete(peer.skeleton)
    else
      this.#people.set(
        peer.skeleton,
        sessions.filter((one) => one !== peer),
      )
    return true
  }

  online(skeleton: string): boolean {
    return this.#people.has(skeleton)
  }

  of(skeleton: string): Iterable<Peer> {
    return this.#people.get(skeleton) ?? []
  }

  device(skeleton: string, device: Bytes): Peer | undefined {
    return this.#people.get(skeleton)?.find((one) => equal(one.device, device))
  }

  *all(): Iterable<Peer> {
    for (const sessions of this.#people.values()) yield* sessions
  }
}
