import { SottoError } from '../protocol/errors.ts'
import { type LockRecord, lockRecordFrom, unwrapKeys, wrapKeys } from './lock_record.ts'
import type { ProfileKeys } from './profile_keys.ts'
import type { Storage } from './storage.ts'

/** The storage keys of a profile's two keys, and of what stands in their place. */
export const IDENTITY = 'identity'
export const VAULT = 'vault'
export const LOCK = 'lock'
const TICKET = 'ticket'

/**
 * A profile's store. While the app lock is set, values with a CryptoKey in them (tickets of the
 * handshake) live in memory only: a key at rest would be one that no passphrase guards.
 */
export class LockableStorage implements Storage {
  keysInMemory: boolean
  readonly #storage: Storage
  readonly #memory = new Map<string, unknown>()

  constructor(storage: Storage, keysInMemory: boolean) {
    this.#storage = storage
    this.keysInMemory = keysInMemory
  }

  async read(key: string): Promise<unknown> {
    return this.#memory.has(key) ? this.#memory.get(key) : this.#storage.read(key)
  }

  async readMany(keys: readonly string[]): Promise<unknown[]> {
    const stored = await this.#storage.readMany(keys)
    return keys.map((key, i) => (this.#memory.has(key) ? this.#memory.get(key) : stored[i]))
  }

  async keys(prefix: string): Promise<string[]> {
    const mine = [...this.#memory.keys()].filter((key) => key.startsWith(prefix))
    const stored = await this.#storage.keys(prefix)
    return mine.length === 0 ? stored : [...new Set([...stored, ...mine])].sort()
  }

  async write(changes: ReadonlyMap<string, unknown>): Promise<void> {
    const held = new Map([...changes].filter(([, value]) => this.keysInMemory && hasKey(value)))
    const resting = new Map(changes)
    for (const key of held.keys()) resting.set(key, undefined)
    await this.#storage.write(resting)
    for (const key of changes.keys()) this.#memory.delete(key)
    for (const [key, value] of held) this.#memory.set(key, value)
  }

  destroy(): Promise<void> {
    this.#memory.clear()
    return this.#storage.destroy()
  }

  close(): void {
    this.#memory.clear()
    this.#storage.close()
  }
}

function hasKey(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false
  return value instanceof CryptoKey || Object.values(value).some(hasKey)
}

/**
 * The app lock of a profile that is open: what the page's settings call. Each change is one write;
 * a crash leaves either the old state or the new one. To lock at once, the page disconnects, closes
 * the storage, drops the profile and loads it again (best by reloading itself): without the
 * passphrase there is nothing to open then.
 */
export class AppLock {
  readonly #storage: LockableStorage
  readonly #keys: ProfileKeys
  #record: LockRecord | undefined

  constructor(storage: LockableStorage, keys: ProfileKeys, record: LockRecord | undefined) {
    this.#storage = storage
    this.#keys = keys
    this.#record = record
  }

  get isSet(): boolean {
    return this.#record !== undefined
  }

  /**
   * Sets a lock. Throws SottoError `bad_passphrase` for a passphrase that is too short, `refused`
   * when there is a lock already.
   */
  async set(passphrase: string): Promise<void> {
    if (this.#record !== undefined)
      throw new SottoError('refused', 'There is an app lock already. Change its passphrase.')
    const record = await wrapKeys(this.#keys, passphrase)
    this.#storage.keysInMemory = true
    try {
      const gone = [IDENTITY, VAULT, TICKET].map((key) => [key, undefined] as const)
      await this.#storage.write(new Map<string, unknown>([...gone, [LOCK, record]]))
    } catch (error) {
      this.#storage.keysInMemory = false
      throw error
    }
    this.#record = record
  }

  /** Throws SottoError `bad_passphrase` when `current` is wrong or `next` too short. */
  async change(current: string, next: string): Promise<void> {
    await this.#check(current)
    const record = await wrapKeys(this.#keys, next)
    await this.#storage.write(new Map([[LOCK, record]]))
    this.#record = record
  }

  /** Takes the lock away. Throws SottoError `bad_passphrase` when the passphrase is wrong. */
  async remove(passphrase: string): Promise<void> {
    await this.#check(passphrase)
    const { identity, vault } = this.#keys
    this.#storage.keysInMemory = false
    try {
      await this.#storage.write(
        new Map<string, unknown>([
          [IDENTITY, identity.stored()],
          [VAULT, vault],
          [LOCK, undefined],
        ]),
      )
    } catch (error) {
      this.#storage.keysInMemory = true
      throw error
    }
    this.#record = undefined
  }

  /** What is stored counts, in case it is not what this page remembers. */
  async #check(passphrase: string): Promise<void> {
    const record = lockRecordFrom(await this.#storage.read(LOCK))
    if (record === undefined) throw new SottoError('refused', 'There is no app lock.')
    await unwrapKeys(record, passphrase)
  }
}
