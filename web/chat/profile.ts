import { type Bytes, hex } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import { Identity, type Signer } from '../protocol/identity.ts'
import type { Storage } from './storage.ts'
import { openVault, type Vault } from './vault.ts'

/** Everything that makes a chat this person's on this device. */
export interface Profile {
  /** Display form of the name (`normaliseName`). */
  readonly user: string
  /** 16 random bytes, made with the profile: one device of the person. */
  readonly device: Bytes
  /** Signs; `fingerprint` is the SHA-256 of its SPKI. */
  readonly identity: Signer & { readonly fingerprint: Bytes }
  readonly storage: Storage
  /** Seals what rests in `storage`. */
  readonly vault: Vault
  /** The identity has been exported at least once, or came from a file. */
  readonly backedUp: boolean
}

/** The profile of a browser, whose identity can be exported. */
export interface BrowserProfile extends Profile {
  readonly identity: Identity
}

interface StoredProfile {
  readonly user: string
  readonly device: Bytes
  readonly backedUp: boolean
}

const PROFILE = 'profile'
const IDENTITY = 'identity'
const VAULT = 'vault'

/** The key that seals this device's store: made here, never exportable. */
function makeVaultKey(): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
}

/**
 * Makes a profile in an empty store, in one write. `backedUp` when the identity was imported from
 * a file that the person has.
 */
export async function createProfile(
  storage: Storage,
  user: string,
  identity: Identity,
  backedUp: boolean,
): Promise<BrowserProfile> {
  const key = await makeVaultKey()
  const device = crypto.getRandomValues(new Uint8Array(16))
  const stored: StoredProfile = { user, device, backedUp }
  await storage.write(
    new Map<string, unknown>([
      [PROFILE, stored],
      [IDENTITY, identity.stored()],
      [VAULT, key],
    ]),
  )
  return { ...stored, identity, storage, vault: openVault(key) }
}

/**
 * The profile in this store, or undefined when there never was one. Throws SottoError `bad_key`
 * when the browser has wiped a part of it: the person then has to import the identity again.
 */
export async function loadProfile(storage: Storage): Promise<BrowserProfile | undefined> {
  const [stored, kept, key] = await storage.readMany([PROFILE, IDENTITY, VAULT])
  if (stored === undefined && kept === undefined && key === undefined) return undefined
  const identity = await Identity.open(kept)
  if (!isStoredProfile(stored) || !(key instanceof CryptoKey)) throw halfWiped()
  return { ...stored, identity, storage, vault: openVault(key) }
}

/** Remembers that the identity now exists in a file too. */
export async function markBackedUp<P extends Profile>(profile: P): Promise<P> {
  const { user, device } = profile
  await profile.storage.write(new Map([[PROFILE, { user, device, backedUp: true }]]))
  return { ...profile, backedUp: true }
}

/** A profile's short name for logs and locks: no secret. */
export function deviceId(profile: Profile): string {
  return hex(profile.device)
}

function isStoredProfile(value: unknown): value is StoredProfile {
  if (typeof value !== 'object' || value === null) return false
  const { user, device, backedUp } = value as Partial<Record<keyof StoredProfile, unknown>>
  return (
    typeof user === 'string' &&
    device instanceof Uint8Array &&
    device.length === 16 &&
    typeof backedUp === 'boolean'
  )
}

function halfWiped(): SottoError {
  return new SottoError(
    'bad_key',
    'The browser has deleted a part of what Sotto stored. Import your key file to go on as the same person; messages that were only here are gone.',
  )
}
