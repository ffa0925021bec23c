/** The endpoint's two keys, as files that only its own user can read. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  type EndpointKey,
  generateEndpointKey,
  importEndpointKeyPem,
} from '../../web/protocol/endpoint_key.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import type { SigningPair } from '../../web/protocol/primitives.ts'
import { readPrivate, unusableKey, writePrivate } from '../private_files.ts'

export const ENDPOINT_KEY_FILE = 'endpoint_key.pem'
export const LOG_KEY_FILE = 'log_key.pem'

const RAW_PUBLIC = 32

/** Whether the endpoint was started here before and still has its key. */
export function hasEndpointKey(dir: string): boolean {
  return existsSync(join(dir, ENDPOINT_KEY_FILE))
}

/**
 * The RSA key by which clients know this endpoint, made on first start (mode 600). Throws
 * SottoError `bad_key`, with what to do, when the file can be read by others, is encrypted, or holds
 * another thing than an RSA key of 3072 or 4096 bits.
 */
export async function loadEndpointKey(dir: string): Promise<{ key: EndpointKey; made: boolean }> {
  const path = join(dir, ENDPOINT_KEY_FILE)
  const pem = readPrivate(path)
  if (pem === undefined) {
    const made = await generateEndpointKey()
    writePrivate(path, made.pem)
    return { key: made.key, made: true }
  }
  try {
    return { key: await importEndpointKeyPem(pem), made: false }
  } catch (error) {
    throw unusableKey(path, error, RESTORE)
  }
}

const RESTORE =
  'Bring it back from a backup: with a new key, everyone is warned of a man in the middle.'

/**
 * The Ed25519 key that signs casts. Each session is told its public half inside the handshake, so
 * a lost one is simply made anew.
 */
export function loadLogKey(dir: string): SigningPair {
  const path = join(dir, LOG_KEY_FILE)
  let pem = readPrivate(path)
  if (pem === undefined) {
    pem = generateKeyPairSync('ed25519').privateKey.export({
      format: 'pem',
      type: 'pkcs8',
    }) as string
    writePrivate(path, pem)
  }
  try {
    const key = createPrivateKey(pem)
    if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('not an Ed25519 key')
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
    return {
      publicKey: new Uint8Array(spki.subarray(-RAW_PUBLIC)),
      sign: (data) => new Uint8Array(sign(null, data, key)),
    }
  } catch {
    throw new SottoError('bad_key', `${path} is damaged. Delete it: a new one is made at start.`)
  }
}
