import { type Bytes, equal, hex } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import type { Clock } from './clock.ts'
import type { DeviceKeys, KeyPackagePair } from './mls.ts'
import type { Profile } from './profile.ts'
import type { Link, Loaded, Mls } from './room_deps.ts'

/** Key packages that the endpoint should have of this device, so that others can add it. */
const STOCK = 16
/** It is filled up again when fewer than these are left. */
const LOW = 6

const KEYS = 'mls'
const PACKAGE = 'kp/'

/** A key package of ours whose private half is stored here; `last` is the one used over again. */
export type StoredPackage = KeyPackagePair & { readonly last: boolean }

/**
 * This device's keys for rooms, loaded (with the whole of MLS) when they are first needed, and its
 * stock of key packages. Keys belong to one endpoint: for another key of it they are made anew.
 */
export class Keyring {
  readonly #profile: Profile
  readonly #clock: Clock
  #loaded: Promise<Loaded> | undefined
  #stocking: Promise<void> = Promise.resolve()

  constructor(profile: Profile, clock: Clock) {
    this.#profile = profile
    this.#clock = clock
  }

  /** `host` is the SHA-256 of the endpoint's SPKI. */
  loaded(host: Bytes): Promise<Loaded> {
    this.#loaded ??= this.#load(host).catch((error) => {
      this.#loaded = undefined
      throw error
    })
    return this.#loaded
  }

  /** The endpoint has another key by the person's decision: keys are made anew for it. */
  forget(): void {
    this.#loaded = undefined
  }

  async #load(host: Bytes): Promise<Loaded> {
    const mls = await import('./mls.ts')
    const suite = await mls.mlsSuite()
    const stored = await this.#stored(mls, suite)
    const fits = stored !== undefined && this.#fits(stored.binding, host)
    if (fits && !mls.renewalDue(stored, this.#clock.now())) return { mls, keys: stored, host }
    return { mls, keys: await this.#make(mls, suite, host), host }
  }

  /** Whether they are this very device's, for this endpoint. */
  #fits(binding: DeviceKeys['binding'], host: Bytes): boolean {
    const { user, device, identity } = this.#profile
    return (
      equal(binding.hostKeyHash, host) &&
      binding.user === user &&
      equal(binding.device, device) &&
      equal(binding.fingerprint, identity.fingerprint)
    )
  }

  async #stored(mls: Mls, suite: DeviceKeys['suite']): Promise<DeviceKeys | undefined> {
    const { storage, vault } = this.#profile
    const sealed = await storage.read(KEYS)
    if (sealed === undefined) return undefined
    try {
      return await mls.decodeDeviceKeys(suite, (await vault.open(KEYS, sealed)) as Bytes)
    } catch (error) {
      if (error instanceof SottoError && error.code !== 'unavailable') return undefined
      throw error
    }
  }

  /** New keys; packages that were made with the old ones are of no use any more. */
  async #make(mls: Mls, suite: DeviceKeys['suite'], host: Bytes): Promise<DeviceKeys> {
    const { identity, user, device, storage, vault } = this.#profile
    const now = this.#clock.now()
    const o = { suite, identity, user, device, hostKeyHash: host, now }
    const keys = await mls.makeDeviceKeys(o)
    const changes = new Map<string, unknown>()
    for (const key of await storage.keys(PACKAGE)) changes.set(key, undefined)
    changes.set(KEYS, await vault.seal(KEYS, mls.encodeDeviceKeys(keys)))
    await storage.write(changes)
    return keys
  }

  /** All key packages that a Welcome may be for, by storage key. */
  async packages(): Promise<ReadonlyMap<string, StoredPackage>> {
    const { storage, vault } = this.#profile
    const keys = await storage.keys(PACKAGE)
    const sealed = await storage.readMany(keys)
    const opened = await Promise.all(keys.map((key, i) => vault.open(key, sealed[i])))
    return new Map(keys.map((key, i) => [key, opened[i] as StoredPackage]))
  }

  /**
   * Fills up the endpoint's stock when it is low. The private halves are stored before the public
   * ones leave.
   */
  restock(link: Link, host: Bytes, stock: number, hasLast: boolean): Promise<void> {
    this.#stocking = this.#stocking
      .then(() => this.#restock(link, host, stock, hasLast))
      .catch(() => undefined) // the connection ended, or the store is full: the next sync tries again
    return this.#stocking
  }

  async #restock(link: Link, host: Bytes, stock: number, hasLast: boolean): Promise<void> {
    const { mls, keys } = await this.loaded(host)
    const known = await this.packages()
    const needsLast = !hasLast || ![...known.values()].some(({ last }) => last)
    // A stock that we hold no private halves of was made with keys that are gone.
    const missing = known.size === 0 ? STOCK : stock < LOW ? STOCK - stock : 0
    if (missing === 0 && !needsLast) return
    const made = await mls.makeKeyPackages(keys, missing + 1, this.#clock.now())
    const packages = made.slice(0, missing)
    const last = needsLast ? made[missing] : undefined
    const changes = new Map<string, unknown>()
    for (const pair of last === undefined ? packages : [...packages, last])
      await this.#stage({ ...pair, last: pair === last }, changes)
    await this.#profile.storage.write(changes)
    await link.ask({
      op: 'publish_key_packages',
      packages: packages.map((pair) => pair.package),
      ...(last && { lastResort: last.package }),
    })
  }

  async #stage(pair: StoredPackage, changes: Map<string, unknown>): Promise<void> {
    const key = PACKAGE + hex(crypto.getRandomValues(new Uint8Array(8)))
    changes.set(key, await this.#profile.vault.seal(key, pair))
  }
}
