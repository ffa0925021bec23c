import { type Bytes, equal, Reader } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { verifyBinding } from '../../web/protocol/mls_credential.ts'
import {
  KEPT_EPOCHS,
  type MlsHeader,
  readJoiner,
  readMlsHeader,
} from '../../web/protocol/mls_header.ts'
import { isXWingKey } from '../../web/protocol/sound_keys.ts'
import type { Casting } from './casting.ts'
import type { Groups } from './groups.ts'
import { deviceKey, deviceOf, type Outcome, type Peer, type RequestOf } from './peer.ts'
import type { Reconciler } from './reconcile.ts'
import { badRequest, Refused, staleEpoch } from './refusal.ts'
import { isMember, type Rooms } from './rooms.ts'
import type { Appended, GroupDevice, NewEntry, Room, Store } from './store.ts'

const ROOM_LENGTH = 16

export interface SendingNeeds {
  readonly store: Store
  readonly rooms: Rooms
  readonly groups: Groups
  readonly casting: Casting
  readonly reconciler: Reconciler
  /** SHA-256 of the endpoint's SPKI: what bindings are made for. */
  readonly hostKeyHash: Bytes
  skeleton(user: string): string
  /** These devices' place in the room's group changed. */
  roomChanged(room: Bytes, devices: readonly GroupDevice[]): void
}

type Send = RequestOf<'send'>

/**
 * One MLS message from its sender to the room's log: checked, appended, on disk, acknowledged,
 * cast. What members could not open any more is refused before it is acknowledged, for an
 * acknowledged message that can't be opened is a lost one.
 */
export class Sending {
  readonly #needs: SendingNeeds

  constructor(needs: SendingNeeds) {
    this.#needs = needs
  }

  async send(peer: Peer, request: Send): Promise<Outcome<'send'>> {
    const room = this.#needs.rooms.of(peer, request.room)
    const header = readMlsHeader(request.mls)
    const generation = generationOf(header, room)
    const commit = this.#commit(peer, room, header, request.commit)
    if (header.external) await this.#mustBringItself(peer, request.mls)
    else this.#mustBeInGroup(peer, room)
    const { mls, msgId } = request
    const { epoch } = header
    const entry = { room: room.room, sender: deviceOf(peer), msgId, mls, generation, epoch, commit }
    const { seq, chain, repeated } = await this.#append(entry)
    return {
      reply: { seq, chain },
      done: () => this.#appended(entry, { seq, chain, repeated }),
    }
  }

  async #append(entry: NewEntry): Promise<Appended> {
    try {
      return await this.#needs.store.append(entry)
    } catch (error) {
      const code = error instanceof SottoError ? error.code : undefined
      const room = code === 'stale_epoch' ? this.#needs.store.room(entry.room) : undefined
      if (room !== undefined) throw staleEpoch(room)
      if (code === 'refused') throw badRequest('A device in this change of the room is unknown.')
      throw error
    }
  }

  /**
   * A message that came again may be one whose first answer was `unavailable` though it reached the
   * disk: then nobody knows of it yet. So all is done again but the cast, for which the head does.
   */
  #appended({ room, mls, commit }: NewEntry, { seq, chain, repeated }: Appended): void {
    const { groups, casting, reconciler, roomChanged } = this.#needs
    if (commit !== undefined) {
      groups.changed(room)
      // Before the cast: whoever was removed must not be able to open it.
      if (commit.removed.length > 0) casting.changed(room, 'removed')
      else if (commit.added.length > 0) casting.changed(room, 'added')
    }
    if (repeated) casting.remind(room)
    else casting.publish({ room, seq, chain, mls })
    if (commit === undefined) return
    roomChanged(room, [...commit.added, ...commit.removed])
    reconciler.committed(room)
  }

  /** A device that is not in the group has lost its place there: it joins again, then sends. */
  #mustBeInGroup(peer: Peer, room: Room): void {
    if (!this.#needs.groups.has(room.room, peer)) throw staleEpoch(room)
  }

  /**
   * The leaf that comes in from outside is that of this very device, by its account's key. Members
   * can't tell: to them anybody may vouch for a name that they have not met. And what they would
   * refuse must not get into the log, where it would stop all of them.
   */
  async #mustBringItself(peer: Peer, mls: Bytes): Promise<void> {
    const { store, hostKeyHash, skeleton } = this.#needs
    const { identity, signatureKey, encryptionKey } = readJoiner(mls)
    if (!isXWingKey(encryptionKey))
      throw new Refused('denied', 'Nobody could encrypt to the device that joins the room.')
    const account = store.account(peer.skeleton)
    const binding = await verifyBinding(identity, signatureKey, hostKeyHash, store.now()).catch(
      (error: SottoError) => {
        throw new Refused('denied', error.message)
      },
    )
    const theirs =
      skeleton(binding.user) === peer.skeleton &&
      equal(binding.device, peer.device) &&
      equal(binding.spki, account?.spki ?? new Uint8Array(0))
    if (!theirs) throw new Refused('denied', 'Nobody can join this room as somebody else.')
  }

  /** What stands beside the MLS message must fit what the message says of itself. */
  #commit(peer: Peer, room: Room, header: MlsHeader, given: Send['commit']): NewEntry['commit'] {
    if (header.contentType === 'proposal') throw badRequest('Proposals come inside commits.')
    if (header.external && room.kind !== 'lobby')
      throw new Refused('denied', 'Nobody can join this room from outside.')
    if ((header.contentType === 'commit') !== (given !== undefined)) throw badRequest()
    if (header.wireFormat === 'public' && !header.external) throw badRequest()
    if (given === undefined) return undefined
    const added = given.added.map((one) => this.#device(one))
    const addedKeys = new Set(added.map(deviceKey))
    const removed = given.removed
      .map((one) => this.#device(one))
      .filter((one) => !addedKeys.has(deviceKey(one)))
    // The joiner's own older leaf, which gives way to the new one, is among the added already.
    if (header.external && removed.length > 0)
      throw new Refused('denied', 'Nobody can remove another device while joining.')
    if (header.external ? !isJust(added, peer) : !added.every((one) => this.#mayBeAdded(room, one)))
      throw new Refused('denied', 'A device that would be added does not belong in this room.')
    return { groupInfo: given.groupInfo, added, removed, welcome: given.welcome }
  }

  #device({ user, device }: { user: string; device: Bytes }): GroupDevice {
    return { skeleton: this.#needs.skeleton(user), device }
  }

  /** Devices come into an open room by themselves, into a private one by being added. */
  #mayBeAdded(room: Room, one: GroupDevice): boolean {
    if (room.kind === 'lobby' || !isMember(room, one.skeleton)) return false
    return this.#needs.store.device(one)?.revoked === false
  }
}

function isJust(devices: readonly GroupDevice[], peer: Peer): boolean {
  const [one, ...others] = devices
  return one !== undefined && others.length === 0 && deviceKey(one) === peer.key
}

/** The message's group must be the room's present one: id = room[16] ‖ u32 generation. */
function generationOf(header: MlsHeader, room: Room): number {
  const reader = new Reader(header.groupId)
  if (header.groupId.length !== ROOM_LENGTH + 4 || !equal(reader.take(ROOM_LENGTH), room.room))
    throw badRequest('This message belongs to another room.')
  const generation = reader.u32()
  if (room.generation === null || header.epoch > room.epoch + KEPT_EPOCHS) throw staleEpoch(room)
  return generation
}
