import { type Bytes, equal, hex } from '../protocol/bytes.ts'
import { skeleton } from '../protocol/names.ts'
import type { Trust as TrustWord } from './model.ts'
import type { Storage } from './storage.ts'
import type { Vault } from './vault.ts'

/** The endpoint's key as it was first seen, or as a link gave it. */
export interface EndpointPin {
  /** SHA-256 of the SPKI, 32 bytes. */
  readonly fingerprint: Bytes
  /** It came with an invitation or was accepted by the person, not merely seen first. */
  readonly verified: boolean
}

/** What is known of a person's key. */
export interface PersonPin {
  readonly user: string
  /** SHA-256 of the SPKI that is trusted, 32 bytes. */
  readonly fingerprint: Bytes
  readonly verified: boolean
  /** Another key that was seen under the same name and that nobody has decided on. */
  readonly changed: Bytes | null
}

const PINS = 'pins/'
/** What is only there once an endpoint has been pinned. */
const WITNESSES = ['room/', 'mls']

interface StoredPins {
  readonly endpoint: EndpointPin | null
  readonly people: readonly PersonPin[]
}

/**
 * Which keys belong to whom: the endpoint's per host, people's by the skeleton of their names, so
 * that a look-alike name with another key is a changed key too. Only {@link Trust.decide} and
 * {@link Trust.pinEndpoint} change a pin that exists, and both follow from a person's decision.
 * They stand in one sealed value per host, `pins/<host>`: none can be edited or taken out alone,
 * and no name stands in the clear.
 */
export class Trust {
  readonly #storage: Storage
  readonly #vault: Vault
  readonly #key: string
  readonly #people = new Map<string, PersonPin>()
  #endpoint: EndpointPin | undefined
  #lost = false
  /** Changes wait for one another: each writes all pins. */
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(storage: Storage, vault: Vault, host: string) {
    this.#storage = storage
    this.#vault = vault
    this.#key = PINS + host
  }

  static async open(storage: Storage, vault: Vault, host: string): Promise<Trust> {
    const trust = new Trust(storage, vault, host)
    const sealed = await storage.read(trust.#key)
    const pins = (await vault.open(trust.#key, sealed).catch(() => undefined)) as
      | StoredPins
      | undefined
    for (const pin of pins?.people ?? []) trust.#people.set(skeleton(pin.user), pin)
    trust.#endpoint = pins?.endpoint ?? undefined
    trust.#lost = pins === undefined && (sealed !== undefined || (await wiped(storage)))
    return trust
  }

  /**
   * There were pins, and they are gone or damaged. Nothing may be taken on trust again until the
   * person says so.
   */
  get lost(): boolean {
    return this.#lost
  }

  /** The person has decided to go on without the pins that are lost. */
  startAnew(): Promise<void> {
    return this.#change(() => ({ endpoint: this.#endpoint, pins: [] }))
  }

  /** Pins people whose keys are known from a room's group, where there is no pin. */
  async restore(
    people: readonly { readonly user: string; readonly fingerprint: Bytes }[],
  ): Promise<void> {
    const unknown = people.filter(({ user }) => this.person(user) === undefined)
    if (unknown.length > 0) await this.see(unknown)
  }

  get endpoint(): EndpointPin | undefined {
    return this.#endpoint
  }

  pinEndpoint(pin: EndpointPin): Promise<void> {
    return this.#change(() => ({ endpoint: pin, pins: [] }))
  }

  person(user: string): PersonPin | undefined {
    return this.#people.get(skeleton(user))
  }

  /** Names of those of `users` whose key was first seen under another name, with that name. */
  renamed(users: readonly string[]): { readonly user: string; readonly before: string }[] {
    const first = new Map<string, string>()
    for (const { user, fingerprint } of this.#people.values()) {
      const key = hex(fingerprint)
      if (!first.has(key)) first.set(key, user)
    }
    return users.flatMap((user) => {
      const pin = this.person(user)
      const before = pin && first.get(hex(pin.fingerprint))
      return before === undefined || before === pin?.user ? [] : [{ user, before }]
    })
  }

  word(user: string): TrustWord {
    const pin = this.person(user)
    if (pin !== undefined && pin.changed !== null) return 'changed'
    return pin?.verified ? 'verified' : 'pinned'
  }

  /** Somebody's key has changed, and nobody has decided on it. */
  get undecided(): boolean {
    return [...this.#people.values()].some(({ changed }) => changed !== null)
  }

  /**
   * A key was seen under a name: pins it at first sight, or notes that it is another one. The pins
   * that this changes are stored in one write.
   */
  async see(
    people: readonly { readonly user: string; readonly fingerprint: Bytes }[],
  ): Promise<readonly PersonPin[]> {
    let alarms: readonly PersonPin[] = []
    await this.#change(() => {
      const news = this.#compare(people)
      alarms = news.alarms
      return { endpoint: this.#endpoint, pins: news.pins }
    })
    return alarms
  }

  #compare(people: readonly { readonly user: string; readonly fingerprint: Bytes }[]) {
    const pins = new Map<string, PersonPin>()
    const alarms: PersonPin[] = []
    for (const { user, fingerprint } of people) {
      const name = skeleton(user)
      // Also of what was seen a moment ago, in the same list.
      const pin = pins.get(name) ?? this.#people.get(name)
      const same = pin !== undefined && equal(pin.fingerprint, fingerprint)
      const known = pin?.changed != null && equal(pin.changed, fingerprint)
      if (same || known) continue
      const next =
        pin === undefined
          ? { user, fingerprint, verified: false, changed: null }
          : { ...pin, changed: fingerprint }
      pins.set(name, next)
      if (pin !== undefined) alarms.push(next)
    }
    return { pins: [...pins.values()], alarms }
  }

  /** The person decided that the new key is the right one, or that the old one stays. */
  async decide(user: string, accept: boolean): Promise<void> {
    const pin = this.person(user)
    if (pin === undefined || pin.changed === null) return
    await this.#set(
      accept
        ? { user: pin.user, fingerprint: pin.changed, verified: false, changed: null }
        : { ...pin, changed: null },
    )
  }

  /** The person has compared this one's fingerprint with them, or takes that back. */
  async verified(user: string, verified: boolean): Promise<void> {
    const pin = this.person(user)
    if (pin !== undefined) await this.#set({ ...pin, verified })
  }

  #set(pin: PersonPin): Promise<void> {
    return this.#change(() => ({ endpoint: this.#endpoint, pins: [pin] }))
  }

  /** Writes what `make` makes of the pins as they are then, and takes it over after the write. */
  #change(
    make: () => { readonly endpoint: EndpointPin | undefined; readonly pins: readonly PersonPin[] },
  ): Promise<void> {
    const done = this.#tail.then(async () => {
      const { endpoint, pins } = make()
      if (pins.length === 0 && endpoint === this.#endpoint && !this.#lost) return
      const people = new Map(this.#people)
      for (const pin of pins) people.set(skeleton(pin.user), pin)
      const all: StoredPins = { endpoint: endpoint ?? null, people: [...people.values()] }
      await this.#storage.write(new Map([[this.#key, await this.#vault.seal(this.#key, all)]]))
      for (const pin of pins) this.#people.set(skeleton(pin.user), pin)
      this.#endpoint = endpoint
      this.#lost = false
    })
    this.#tail = done.catch(() => undefined)
    return done
  }
}

/** Whether no host has pins any more, though there was one. */
async function wiped(storage: Storage): Promise<boolean> {
  if ((await storage.keys(PINS)).length > 0) return false
  const left = await Promise.all(WITNESSES.map((prefix) => storage.keys(prefix)))
  return left.some((keys) => keys.length > 0)
}

/** A fingerprint for people to compare, in groups of four: `1a2b 3c4d …`. */
export function spell(fingerprint: Bytes): string {
  return hex(fingerprint).replace(/(.{4})(?=.)/g, '$1 ')
}
