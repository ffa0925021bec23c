import { randomFillSync } from 'node:crypto'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import type { Casting } from './casting.ts'
import type { Directory } from './directory.ts'
import type { Outcome, Peer, RequestOf } from './peer.ts'
import type { People } from './people.ts'
import type { Reconciler } from './reconcile.ts'
import { badRequest, Refused } from './refusal.ts'
import type { Rooms } from './rooms.ts'
import type { GroupDevice, Room, Store } from './store.ts'

const ROOM_LENGTH = 16
/** A person's private rooms at most: what `sync` can still tell in one message. */
const MOST_ROOMS = 2_000

export interface PrivateRoomNeeds {
  readonly store: Store
  readonly rooms: Rooms
  readonly people: People
  readonly directory: Directory
  readonly casting: Casting
  readonly reconciler: Reconciler
  skeleton(user: string): string
  roomChanged(room: Bytes, devices: readonly GroupDevice[]): void
}

/** Rooms of two people: opened by either, and left. */
export class PrivateRooms {
  readonly #needs: PrivateRoomNeeds

  constructor(needs: PrivateRoomNeeds) {
    this.#needs = needs
  }

  async open(peer: Peer, request: RequestOf<'open_private'>): Promise<Outcome<'open_private'>> {
    const { store, people, rooms } = this.#needs
    const other = this.#needs.skeleton(request.user)
    if (other === peer.skeleton) throw badRequest('A conversation needs somebody else.')
    if (people.info(other) === undefined)
      throw new Refused('no_such_user', `There is nobody here by the name ${request.user}.`)
    const known = store.privateRoom(peer.skeleton, other)
    const room = known ?? (await this.#create(peer.skeleton, other))
    return {
      reply: { room: rooms.info(peer, room) },
      done: () => {
        if (known === undefined) this.#tell(room)
      },
    }
  }

  async #create(a: string, b: string): Promise<Room> {
    const { store } = this.#needs
    if (store.roomsOf(a).length >= MOST_ROOMS || store.roomsOf(b).length >= MOST_ROOMS)
      throw new Refused('denied', 'One of you has too many conversations. Leave some first.')
    const room = randomFillSync(new Uint8Array(ROOM_LENGTH))
    try {
      await store.createRoom({ room, kind: 'private', members: [a, b] })
    } catch (error) {
      // Both opened it at once: the other one's is taken.
      if (!(error instanceof SottoError && error.code === 'refused')) throw error
    }
    const made = store.privateRoom(a, b)
    if (made === undefined)
      throw new Refused('unavailable', 'The conversation can’t be opened now.')
    return made
  }

  async leave(peer: Peer, request: RequestOf<'leave_room'>): Promise<Outcome<'leave_room'>> {
    const { store, rooms, casting, directory, reconciler } = this.#needs
    const { room, kind } = rooms.of(peer, request.room)
    if (kind === 'lobby') throw new Refused('denied', 'Everyone is in the lobby.')
    await store.leaveRoom(room, peer.skeleton)
    return {
      reply: {},
      done: () => {
        for (const own of directory.of(peer.skeleton)) {
          casting.unsubscribe(room, own)
          void own.tell({ ev: 'room_gone', room })
        }
        casting.changed(room, 'removed')
        const left = store.room(room)
        if (left !== undefined) this.#tell(left)
        reconciler.committed(room)
      },
    }
  }

  /** Every connected device of the room's members hears of it. */
  #tell(room: Room): void {
    const { directory, roomChanged } = this.#needs
    const devices = room.members.flatMap((skeleton) => [...directory.of(skeleton)])
    roomChanged(room.room, devices)
  }
}
