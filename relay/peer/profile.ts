import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Profile } from '../../web/chat/profile.ts'
import type { Storage } from '../../web/chat/storage.ts'
import { openVault } from '../../web/chat/vault.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import {
  exportIdentityPlainPem,
  generateIdentity,
  type Identity,
  importIdentityPem,
} from '../../web/protocol/identity.ts'
import { writePrivate } from '../private_files.ts'
import { fileStorage } from './file_storage.ts'
import { signerOf } from './signer.ts'

/** The person's key file: whoever has it is that person. */
const KEY_FILE = 'identity.pem'

interface Kept {
  readonly user: string
  readonly device: Bytes
  /** AES-256 key of the vault. It guards nothing here beyond what the directory's mode does. */
  readonly vault: Bytes
}

/**
 * The profile of `user` in a directory, made there at the first time. `passphrase` is asked for
 * when the key file is encrypted (a person may put their exported one there). Throws SottoError
 * `unavailable` when another process has the profile open, `bad_name` when the directory holds
 * somebody else's, `bad_key` or `bad_passphrase` when the key file can't be used.
 */
export async function fileProfile(
  directory: string,
  user: string,
  passphrase: () => Promise<string>,
): Promise<Profile> {
  const storage = fileStorage(directory)
  try {
    const kept = (await storage.read('profile')) as Kept | undefined
    if (kept !== undefined && kept.user !== user)
      throw new SottoError('bad_name', `${directory} belongs to ${kept.user}: take another one.`)
    const identity = signerOf(await identityIn(directory, passphrase))
    const { device, vault } = kept ?? (await make(storage, user))
    const key = await crypto.subtle.importKey('raw', vault, 'AES-GCM', false, [
      'encrypt',
      'decrypt',
    ])
    // The file in the directory is itself the backup.
    return { user, device, identity, storage, vault: openVault(key), backedUp: true }
  } catch (error) {
    storage.close()
    throw error
  }
}

async function make(storage: Storage, user: string): Promise<Kept> {
  const device = crypto.getRandomValues(new Uint8Array(16))
  const vault = crypto.getRandomValues(new Uint8Array(32))
  const kept = { user, device, vault }
  await storage.write(new Map([['profile', kept]]))
  return kept
}

async function identityIn(directory: string, passphrase: () => Promise<string>): Promise<Identity> {
  const path = join(directory, KEY_FILE)
  if (!existsSync(path)) {
    const identity = await generateIdentity()
    writePrivate(path, await exportIdentityPlainPem(identity))
    return identity
  }
  try {
    const pem = readFileSync(path, 'utf8')
    if (!pem.includes('ENCRYPTED')) return await importIdentityPem(pem)
    return await importIdentityPem(pem, await passphrase())
  } catch (cause) {
    const { message } = cause as Error
    const code = cause instanceof SottoError ? cause.code : 'bad_key'
    throw new SottoError(code, `The key in ${path} can’t be used. ${message}`, { cause })
  }
}
