/** The relay's own key: only for trunks that leave the machine, never for people. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  exportIdentityPlainPem,
  generateIdentity,
  type Identity,
  importIdentityPem,
} from '../web/protocol/identity.ts'
import { ConfigError } from './config.ts'

const FILE = 'relay_key.pem'
const OTHERS = 0o077

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
