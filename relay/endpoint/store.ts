import type { Bytes } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'

/**
 * What the endpoint keeps, behind one interface so that the embedded SQLite can be replaced.
 *
 * Reads are synchronous and show what is on disk and nothing else: every write whose promise has
 * resolved, and never one that a crash could still take back. (A head shown to a member and lost
 * afterwards would look like a forged history.) They throw SottoError `unavailable` when the disk
 * fails or what they ask for is damaged.
 *
 * Writes marked durable are decided in the order in which they were called and resolve after the
 * commit is on disk (group commit). They reject with `refused` or `stale_epoch` when they may not
 * be, and with `unavailable` when the disk fails or what they touch is damaged. After a failed
 * commit nothing is written until the store has recovered; a write that was rejected so may have
 * reached the disk nevertheless, so it is repeated with the same `msgId`, never made afresh.
 * The caller leaves all bytes given to a write as they are until it has settled.
 */
export interface Store {
  // ── accounts ──
  /**
   * By the name's skeleton (unique without regard to case and look-alikes). Throws `unavailable`
   * when the record is damaged: nobody may enter by it.
   */
  account(skeleton: string): Account | undefined
  accounts(): readonly Account[]
  /** Durable. Rejects with `refused` when the skeleton is taken. */
  createAccount(account: Account): Promise<void>
  /**
   * Durable. The name belongs to another key from now on, and all devices of the old one are
   * revoked. Rejects with `refused` when there is no such account.
   */
  changeKey(skeleton: string, spki: Bytes): Promise<void>
  /** Durable. `null` removes the password. Rejects with `refused` when there is no such account. */
  setPassword(skeleton: string, password: PasswordHash | null): Promise<void>

  // ── devices ──
  devices(skeleton: string): readonly Device[]
  device(one: GroupDevice): Device | undefined
  /** How many there are that are not revoked. */
  deviceCount(skeleton: string): number
  /**
   * Durable. Adds the device or moves its lastSeen, never back. Rejects with `refused` when the
   * device was revoked or the account is unknown. Whatever else names a device needs it added.
   */
  touchDevice(skeleton: string, device: Bytes, lastSeen: number): Promise<void>
  /** Durable. The device is never taken again; its key packages and Welcomes go. */
  revokeDevice(skeleton: string, device: Bytes): Promise<void>

  // ── rooms ──
  /** Throws RoomStopped when its record or its log is damaged. */
  room(room: Bytes): Room | undefined
  /** The ids of the private rooms that the account is in, stopped ones too; never the lobby. */
  roomsOf(skeleton: string): readonly Bytes[]
  /** The private room of the two, in either order. Throws RoomStopped. */
  privateRoom(a: string, b: string): Room | undefined
  /** Durable. Rejects with `refused` when the room or the pair's room exists, or a member doesn't. */
  createRoom(room: NewRoom): Promise<void>
  /** Durable. */
  leaveRoom(room: Bytes, skeleton: string): Promise<void>
  /**
   * Durable. Sets the room's group to this generation at epoch 0 with only `by` in it. Rejects with
   * `stale_epoch` unless generation is the next one (0 for the first).
   */
  createGroup(room: Bytes, generation: number, groupInfo: Bytes, by: GroupDevice): Promise<void>
  groupInfo(room: Bytes): Bytes | undefined
  groupDevices(room: Bytes): readonly GroupDevice[]
  /**
   * Durable. The device lost its group state: it is no longer counted among the group's, unless a
   * Welcome waits for it.
   */
  dropGroupDevice(room: Bytes, device: GroupDevice): Promise<void>
  /**
   * Durable. All groups, Welcomes and key packages are forgotten: they name the endpoint's key, and
   * that one is another now. The next group of a room is one of the next generation.
   */
  forgetGroups(): Promise<void>

  // ── the log ──
  /**
   * Durable. Appends to the room's log; entries get consecutive sequence numbers from 1 and
   * chain_n = H("sotto1 chain" ‖ chain_{n-1} ‖ u64 seq ‖ H(mls)), chain_0 = H("sotto1 chain" ‖ room).
   * The same (room, sender, device, msgId) again resolves to the first entry's place with
   * `repeated`, as long as the log has that entry; the check comes before that of the epoch. With
   * `commit` the epoch is compared and set in the same step: rejects with `stale_epoch` unless
   * generation and epoch are the room's; without it `epoch` may be up to `keptEpochs` behind.
   * Rejects with `refused` when a device in it is unknown, or the sender's is revoked.
   */
  append(entry: NewEntry): Promise<Appended>
  /** Entries with seq > after, at most `most` and about `mostBytes` (at least one if there is any). */
  entries(room: Bytes, after: number, most: number, mostBytes: number): readonly Entry[]

  // ── key packages and Welcomes ──
  /**
   * Durable. With a last resort they replace all that were there; without, they are added, those
   * left out that are there already, and the newest 100 are kept.
   */
  addKeyPackages(
    owner: GroupDevice,
    packages: readonly Bytes[],
    lastResort: Bytes | undefined,
  ): Promise<void>
  keyPackageStock(owner: GroupDevice): { readonly stock: number; readonly lastResort: boolean }
  /** The one that may be given again and again. */
  lastResort(owner: GroupDevice): Bytes | undefined
  /** Durable. Takes (and deletes) one, or the last resort, which stays. */
  takeKeyPackage(owner: GroupDevice): Promise<Bytes | undefined>
  /** The oldest one of the room's present generation that waits for the device. */
  welcome(room: Bytes, device: GroupDevice): StoredWelcome | undefined
  /** Durable. */
  deleteWelcome(id: number, device: GroupDevice): Promise<void>

  // ── the whole ──
  /** Durable. Deletes the oldest entries beyond these limits, but never a room's last. */
  prune(keep: Keep): Promise<void>
  /**
   * Milliseconds since 1970 as the store believes them: the system's clock, but never backwards,
   * and a jump of more than a day is believed when it has lasted for a day. Nothing is deleted
   * by any other clock.
   */
  now(): number
  readonly state: StoreState
  /** What was found damaged and is therefore stopped, while the rest goes on. */
  readonly damages: readonly Damage[]
  readonly identity: StoreIdentity
  close(): Promise<void>
}

export interface PasswordHash {
  readonly salt: Bytes
  /** scrypt output, 32 bytes. */
  readonly hash: Bytes
  readonly cost: number
}

export interface Account {
  readonly skeleton: string
  /** As the person wrote it (NFC). */
  readonly user: string
  readonly spki: Bytes
  readonly password: PasswordHash | null
  readonly disabled: boolean
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

export interface Device {
  readonly device: Bytes
  readonly lastSeen: number
  readonly revoked: boolean
}

export interface GroupDevice {
  readonly skeleton: string
  readonly device: Bytes
}

export interface NewRoom {
  readonly room: Bytes
  readonly kind: 'lobby' | 'private'
  /** Skeletons of both members; empty for the lobby, where every account is a member. */
  readonly members: readonly string[]
}

export interface Room extends NewRoom {
  readonly seq: number
  readonly chain: Bytes
  /** The lowest sequence number still kept; seq + 1 when the log is empty. */
  readonly oldest: number
  readonly generation: number | null
  readonly epoch: number
}

export interface NewEntry {
  readonly room: Bytes
  readonly sender: GroupDevice
  readonly msgId: Bytes
  readonly mls: Bytes
  readonly generation: number
  readonly epoch: number
  readonly commit:
    | {
        readonly groupInfo: Bytes
        readonly added: readonly GroupDevice[]
        readonly removed: readonly GroupDevice[]
        readonly welcome: Bytes | undefined
      }
    | undefined
}

export interface Appended {
  readonly seq: number
  readonly chain: Bytes
  readonly repeated: boolean
}

export interface Entry {
  readonly seq: number
  readonly chain: Bytes
  readonly mls: Bytes
}

export interface StoredWelcome {
  readonly id: number
  readonly generation: number
  readonly mls: Bytes
  /** Place of the commit that added the device. */
  readonly seq: number
  readonly chain: Bytes
}

export interface Keep {
  /** Days; 0 keeps entries for ever. */
  readonly days: number
  /** Bytes of messages in each room; 0 sets no limit. */
  readonly roomBytes: number
}

export interface Damage {
  readonly room: Bytes | undefined
  /** What is stopped and what to do, for people. */
  readonly text: string
}

/** A room is stopped by damage: it takes and shows nothing. Its text is for people. */
export class RoomStopped extends SottoError {
  constructor(text: string) {
    super('unavailable', text)
  }
}

export interface StoreIdentity {
  /** Random, from when the store was made. */
  readonly id: Bytes
  /** How often it was brought back from a backup. */
  readonly restored: number
}

export type StoreState =
  | { readonly ok: true }
  /** What is wrong and what to do, for the log and for people. */
  | { readonly ok: false; readonly text: string }

export interface StoreOptions {
  /** How many epochs back an application message may be. As many as members keep keys of. */
  readonly keptEpochs: number
  /** Called when the open store fails, and when it works again. */
  readonly onState?: (state: StoreState) => void
  /** For the log: what was found and done about it. No content, no names. */
  readonly onNote?: (text: string) => void
  /** Takes a database that lost acknowledged writes as it is, after a person has said so. */
  readonly acceptLoss?: boolean
  /** Milliseconds until a failed store tries to come back, again and again. */
  readonly retryAfter?: number
  /** Milliseconds since 1970; `Date.now` unless given. */
  readonly wallClock?: () => number
  /** Milliseconds that only go forward; `performance.now` unless given. */
  readonly steadyClock?: () => number
}
