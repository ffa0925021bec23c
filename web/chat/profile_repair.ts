import { equal } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import type { Identity } from '../protocol/identity.ts'
import { IDENTITY, LOCK, VAULT } from './app_lock.ts'
import { makeVaultKeys } from './profile_keys.ts'
import { type Found, PROFILE, type StoredProfile } from './profile_pieces.ts'
import type { Storage } from './storage.ts'

/** What belongs to one device: a device with a new number joins its rooms anew. */
const OF_THE_DEVICE = ['mls', 'kp/', 'group/', 'pending/', 'ticket', 'revoked']

/**
 * The write that makes an incomplete profile whole. Throws SottoError `bad_key` when the identity
 * is still missing or is another person's.
 */
export async function repairWrite(
  storage: Storage,
  found: Found,
  user: string,
  imported: Identity | undefined,
): Promise<Map<string, unknown>> {
  if (found.lock !== undefined) return withLock(storage, found.lock.spki, user)
  const { stored } = found
  const identity = imported ?? whole(found)
  if (identity === undefined)
    throw new SottoError('bad_key', 'The key of this person is gone here. Import the key file.')
  if (stored && !equal(stored.fingerprint, identity.fingerprint))
    throw new SottoError('bad_key', `This is not the key that ${stored.user} had here.`)
  const vault = found.vault ?? (await makeVaultKeys())
  const sameDevice = stored !== undefined && found.vault !== undefined
  const changes = new Map<string, unknown>()
  // What an unknown key has sealed is of no use to anybody.
  const gone = found.vault === undefined ? [''] : sameDevice ? [] : OF_THE_DEVICE
  await stageRemoval(storage, gone, changes)
  changes.set(PROFILE, {
    user: stored?.user ?? user,
    device: sameDevice ? stored.device : newDevice(),
    fingerprint: identity.fingerprint,
    backedUp: imported !== undefined || (stored?.backedUp ?? false),
  } satisfies StoredProfile)
  changes.set(IDENTITY, identity.stored())
  changes.set(VAULT, vault)
  changes.set(LOCK, undefined)
  return changes
}

/** The keys are safe behind the app lock: only who this was has to be said again. */
async function withLock(
  storage: Storage,
  spki: Uint8Array<ArrayBuffer>,
  user: string,
): Promise<Map<string, unknown>> {
  const changes = new Map<string, unknown>()
  await stageRemoval(storage, OF_THE_DEVICE, changes)
  const fingerprint = new Uint8Array(await crypto.subtle.digest('SHA-256', spki))
  const stored: StoredProfile = { user, device: newDevice(), fingerprint, backedUp: false }
  return changes.set(PROFILE, stored)
}

/** The stored identity, unless it is another one than it was. */
function whole({ stored, identity }: Found): Identity | undefined {
  if (stored && identity && !equal(stored.fingerprint, identity.fingerprint)) return undefined
  return identity
}

function newDevice(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(16))
}

async function stageRemoval(
  storage: Storage,
  prefixes: readonly string[],
  changes: Map<string, unknown>,
): Promise<void> {
  for (const prefix of prefixes)
    for (const key of await storage.keys(prefix)) changes.set(key, undefined)
}
