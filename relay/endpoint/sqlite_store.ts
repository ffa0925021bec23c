import { performance } from 'node:perf_hooks'
import { type Bytes, hex } from '../../web/protocol/bytes.ts'
import { BelievedClock } from './believed_clock.ts'
import { lockDirectory } from './data_lock.ts'
import { unavailable } from './disk_errors.ts'
import { makeDataDirectory, openForReading } from './recovery.ts'
import { SqliteReader } from './sqlite_reader.ts'
import type { WriteArguments, WriteName, WriteResult } from './sqlite_writes.ts'
import {
  type Account,
  type Appended,
  type Damage,
  type GroupDevice,
  type Keep,
  type NewEntry,
  type NewRoom,
  type PasswordHash,
  RoomStopped,
  type Store,
  type StoreIdentity,
  type StoreOptions,
  type StoreState,
} from './store.ts'
import { closed, WriteQueue } from './write_queue.ts'

const RETRY_MS = 1000

/**
 * Opens the store in `dir`, which it makes if needed (mode 700). Rejects with SottoError
 * `unavailable` (directory not writable, another endpoint runs on it, made by a newer version,
 * damaged) or `rolled_back` (acknowledged writes are missing); the text says what to do.
 */
export async function openStore(dir: string, options: StoreOptions): Promise<Store> {
  makeDataDirectory(dir)
  const lock = lockDirectory(dir)
  const store = new SqliteStore(dir, options, () => lock.close())
  try {
    await store.open()
    return store
  } catch (error) {
    lock.close()
    throw error
  }
}

class SqliteStore implements Store {
  readonly #dir: string
  readonly #options: StoreOptions
  readonly #queue: WriteQueue
  readonly #unlock: () => void
  readonly #damages = new Map<string, Damage>()
  #reader: SqliteReader | undefined
  #clock: BelievedClock | undefined
  #closing: Promise<void> | undefined
  #identity: StoreIdentity = { id: new Uint8Array(16), restored: 0 }

  constructor(dir: string, options: StoreOptions, unlock: () => void) {
    this.#dir = dir
    this.#options = options
    this.#unlock = unlock
    this.#queue = new WriteQueue({
      dir,
      keptEpochs: options.keptEpochs,
      retryAfter: options.retryAfter ?? RETRY_MS,
      now: () => this.now(),
      onState: (state) => options.onState?.(state),
      beforeOpening: () => this.#openReader(),
      onOpened: (opened) => {
        const { id, restored, clock, damages, notes } = opened
        this.#identity = { id, restored }
        this.#clock ??= new BelievedClock(this.#wall, this.#steady, clock)
        for (const damage of damages) this.#stop(damage)
        for (const note of notes) options.onNote?.(note)
        if (this.#reader === undefined) this.#openReader()
      },
    })
  }

  open(): Promise<void> {
    return this.#queue.open(this.#options.acceptLoss ?? false)
  }

  now(): number {
    return this.#clock === undefined ? this.#wall() : this.#clock.now()
  }

  get state(): StoreState {
    return this.#queue.state
  }

  get damages(): readonly Damage[] {
    return [...this.#damages.values()]
  }

  get identity(): StoreIdentity {
    return this.#identity
  }

  // ── reads ──

  account(skeleton: string) {
    return this.#read((reader) => reader.account(skeleton))
  }

  accounts() {
    return this.#read((reader) => reader.accounts())
  }

  devices(skeleton: string) {
    return this.#read((reader) => reader.devices(skeleton))
  }

  device(one: GroupDevice) {
    return this.#read((reader) => reader.device(one))
  }

  deviceCount(skeleton: string) {
    return this.#read((reader) => reader.deviceCount(skeleton))
  }

  room(room: Bytes) {
    return this.#readRoom(room, (reader) => reader.room(room))
  }

  roomsOf(skeleton: string) {
    return this.#read((reader) => reader.roomsOf(skeleton))
  }

  privateRoom(a: string, b: string) {
    const room = this.#read((reader) => reader.privateRoom(a, b))
    return room === undefined ? undefined : this.room(room)
  }

  groupInfo(room: Bytes) {
    return this.#read((reader) => reader.groupInfo(room))
  }

  groupDevices(room: Bytes) {
    return this.#read((reader) => reader.groupDevices(room))
  }

  entries(room: Bytes, after: number, most: number, mostBytes: number) {
    return this.#readRoom(room, (reader) => reader.entries(room, after, most, mostBytes))
  }

  keyPackageStock(owner: GroupDevice) {
    return this.#read((reader) => reader.keyPackageStock(owner))
  }

  lastResort(owner: GroupDevice) {
    return this.#read((reader) => reader.lastResort(owner))
  }

  welcome(room: Bytes, device: GroupDevice) {
    return this.#read((reader) => reader.welcome(room, device))
  }

  // ── writes ──

  createAccount(account: Account): Promise<void> {
    return this.#write('createAccount', account)
  }

  changeKey(skeleton: string, spki: Bytes): Promise<void> {
    return this.#write('changeKey', skeleton, spki)
  }

  setPassword(skeleton: string, password: PasswordHash | null): Promise<void> {
    return this.#write('setPassword', skeleton, password)
  }

  touchDevice(skeleton: string, device: Bytes, lastSeen: number): Promise<void> {
    return this.#write('touchDevice', skeleton, device, lastSeen)
  }

  revokeDevice(skeleton: string, device: Bytes): Promise<void> {
    return this.#write('revokeDevice', skeleton, device)
  }

  createRoom(room: NewRoom): Promise<void> {
    return this.#write('createRoom', room)
  }

  leaveRoom(room: Bytes, skeleton: string): Promise<void> {
    return this.#write('leaveRoom', room, skeleton)
  }

  async createGroup(
    room: Bytes,
    generation: number,
    groupInfo: Bytes,
    by: GroupDevice,
  ): Promise<void> {
    this.#checkRunning(room)
    await this.#write('createGroup', room, generation, groupInfo, by)
  }

  dropGroupDevice(room: Bytes, device: GroupDevice): Promise<void> {
    return this.#write('dropGroupDevice', room, device)
  }

  forgetGroups(): Promise<void> {
    return this.#write('forgetGroups')
  }

  async append(entry: NewEntry): Promise<Appended> {
    this.#checkRunning(entry.room)
    return this.#write('append', entry)
  }

  addKeyPackages(
    owner: GroupDevice,
    packages: readonly Bytes[],
    lastResort: Bytes | undefined,
  ): Promise<void> {
    return this.#write('addKeyPackages', owner, packages, lastResort)
  }

  takeKeyPackage(owner: GroupDevice): Promise<Bytes | undefined> {
    return this.#write('takeKeyPackage', owner)
  }

  deleteWelcome(id: number, device: GroupDevice): Promise<void> {
    return this.#write('deleteWelcome', id, device)
  }

  async prune(keep: Keep): Promise<void> {
    while (await this.#write('prune', keep));
  }

  /** Writes what waits. After this nothing of the store works. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#queue.close()
    this.#reader?.close()
    this.#reader = undefined
    this.#unlock()
  }

  #write<N extends WriteName>(name: N, ...args: WriteArguments<N>): Promise<WriteResult<N>> {
    return this.#queue.write(name, ...args)
  }

  #read<T>(read: (reader: SqliteReader) => T): T {
    if (this.#reader === undefined) throw closed()
    try {
      return read(this.#reader)
    } catch (cause) {
      throw unavailable(cause)
    }
  }

  /** Stops the room when what is read of it is damaged. Throws RoomStopped. */
  #readRoom<T>(room: Bytes, read: (reader: SqliteReader) => T): T {
    this.#checkRunning(room)
    try {
      return this.#read(read)
    } catch (error) {
      if (error instanceof RoomStopped) this.#stop({ room, text: error.message })
      throw error
    }
  }

  #openReader(): void {
    // The old one goes first: with it the shared index of a failed write-ahead log goes as well.
    this.#reader?.close()
    this.#reader = undefined
    try {
      this.#reader = new SqliteReader(openForReading(this.#dir))
    } catch {
      // The writer will fail on the same and say why; reads are refused until it comes back.
    }
  }

  #checkRunning(room: Bytes): void {
    const damage = this.#damages.get(hex(room))
    if (damage !== undefined) throw new RoomStopped(damage.text)
  }

  #stop(damage: Damage): void {
    const key = damage.room === undefined ? damage.text : hex(damage.room)
    if (this.#damages.has(key)) return
    this.#damages.set(key, damage)
    this.#options.onNote?.(damage.text)
  }

  #wall = (): number => (this.#options.wallClock ?? Date.now)()
  #steady = (): number => (this.#options.steadyClock ?? (() => performance.now()))()
}
