import { type Bytes, equal, hex } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import type { Clock } from './clock.ts'
import type { DeviceKeys, KeyPackagePair } from './mls.ts'
import type { Profile } from './profile.ts'
import type { Link, Loaded, Mls } from './room_deps.ts'

/** Key packages that the endpoint should have of this device, so that others can add it. */
const STOCK = 16
/** A new one is published when fewer than these are left. */
const LOW = 6
const DAY_MS = 86_400_000
/** … and well before its packages end: they are good for 90 days. */
const FRESH_MS = 60 * DAY_MS
/** Private halves of earlier stocks are kept for Welcomes that are still on their way. */
const KEPT_MS = 90 * DAY_MS
const KEPT_STOCKS = 4

const KEYS = 'mls'
const PACKAGE = 'kp/'
/** When the stock was made that the endpoint has for sure. */
const PUBLISHED = 'stock'

/**
 * A key package of ours whose private half is stored here. `last` is the one used over again, `at`
 * (milliseconds since 1970) names the stock that it was made with.
 */
export type StoredPackage = KeyPackagePair & { readonly last: boolean; readonly at: number }

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

  /** A page may stay open for longer than its keys are good: each session looks at them again. */
  async renew(): Promise<void> {
    const loaded = await this.#loaded?.catch(() => undefined)
    if (loaded?.mls.renewalDue(loaded.keys, this.#clock.now())) this.#loaded = undefined
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
    return (await this.#packages()).whole
  }

  /** What can be read, and the storage keys of what is damaged. */
  async #packages(): Promise<{ whole: Map<string, StoredPackage>; damaged: string[] }> {
    const { storage, vault } = this.#profile
    const keys = await storage.keys(PACKAGE)
    const sealed = await storage.readMany(keys)
    const whole = new Map<string, StoredPackage>()
    const damaged: string[] = []
    for (const [i, key] of keys.entries()) {
      const pair = await vault.open(key, sealed[i]).catch(() => undefined)
      if (pair === undefined) damaged.push(key)
      else whole.set(key, pair as StoredPackage)
    }
    return { whole, damaged }
  }

  /**
   * Publishes a new stock when the endpoint's is low, or has aged, or is not the one whose private
   * halves are here. Those are stored before the public ones leave.
   */
  restock(link: Link, host: Bytes, stock: number, hasLast: boolean): Promise<void> {
    this.#stocking = this.#stocking
      .then(() => this.#restock(link, host, stock, hasLast))
      .catch(() => undefined) // the connection ended, or the store is full: the next sync tries again
    return this.#stocking
  }

  async #restock(link: Link, host: Bytes, stock: number, hasLast: boolean): Promise<void> {
    const { storage } = this.#profile
    const now = this.#clock.now()
    // New keys make the packages that are there useless.
    await this.loaded(host)
    const { whole, damaged } = await this.#packages()
    const published = await storage.read(PUBLISHED)
    // What a clock that was ahead has made may not be good yet.
    const made = [...new Set([...whole.values()].map(({ at }) => at))]
      .filter((at) => at < now + DAY_MS && at > now - KEPT_MS)
      .sort((a, b) => b - a)
      .slice(0, KEPT_STOCKS)
    await this.#tidy(whole, damaged, [published, ...made])
    const newest = [...whole.values()].filter(({ at }) => at === made[0])
    const fresh = (made[0] ?? 0) > now - FRESH_MS
    const sound = damaged.length === 0 && newest.some(({ last }) => last) && newest.length > stock
    const known = published === made[0]
    if (fresh && sound && known && hasLast && stock >= LOW) return
    // What nobody has confirmed goes again as it is: the endpoint may have it.
    await this.#publish(link, fresh && sound && !known ? newest : await this.#makeStock(host, now))
  }

  async #publish(link: Link, stock: readonly StoredPackage[]): Promise<void> {
    const packages = stock.filter(({ last }) => !last).map((pair) => pair.package)
    const last = stock.find((pair) => pair.last)
    if (last === undefined) return
    await link.ask({ op: 'publish_key_packages', packages, lastResort: last.package })
    await this.#profile.storage.write(new Map([[PUBLISHED, last.at]]))
  }

  async #makeStock(host: Bytes, now: number): Promise<StoredPackage[]> {
    const { storage, vault } = this.#profile
    const { mls, keys } = await this.loaded(host)
    const pairs = await mls.makeKeyPackages(keys, STOCK + 1, now)
    const stock = pairs.map((pair, i) => ({ ...pair, last: i === STOCK, at: now }))
    const changes = new Map<string, unknown>()
    for (const pair of stock) {
      const key = PACKAGE + hex(crypto.getRandomValues(new Uint8Array(8)))
      changes.set(key, await vault.seal(key, pair))
    }
    await storage.write(changes)
    return stock
  }

  /** Deletes what no Welcome can be for any more, and what can't be read. */
  async #tidy(
    whole: ReadonlyMap<string, StoredPackage>,
    damaged: readonly string[],
    kept: readonly unknown[],
  ): Promise<void> {
    const old = [...whole].filter(([, { at }]) => !kept.includes(at)).map(([key]) => key)
    const gone = [...damaged, ...old]
    if (gone.length > 0)
      await this.#profile.storage.write(new Map(gone.map((key) => [key, undefined])))
  }
}
