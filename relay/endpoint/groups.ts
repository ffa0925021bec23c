import { type Bytes, hex } from '../../web/protocol/bytes.ts'
import { deviceKey } from './peer.ts'
import type { GroupDevice, Store } from './store.ts'

/** Rooms whose devices are kept in memory at most; the rest are read when they are needed. */
const MOST_ROOMS = 10_000

/** Which devices are in a room's group: the store's answer, kept until it changes. */
export class Groups {
  readonly #store: Store
  readonly #rooms = new Map<string, ReadonlyMap<string, GroupDevice>>()

  constructor(store: Store) {
    this.#store = store
  }

  of(room: Bytes): ReadonlyMap<string, GroupDevice> {
    const id = hex(room)
    const known = this.#rooms.get(id)
    if (known !== undefined) return known
    const devices = new Map(this.#store.groupDevices(room).map((one) => [deviceKey(one), one]))
    if (this.#rooms.size >= MOST_ROOMS) this.#rooms.clear()
    this.#rooms.set(id, devices)
    return devices
  }

  has(room: Bytes, device: GroupDevice): boolean {
    return this.of(room).has(deviceKey(device))
  }

  /** To be called after every write that changes the group's devices. */
  changed(room: Bytes): void {
    this.#rooms.delete(hex(room))
  }
}
