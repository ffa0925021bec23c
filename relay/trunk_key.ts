/** The relay's own key: only for trunks that leave the machine, never for people. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bytes } from '../web/protocol/bytes.ts'
import { fromBase64url, fromHex } from '../web/protocol/bytes.ts'
import {
  exportIdentityPlainPem,
  generateIdentity,
  type Identity,
  importIdentityPem,
} from '../web/protocol/identity.ts'
import { ConfigError } from './config.ts'

const FILE = 'relay_key.pem'
const OTHERS = 0o077
const FINGERPRINT = 32

/** The key in the data directory, made on first use (mode 600). Throws ConfigError. */
export async function loadRelayKey(dir: string): Promise<Identity> {
  const path = join(dir, FILE)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  try {
    if ((statSync(path).mode & OTHERS) !== 0)
      throw new ConfigError(`Others can read ${path}. Make it yours alone: chmod 600 ${path}`)
    return await importIdentityPem(readFileSync(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const identity = await generateIdentity()
  writeFileSync(path, await exportIdentityPlainPem(identity), { mode: 0o600, flag: 'wx' })
  return identity
}

/** A fingerprint as it is printed (64 hex digits) or as it stands in a link (base64url). */
export function parseFingerprint(text: string): Bytes {
  const bytes = /^[0-9a-fA-F]{64}$/.test(text)
    ? fromHex(text)
    : /^[A-Za-z0-9_-]{43}$/.test(text)
      ? fromBase64url(text)
      : undefined
  if (bytes?.length !== FINGERPRINT)
    throw new ConfigError('A fingerprint is 64 hex digits, as the other part prints it at start.')
  return bytes
}
