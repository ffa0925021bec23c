/** {@link Primitives} on WebCrypto: every key is a non-extractable CryptoKey. */
import type { Bytes } from './bytes.ts'
import { SottoError } from './errors.ts'
import type { Aead, HmacKey, Primitives, SigningPair, Verify, X25519Pair } from './primitives.ts'
import { isEd25519Key } from './sound_keys.ts'
import { RSA_OAEP, verifySignature } from './spki.ts'

const HMAC = { name: 'HMAC', hash: 'SHA-256' }
const X25519 = { name: 'X25519' }
const ED25519 = { name: 'Ed25519' }
const SHARE_LENGTH = 32
const TAG_BITS = 128
/** `getRandomValues` gives at most this much in one call. */
const RANDOM_MOST = 65_536

async function sha256(data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', data))
}

function hmacKey(raw: Bytes): Promise<HmacKey> {
  return crypto.subtle.importKey('raw', raw, HMAC, false, ['sign'])
}

async function hmac(key: HmacKey, data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign('HMAC', key as CryptoKey, data))
}

async function x25519(): Promise<X25519Pair> {
  const pair = (await crypto.subtle.generateKey(X25519, false, ['deriveBits'])) as CryptoKeyPair
  return webX25519(pair.privateKey, pair.publicKey)
}

/** The pair that these two CryptoKeys are. */
export async function webX25519(privateKey: CryptoKey, publicKey: CryptoKey): Promise<X25519Pair> {
  return {
    publicKey: new Uint8Array(await crypto.subtle.exportKey('raw', publicKey)),
    agree: (peer) => agree(privateKey, peer),
  }
}

/** Small-order shares throw at deriveBits in Chromium and Node, at importKey in Firefox. */
async function agree(privateKey: CryptoKey, peer: Bytes): Promise<Bytes> {
  let shared: Bytes
  try {
    const share = await crypto.subtle.importKey('raw', peer, X25519, false, [])
    const algorithm = { name: 'X25519', public: share }
    shared = new Uint8Array(await crypto.subtle.deriveBits(algorithm, privateKey, 256))
  } catch (cause) {
    throw new SottoError('illegal_parameter', 'The other side sent an unusable key share.', {
      cause,
    })
  }
  if (shared.length !== SHARE_LENGTH || shared.every((byte) => byte === 0))
    throw new SottoError('illegal_parameter', 'The other side sent an unusable key share.')
  return shared
}

async function aead(raw: Bytes): Promise<Aead> {
  const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt'])
  const parameters = (iv: Bytes, additionalData: Bytes): AesGcmParams => ({
    name: 'AES-GCM',
    iv,
    additionalData,
    tagLength: TAG_BITS,
  })
  return {
    async seal(nonce, aad, plaintext) {
      return new Uint8Array(await crypto.subtle.encrypt(parameters(nonce, aad), key, plaintext))
    },
    async open(nonce, aad, sealed) {
      try {
        return new Uint8Array(await crypto.subtle.decrypt(parameters(nonce, aad), key, sealed))
      } catch (cause) {
        throw new SottoError('crypto_failed', 'A message could not be opened.', { cause })
      }
    },
  }
}

function random(length: number): Bytes {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += RANDOM_MOST)
    crypto.getRandomValues(bytes.subarray(at, at + RANDOM_MOST))
  return bytes
}

async function rsaEncrypt(spki: Bytes, label: Bytes, message: Bytes): Promise<Bytes> {
  const key = await crypto.subtle.importKey('spki', spki, RSA_OAEP, false, ['encrypt'])
  return new Uint8Array(await crypto.subtle.encrypt({ name: 'RSA-OAEP', label }, key, message))
}

async function ed25519(): Promise<SigningPair> {
  const pair = (await crypto.subtle.generateKey(ED25519, false, [
    'sign',
    'verify',
  ])) as CryptoKeyPair
  return {
    publicKey: new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)),
    async sign(data) {
      return new Uint8Array(await crypto.subtle.sign(ED25519, pair.privateKey, data))
    },
  }
}

async function ed25519Verifier(publicKey: Bytes): Promise<Verify> {
  if (!isEd25519Key(publicKey))
    throw new SottoError('bad_key', 'This is not an Ed25519 public key.')
  const key = await crypto.subtle.importKey('raw', publicKey, ED25519, false, ['verify'])
  return (signature, data) => crypto.subtle.verify(ED25519, key, signature, data)
}

/** What the page runs on; Node's WebCrypto does as well. */
export const webPrimitives: Primitives = {
  sha256,
  hmacKey,
  hmac,
  x25519,
  aead,
  random,
  rsaVerify: (spki, signature, data) => verifySignature(spki, data, signature),
  rsaEncrypt,
  ed25519,
  ed25519Verifier,
}
