import type { Bytes } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import { Identity } from '../protocol/identity.ts'
import { IDENTITY, LOCK, VAULT } from './app_lock.ts'
import { type LockRecord, lockRecordFrom } from './lock_record.ts'
import { type VaultKeys, vaultKeysFrom } from './profile_keys.ts'
import type { Storage } from './storage.ts'

export const PROFILE = 'profile'

/** Who this is. Not secret, and never sealed: a locked profile has to be told by its name. */
export interface StoredProfile {
  readonly user: string
  /** 16 bytes. */
  readonly device: Bytes
  /** Of the identity, 32 bytes: another key in its place is noticed. */
  readonly fingerprint: Bytes
  readonly backedUp: boolean
}

/** profile: who this is; identity: the person's key; vault: the key that seals this store. */
export type Missing = 'profile' | 'identity' | 'vault'

/** What a store holds of what a profile cannot do without; undefined where gone or damaged. */
export interface Found {
  readonly empty: boolean
  readonly stored: StoredProfile | undefined
  readonly identity: Identity | undefined
  readonly vault: VaultKeys | undefined
  readonly lock: LockRecord | undefined
  readonly lockDamaged: boolean
}

export async function examine(storage: Storage): Promise<Found> {
  const pieces = [PROFILE, IDENTITY, VAULT, LOCK]
  const [stored, identity, vault, lock] = await storage.readMany(pieces)
  const any = [stored, identity, vault, lock].some((piece) => piece !== undefined)
  const record = lockRecordFrom(lock)
  return {
    empty: !any && (await storage.keys('')).length === 0,
    stored: isStoredProfile(stored) ? stored : undefined,
    identity: await identityFrom(identity),
    vault: vaultKeysFrom(vault),
    lock: record,
    lockDamaged: lock !== undefined && record === undefined,
  }
}

async function identityFrom(value: unknown): Promise<Identity | undefined> {
  try {
    return await Identity.open(value)
  } catch (error) {
    if (error instanceof SottoError && error.code === 'bad_key') return undefined
    throw error
  }
}

function isStoredProfile(value: unknown): value is StoredProfile {
  if (typeof value !== 'object' || value === null) return false
  const { user, device, fingerprint, backedUp } = value as Partial<
    Record<keyof StoredProfile, unknown>
  >
  return (
    typeof user === 'string' &&
    device instanceof Uint8Array &&
    device.length === 16 &&
    fingerprint instanceof Uint8Array &&
    fingerprint.length === 32 &&
    typeof backedUp === 'boolean'
  )
}

const MEANS: Record<Missing, string> = {
  profile: 'It no longer knows whose this was: enter your name again.',
  identity: 'Your key is gone: import your key file to go on as the same person.',
  vault: 'The key to what was stored is gone: messages that were only here can’t be read any more.',
}

/** What the lack of these pieces means, and the way back, for people. */
export function missingText(missing: readonly Missing[]): string {
  const what = 'The browser has deleted or damaged a part of what Sotto stored.'
  return [what, ...missing.map((piece) => MEANS[piece])].join(' ')
}
