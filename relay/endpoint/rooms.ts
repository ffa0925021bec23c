import { createHash } from 'node:crypto'
import { type Bytes, concat, utf8 } from '../../web/protocol/bytes.ts'
import type { Head, RoomInfo } from '../../web/protocol/messages.ts'
import type { Groups } from './groups.ts'
import type { Peer } from './peer.ts'
import type { People } from './people.ts'
import { Refused } from './refusal.ts'
import type { GroupDevice, Room, Store } from './store.ts'

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
    const room = this.#store.room(id)
    if (room === undefined || !isMember(room, peer.skeleton))
      throw new Refused('not_a_member', 'You are not in this room (any more).')
    if (room.damage !== undefined) throw new Refused('unavailable', room.damage)
    return room
  }

  /** Throws SottoError `unavailable`. */
  head(id: Bytes): Head {
    const room = this.#store.room(id)
    if (room === undefined) throw new Refused('no_such_room', 'There is no such room.')
    return { room: room.room, seq: room.seq, chain: room.chain }
  }

  /** The lobby and the private rooms of this device's person. */
  all(peer: Peer): RoomInfo[] {
    const lobby = this.#store.room(this.lobby)
    const rooms = [...(lobby ? [lobby] : []), ...this.#store.roomsOf(peer.skeleton)]
    return rooms.map((room) => this.info(peer, room))
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
