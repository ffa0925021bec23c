/**
 * Notes every (key, nonce) under which this process seals with AES-GCM, whoever asks for it
 * (THREATS I4). Loaded with `--import` into a part of Sotto, it writes them to the file that
 * SOTTO_TEST_NONCES names, so that nothing is forgotten over a kill -9. Keys are noted as hashes.
 */
import crypto from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { HASH, NOTE } from './nonce_notes.ts'

const file = process.env.SOTTO_TEST_NONCES
const here = new Set<string>()
let repeated: string | undefined

/** The first pair that was used twice in this process. */
export function repeatedNonce(): string | undefined {
  return repeated
}

function note(keyHash: Buffer, nonce: Uint8Array): void {
  const pair = Buffer.concat([keyHash, nonce], NOTE)
  if (file !== undefined) {
    appendFileSync(file, pair)
    return
  }
  const text = pair.toString('hex')
  if (here.has(text)) repeated ??= text
  here.add(text)
}

function hashOf(key: Uint8Array): Buffer {
  return crypto.createHash('sha256').update(key).digest().subarray(0, HASH)
}

function watchNode(): void {
  const original = crypto.createCipheriv as (...args: unknown[]) => unknown
  const watched = (...args: unknown[]): unknown => {
    const [name, key, nonce] = args as [string, Uint8Array, Uint8Array]
    if (name.endsWith('-gcm')) note(hashOf(key), nonce)
    return original(...args)
  }
  Object.assign(crypto, { createCipheriv: watched })
  syncBuiltinESMExports()
}

/** Keys of WebCrypto that came in as bytes are known by them, others by being what they are. */
function watchWeb(): void {
  const hashes = new WeakMap<CryptoKey, Buffer>()
  const { subtle } = globalThis.crypto
  const importKey = subtle.importKey.bind(subtle) as (...args: unknown[]) => Promise<CryptoKey>
  const encrypt = subtle.encrypt.bind(subtle)
  Object.assign(subtle, {
    async importKey(...args: unknown[]) {
      const raw = args[0] === 'raw' ? hashOf(new Uint8Array(args[1] as Uint8Array)) : undefined
      const key = await importKey(...args)
      if (raw !== undefined) hashes.set(key, raw)
      return key
    },
    encrypt(how: AesGcmParams, key: CryptoKey, data: BufferSource) {
      if (how.name === 'AES-GCM') {
        const hash = hashes.get(key) ?? crypto.randomBytes(HASH)
        hashes.set(key, hash)
        note(hash, how.iv as Uint8Array)
      }
      return encrypt(how, key, data)
    },
  })
}

watchNode()
watchWeb()
