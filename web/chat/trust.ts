import { type Bytes, equal, hex } from '../protocol/bytes.ts'
import { skeleton } from '../protocol/names.ts'
import type { Trust as TrustWord } from './model.ts'
import type { Storage } from './storage.ts'

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

const PERSON = 'pin/person/'
const ENDPOINT = 'pin/endpoint/'

/**
 * Which keys belong to whom: the endpoint's per host, people's by the skeleton of their names, so
 * that a look-alike name with another key is a changed key too. Only {@link Trust.accept} and
 * {@link Trust.pinEndpoint} change a pin that exists, and both follow from a person's decision.
 */
export class Trust {
  readonly #storage: Storage
  readonly #host: string
  readonly #people = new Map<string, PersonPin>()
  #endpoint: EndpointPin | undefined

  private constructor(storage: Storage, host: string) {
    this.#storage = storage
    this.#host = host
  }

  static async open(storage: Storage, host: string): Promise<Trust> {
    const trust = new Trust(storage, host)
    const keys = await storage.keys(PERSON + hostKey(host))
    for (const pin of (await storage.readMany(keys)) as PersonPin[])
      trust.#people.set(skeleton(pin.user), pin)
    trust.#endpoint = (await storage.read(ENDPOINT + host)) as EndpointPin | undefined
    return trust
  }

  get endpoint(): EndpointPin | undefined {
    return this.#endpoint
  }

  async pinEndpoint(pin: EndpointPin): Promise<void> {
    await this.#storage.write(new Map([[ENDPOINT + this.#host, pin]]))
    this.#endpoint = pin
  }

  person(user: string): PersonPin | undefined {
    return this.#people.get(skeleton(user))
  }

  word(user: string): TrustWord {
    const pin = this.person(user)
    if (pin !== undefined && pin.changed !== null) return 'changed'
    return pin?.verified ? 'verified' : 'pinned'
  }

  /**
   * A key was seen under a name: pins it at first sight, or notes that it is another one. The pins
   * that this changes are stored in one write.
   */
  async see(
    people: readonly { readonly user: string; readonly fingerprint: Bytes }[],
  ): Promise<readonly PersonPin[]> {
    const changes = new Map<string, unknown>()
    const pins: PersonPin[] = []
    const alarms: PersonPin[] = []
    for (const { user, fingerprint } of people) {
      const pin = this.person(user)
      const same = pin !== undefined && equal(pin.fingerprint, fingerprint)
      const known = pin?.changed != null && equal(pin.changed, fingerprint)
      if (same || known) continue
      const next =
        pin === undefined
          ? { user, fingerprint, verified: false, changed: null }
          : { ...pin, changed: fingerprint }
      pins.push(next)
      if (pin !== undefined) alarms.push(next)
      changes.set(this.#key(user), next)
    }
    if (pins.length > 0) await this.#storage.write(changes)
    for (const pin of pins) this.#people.set(skeleton(pin.user), pin)
    return alarms
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

  /** The two have compared their safety numbers. */
  async verified(user: string): Promise<void> {
    const pin = this.person(user)
    if (pin !== undefined) await this.#set({ ...pin, verified: true })
  }

  async #set(pin: PersonPin): Promise<void> {
    await this.#storage.write(new Map([[this.#key(pin.user), pin]]))
    this.#people.set(skeleton(pin.user), pin)
  }

  #key(user: string): string {
    return `${PERSON}${hostKey(this.#host)}${skeleton(user)}`
  }
}

function hostKey(host: string): string {
  return `${host}/`
}

/** A fingerprint for people to compare, in groups of four: `1a2b 3c4d …`. */
export function spell(fingerprint: Bytes): string {
  return hex(fingerprint).replace(/(.{4})(?=.)/g, '$1 ')
}
