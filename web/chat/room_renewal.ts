import { type Bytes, equal } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import type { StoredItem } from './history.ts'
import type { RoomState } from './mls.ts'
import type { RoomDeps } from './room_deps.ts'
import type { RoomStore } from './room_store.ts'

/**
 * What a changed key of the other person means for a private room. Its group names the keys that
 * it was made for and keeps them for as long as it lives, so a new key needs a new generation; and
 * that is made only after the person has decided (PROTOCOL.md, "A person's new key").
 */
interface Room {
  readonly store: RoomStore
  readonly deps: RoomDeps
}

/**
 * A device under this person's own name, with another key: who has lost a key and has a new one
 * meets the devices of the old one until a member has removed them.
 */
export class OldSelf extends SottoError {
  constructor() {
    super('bad_member', 'Waiting until devices with another key of your name have left.')
  }
}

/** Nobody has decided yet about a changed key: nothing leaves, and nobody is let in. */
export function undecided({ store, deps }: Room): boolean {
  const { peer } = store.meta
  return peer !== '' && deps.trust.word(peer) === 'changed'
}

/** The other person's key (32 bytes) that a private room's group was made for. */
export function keyOfPeer({ policy }: RoomState, deps: RoomDeps): Bytes | undefined {
  if (policy.kind !== 'members') return undefined
  return policy.members.find(({ user }) => user !== deps.me.user)?.fingerprint
}

/** The group was made for another key than the one that is trusted now. */
export function outlived({ store, deps }: Room): boolean {
  const key = store.group ? keyOfPeer(store.group.state, deps) : undefined
  const pin = deps.trust.person(store.meta.peer)
  return key !== undefined && pin !== undefined && !equal(key, pin.fingerprint)
}

/** A line for the room when this device comes into a group for another key than the last one. */
export function newKeyLine({ store, deps }: Room, key: Bytes | undefined): StoredItem[] {
  const { peer, peerKey } = store.meta
  if (!peerKey || key === undefined || equal(peerKey, key)) return []
  const at = deps.clock.now()
  const text = `${peer} has a new key, and you have decided to trust it. What is written from here on is sealed for it.`
  return [{ k: 's', id: `key-${at}`, text, at }]
}
