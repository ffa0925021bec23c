import { type Bytes, equal, hex } from '../protocol/bytes.ts'
import type { Identity, Signer } from '../protocol/identity.ts'
import { AppLock, IDENTITY, LockableStorage, VAULT } from './app_lock.ts'
import { type LockRecord, unwrapKeys } from './lock_record.ts'
import { makeVaultKeys, type ProfileKeys } from './profile_keys.ts'
import {
  examine,
  type Found,
  type Missing,
  missingText,
  PROFILE,
  type StoredProfile,
} from './profile_pieces.ts'
import { repairWrite } from './profile_repair.ts'
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

/** The profile of a browser, whose identity can be exported and whose store can be locked. */
export interface BrowserProfile extends Profile {
  readonly identity: Identity
  readonly lock: AppLock
}

/** What a store turned out to hold. */
export type LoadedProfile =
  /** Nothing: nobody was here, or the browser has wiped the whole store. */
  | { readonly state: 'none' }
  | { readonly state: 'ready'; readonly profile: BrowserProfile }
  /** The app lock is set. */
  | {
      readonly state: 'locked'
      readonly user: string
      /** Throws SottoError `bad_passphrase`; nothing is changed by that. */
      unlock(passphrase: string): Promise<BrowserProfile>
    }
  /** A part is gone or damaged. `text` says what that means and what to do: see `repairProfile`. */
  | {
      readonly state: 'incomplete'
      readonly missing: readonly Missing[]
      /** The person's name, if that is still known. */
      readonly user: string | undefined
      readonly text: string
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
  const vault = await makeVaultKeys()
  const device = crypto.getRandomValues(new Uint8Array(16))
  const { fingerprint } = identity
  const stored: StoredProfile = { user, device, fingerprint, backedUp }
  await storage.write(
    new Map<string, unknown>([
      [PROFILE, stored],
      [IDENTITY, identity.stored()],
      [VAULT, vault],
    ]),
  )
  return opened(storage, stored, { identity, vault }, undefined)
}

/** What is in this store, with every missing piece recognised before anything relies on it. */
export async function loadProfile(storage: Storage): Promise<LoadedProfile> {
  const found = await examine(storage)
  const { stored, lock } = found
  if (found.empty) return { state: 'none' }
  const missing = missingOf(found)
  if (missing.length > 0 || stored === undefined)
    return { state: 'incomplete', missing, user: stored?.user, text: missingText(missing) }
  if (lock !== undefined)
    return {
      state: 'locked',
      user: stored.user,
      unlock: async (passphrase) =>
        opened(storage, stored, await unwrapKeys(lock, passphrase), lock),
    }
  const { identity, vault } = found
  if (identity === undefined || vault === undefined) throw new Error('pieces that are not missing')
  return { state: 'ready', profile: opened(storage, stored, { identity, vault }, undefined) }
}

function missingOf({ stored, identity, vault, lock, lockDamaged }: Found): Missing[] {
  const missing: Missing[] = stored === undefined ? ['profile'] : []
  if (lock !== undefined) return missing
  if (lockDamaged) return [...missing, 'identity', 'vault']
  const swapped = stored && identity && !equal(stored.fingerprint, identity.fingerprint)
  if (identity === undefined || swapped) missing.push('identity')
  if (vault === undefined) missing.push('vault')
  return missing
}

/**
 * Makes an incomplete profile whole, in one write, with what the person has: the identity from its
 * file when it is gone, the name when that is gone. What can be kept is kept: messages as long as
 * the vault's key is there, and this device's place in rooms when it is still the same device.
 * Throws SottoError `bad_key` when the identity is still missing, or `imported` is another one.
 */
export async function repairProfile(
  storage: Storage,
  user: string,
  imported: Identity | undefined,
): Promise<LoadedProfile> {
  await storage.write(await repairWrite(storage, await examine(storage), user, imported))
  return loadProfile(storage)
}

function opened(
  storage: Storage,
  { user, device, backedUp }: StoredProfile,
  keys: ProfileKeys,
  lock: LockRecord | undefined,
): BrowserProfile {
  const lockable = new LockableStorage(storage, lock !== undefined)
  return {
    user,
    device,
    backedUp,
    identity: keys.identity,
    storage: lockable,
    vault: openVault(keys.vault.working),
    lock: new AppLock(lockable, keys, lock),
  }
}

/** Remembers that the identity now exists in a file too. */
export async function markBackedUp<P extends Profile>(profile: P): Promise<P> {
  if (profile.backedUp) return profile
  const { user, device, identity } = profile
  const { fingerprint } = identity
  const stored: StoredProfile = { user, device, fingerprint, backedUp: true }
  await profile.storage.write(new Map([[PROFILE, stored]]))
  return { ...profile, backedUp: true }
}

/** A profile's short name for logs and locks: no secret. */
export function deviceId(profile: Profile): string {
  return hex(profile.device)
}
