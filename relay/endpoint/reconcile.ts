import { type Bytes, hex } from '../../web/protocol/bytes.ts'
import type { DeviceRef } from '../../web/protocol/messages.ts'
import type { Directory } from './directory.ts'
import type { Groups } from './groups.ts'
import { deviceKey, type Peer } from './peer.ts'
import type { GroupDevice, Room, Store } from './store.ts'

/** The one who was asked has so long until another one is. */
const TURN_MS = 10_000
/** When nobody could do it, everyone is asked again after so long. */
const REST_MS = 60_000
const MOST_ADDED = 64
const MOST_REMOVED = 256
const MS_PER_SECOND = 1_000

/** What a group's devices should be, less what they are. */
interface Difference {
  readonly add: readonly GroupDevice[]
  readonly remove: readonly GroupDevice[]
}

interface Turn {
  readonly asked: Set<string>
  timer: NodeJS.Timeout | undefined
}

export interface ReconcilerNeeds {
  readonly store: Store
  readonly directory: Directory
  readonly groups: Groups
  /** The name of an account, as its person wrote it. */
  user(skeleton: string): string | undefined
  /** Seconds after which a device that did not connect leaves the lobby's group. */
  readonly lobbyAbsence: number
  failed(error: unknown): void
  readonly turnMs?: number
}

/**
 * Brings the devices of groups in line with who should be in them. The endpoint can't change a
 * group: it asks one member's device at a time, which checks everything for itself and commits.
 */
export class Reconciler {
  readonly #needs: ReconcilerNeeds
  readonly #turns = new Map<string, Turn>()
  readonly #turnMs: number
  /** While the endpoint was down nobody could connect: absence counts from its start at least. */
  readonly #started: number

  constructor(needs: ReconcilerNeeds) {
    this.#needs = needs
    this.#turnMs = needs.turnMs ?? TURN_MS
    this.#started = needs.store.now()
  }

  /** Something about the room's members or devices changed: whoever is due is asked. */
  consider(room: Bytes): void {
    try {
      this.#consider(room)
    } catch (error) {
      this.#needs.failed(error)
    }
  }

  /** The room's group was changed by a commit, or who was to come in now can: all begins afresh. */
  committed(room: Bytes): void {
    this.#end(hex(room))
    this.consider(room)
  }

  close(): void {
    for (const id of [...this.#turns.keys()]) this.#end(id)
  }

  #end(id: string): void {
    clearTimeout(this.#turns.get(id)?.timer)
    this.#turns.delete(id)
  }

  #consider(id: Bytes): void {
    const room = this.#needs.store.room(id)
    const turn = this.#turns.get(hex(id))
    if (turn?.timer !== undefined) return
    const difference = room && this.difference(room)
    if (room === undefined || difference === undefined || isEmpty(difference)) {
      this.#end(hex(id))
      return
    }
    this.#ask(room, difference, turn ?? { asked: new Set(), timer: undefined })
  }

  #ask(room: Room, difference: Difference, turn: Turn): void {
    const peer = this.#next(room, difference, turn.asked)
    if (peer === undefined && turn.asked.size === 0) {
      // Nobody is there: whoever connects next is asked.
      this.#end(hex(room.room))
      return
    }
    if (peer !== undefined) {
      turn.asked.add(peer.key)
      const add = this.#refs(difference.add.slice(0, MOST_ADDED))
      const remove = this.#refs(difference.remove.slice(0, MOST_REMOVED))
      void peer.tell({ ev: 'reconcile', room: room.room, add, remove })
    } else turn.asked.clear()
    const wait = peer === undefined ? REST_MS : this.#turnMs
    turn.timer = setTimeout(() => {
      turn.timer = undefined
      this.consider(room.room)
    }, wait).unref()
    this.#turns.set(hex(room.room), turn)
  }

  /** An online device of the group that stays in it and was not asked yet. */
  #next(room: Room, { remove }: Difference, asked: ReadonlySet<string>): Peer | undefined {
    const leaving = new Set(remove.map(deviceKey))
    for (const [key, { skeleton, device }] of this.#needs.groups.of(room.room)) {
      if (leaving.has(key) || asked.has(key)) continue
      const peer = this.#needs.directory.device(skeleton, device)
      if (peer !== undefined) return peer
    }
    return undefined
  }

  #refs(devices: readonly GroupDevice[]): DeviceRef[] {
    return devices.flatMap(({ skeleton, device }) => {
      const user = this.#needs.user(skeleton)
      return user === undefined ? [] : { user, device }
    })
  }

  difference(room: Room): Difference {
    if (room.generation === null) return { add: [], remove: [] }
    return room.kind === 'lobby' ? this.#ofLobby(room) : this.#ofPrivate(room)
  }

  /** Devices enter the lobby by themselves; the absent and the revoked are taken out. */
  #ofLobby(room: Room): Difference {
    const { store, groups, directory, lobbyAbsence } = this.#needs
    const now = store.now()
    const absent = ({ skeleton, device }: GroupDevice, lastSeen: number): boolean =>
      directory.device(skeleton, device) === undefined &&
      now - Math.max(lastSeen, this.#started) > lobbyAbsence * MS_PER_SECOND
    const remove = [...groups.of(room.room).values()].filter((one) => {
      const known = store.device(one)
      return known === undefined || known.revoked || absent(one, known.lastSeen)
    })
    return { add: [], remove }
  }

  /** All devices of both people that have a key package to be added by. */
  #ofPrivate(room: Room): Difference {
    const { store, groups } = this.#needs
    const inGroup = groups.of(room.room)
    const wanted = room.members.flatMap((skeleton) =>
      store
        .devices(skeleton)
        .filter(({ revoked }) => !revoked)
        .map(({ device }) => ({ skeleton, device })),
    )
    const keys = new Set(wanted.map(deviceKey))
    const add = wanted.filter((one) => {
      if (inGroup.has(deviceKey(one))) return false
      const { stock, lastResort } = store.keyPackageStock(one)
      return stock > 0 || lastResort
    })
    return { add, remove: [...inGroup.values()].filter((one) => !keys.has(deviceKey(one))) }
  }
}

function isEmpty({ add, remove }: Difference): boolean {
  return add.length === 0 && remove.length === 0
}
