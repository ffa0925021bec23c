import type { Bytes } from '../../web/protocol/bytes.ts'

/**
 * What the endpoint keeps, behind one interface so that the embedded SQLite can be replaced.
 * Reads are synchronous and see every write accepted so far. Writes marked durable resolve after
 * the commit is on disk (group commit) and reject with SottoError `unavailable` when it isn't:
 * then nothing of them is kept and the store refuses all writes until it has recovered.
 */
export interface Store {
  // ── accounts ──
  /** By the name's skeleton (unique without regard to case and look-alikes). */
  account(skeleton: string): Account | undefined
  accounts(): readonly Account[]
  /** Durable. Rejects with `refused` when the skeleton is taken. */
  createAccount(account: Account): Promise<void>
  /** Durable. `null` removes the password. */
  setPassword(skeleton: string, password: PasswordHash | null): Promise<void>

  // ── devices ──
  devices(skeleton: string): readonly Device[]
  /** Durable. Adds the device or moves its lastSeen. */
  touchDevice(skeleton: string, device: Bytes, lastSeen: number): Promise<void>
  /** Durable. The device is never taken again; its key packages and Welcomes go. */
  revokeDevice(skeleton: string, device: Bytes): Promise<void>

  // ── rooms ──
  room(room: Bytes): Room | undefined
  roomsOf(skeleton: string): readonly Room[]
  /** The private room of the two, in either order. */
  privateRoom(a: string, b: string): Room | undefined
  /** Durable. */
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
  /** Durable. The device lost its group state: it is no longer counted among the group's. */
  dropGroupDevice(room: Bytes, device: GroupDevice): Promise<void>

  // ── the log ──
  /**
   * Durable. Appends to the room's log; entries get consecutive sequence numbers from 1 and
   * chain_n = H("sotto1 chain" ‖ chain_{n-1} ‖ u64 seq ‖ H(mls)), chain_0 = H("sotto1 chain" ‖ room).
   * The same (sender, device, msgId) again resolves to the first entry's head with `repeated`. With `commit`
   * the epoch is compared and set in the same step: rejects with `stale_epoch` unless
   * `epoch` is the room's; without it `epoch` may be up to `keptEpochs` behind.
   */
  append(entry: NewEntry): Promise<Appended>
  /** Entries with seq > after, at most `most` and about `mostBytes` (at least one if there is any). */
  entries(room: Bytes, after: number, most: number, mostBytes: number): readonly Entry[]

  // ── key packages and Welcomes ──
  /** Durable. */
  addKeyPackages(
    owner: GroupDevice,
    packages: readonly Bytes[],
    lastResort: Bytes | undefined,
  ): Promise<void>
  keyPackageStock(owner: GroupDevice): { readonly stock: number; readonly lastResort: boolean }
  /** Durable. Takes (and deletes) one, or the last resort, which stays. */
  takeKeyPackage(owner: GroupDevice): Promise<Bytes | undefined>
  welcome(room: Bytes, device: GroupDevice): StoredWelcome | undefined
  /** Durable. */
  deleteWelcome(id: number, device: GroupDevice): Promise<void>

  // ── the whole ──
  /** Durable. Deletes entries older than this (ms since 1970) but never a room's last. */
  prune(before: number): Promise<void>
  readonly state: StoreState
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
  readonly at: number
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

export type StoreState =
  | { readonly ok: true }
  /** What is wrong and what to do, for the log and for people. */
  | { readonly ok: false; readonly text: string }
