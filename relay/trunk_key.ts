/** The relay's own key: only for trunks that leave the machine, never for people. */
import { join } from 'node:path'
import {
  exportIdentityPlainPem,
  generateIdentity,
  type Identity,
  importIdentityPem,
} from '../web/protocol/identity.ts'
import { makeDirectory, readPrivate, unusableKey, writePrivate } from './private_files.ts'

const FILE = 'relay_key.pem'
const ANEW =
  'Bring it back from a copy, or delete it: then one is made, and the endpoint must be told its fingerprint.'

/**
 * The key in the data directory, made on first use (mode 600). Throws SottoError `bad_key`, with
 * what to do, when the file can be read by others or holds no key that fits.
 */
export async function loadRelayKey(dir: string): Promise<Identity> {
  const path = join(dir, FILE)
  const pem = readPrivate(path)
  if (pem === undefined) {
    const identity = await generateIdentity()
    makeDirectory(dir)
    writePrivate(path, await exportIdentityPlainPem(identity))
    return identity
  }
  try {
    return await importIdentityPem(pem)
  } catch (error) {
    throw unusableKey(path, error, ANEW)
  }
}
