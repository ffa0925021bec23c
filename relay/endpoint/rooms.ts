import { createHash } from 'node:crypto'
import { type Bytes, concat, equal, utf8 } from '../../web/protocol/bytes.ts'
import type { Head, RoomInfo, StoppedRoom } from '../../web/protocol/messages.ts'
import type { Groups } from './groups.ts'
import type { Peer } from './peer.ts'
import type { People } from './people.ts'
import { Refused } from './refusal.ts'
import { type GroupDevice, type Room, RoomStopped, type Store } from './store.ts'

const ROOM_LENGTH = 16

/** The lobby's room id: known to everyone who knows the endpoint's name. */
export function lobbyOf(host: string): Bytes {
  const digest = createHash('sha256')
    .update(concat(utf8('sotto1 lobby'), utf8(host)))
    .digest()
  return new Uint8Array(digest.subarray(0, ROOM_LENGTH))
}

/** Who is in which room, and what they are told of it. */
export class Rooms {
  readonly lobby: Bytes
  readonly #store: Store
  readonly #groups: Groups
  readonly #people: People

  constructor(store: Store, groups: Groups, people: People, lobby: Bytes) {
    this.#store = store
    this.#groups = groups
    this.#people = people
    this.lobby = lobby
  }

  /** The room, for a member. A stranger never learns whether there is one. */
  of(peer: Peer, id: Bytes): Room {
    try {
      const room = this.#store.room(id)
      if (room !== undefined && isMember(room, peer.skeleton)) return room
    } catch (error) {
      if (!(error instanceof RoomStopped)) throw error
      if (this.idsOf(peer).some((own) => equal(own, id))) throw error
    }
    throw new Refused('not_a_member', 'You are not in this room (any more).')
  }

  /** Throws SottoError `unavailable`. */
  head(id: Bytes): Head {
    const room = this.#store.room(id)
    if (room === undefined) throw new Refused('no_such_room', 'There is no such room.')
    return { room: room.room, seq: room.seq, chain: room.chain }
  }

  /** The ids of the lobby and of this person's private rooms, stopped ones too. */
  idsOf({ skeleton }: GroupDevice): Bytes[] {
    return [this.lobby, ...this.#store.roomsOf(skeleton)]
  }

  /** What this device is told of its person's rooms, and of those that are stopped, why. */
  all(peer: Peer): { rooms: RoomInfo[]; stopped: StoppedRoom[] } {
    const rooms: RoomInfo[] = []
    const stopped: StoppedRoom[] = []
    for (const id of this.idsOf(peer)) {
      try {
        const room = this.#store.room(id)
        if (room !== undefined) rooms.push(this.info(peer, room))
      } catch (error) {
        if (!(error instanceof RoomStopped)) throw error
        stopped.push({ room: id, text: error.message })
      }
    }
    return { rooms, stopped }
  }

  info(device: GroupDevice, room: Room): RoomInfo {
    return {
      room: room.room,
      kind: room.kind,
      members: room.members.flatMap((skeleton) => this.#people.info(skeleton) ?? []),
      seq: room.seq,
      chain: room.chain,
      oldest: room.oldest,
      generation: room.generation,
      epoch: room.epoch,
      joined: this.#groups.has(room.room, device),
      welcome: this.#store.welcome(room.room, device) !== undefined,
    }
  }
}

export function isMember(room: Room, skeleton: string): boolean {
  return room.kind === 'lobby' || room.members.includes(skeleton)
}
