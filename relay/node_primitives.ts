/** {@link Primitives} on node:crypto: synchronous, for the endpoint and headless peers. */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  type KeyObject,
  publicEncrypt,
  randomFillSync,
  sign,
  verify,
} from 'node:crypto'
import { type Bytes, concat, packed, unpacked } from '../web/protocol/bytes.ts'
import { SottoError } from '../web/protocol/errors.ts'
import type {
  Aead,
  HmacKey,
  Primitives,
  SigningPair,
  Verify,
  X25519Pair,
} from '../web/protocol/primitives.ts'
import { isEd25519Key } from '../web/protocol/sound_keys.ts'
import { isSignatureLength } from '../web/protocol/spki.ts'

const KEY_LENGTH = 32
const TAG_LENGTH = 16
const PSS_SALT = 32
const GCM = 'aes-256-gcm'
/** Of SHA-256 and of HMAC over it, in bytes. */
const BLOCK = 64
const DIGEST = 32
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c

/** A Buffer shows as what it is, bytes: tests compare and IndexedDB stores plain Uint8Arrays. */
function plain(buffer: Buffer): Bytes {
  return new Uint8Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.length)
}

/** JWK (RFC 8037) goes in twice as fast as DER and comes out thirty times as fast. */
function publicKey(crv: 'X25519' | 'Ed25519', raw: Bytes): KeyObject {
  if (raw.length !== KEY_LENGTH) throw new RangeError('not 32 bytes')
  const x = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv, x }, format: 'jwk' })
}

function rawPublicKey(key: KeyObject): Bytes {
  return new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'))
}

/** The pair that this private KeyObject is: a fresh one, or one of the test vectors. */
export function nodeX25519(privateKey: KeyObject): X25519Pair {
  return {
    publicKey: rawPublicKey(createPublicKey(privateKey)),
    agree: (peer) => agree(privateKey, peer),
  }
}

function agree(privateKey: KeyObject, peer: Bytes): Bytes {
  let shared: Buffer
  try {
    shared = diffieHellman({ privateKey, publicKey: publicKey('X25519', peer) })
  } catch (cause) {
    throw new SottoError('illegal_parameter', 'The other side sent an unusable key share.', {
      cause,
    })
  }
  if (shared.length !== KEY_LENGTH || shared.every((byte) => byte === 0))
    throw new SottoError('illegal_parameter', 'The other side sent an unusable key share.')
  return plain(shared)
}

/**
 * SHA-256 as 32 characters below U+0100: of all forms that Node gives a digest in, the one that
 * leaves no handle and no backing store to collect.
 */
function digest(data: Uint8Array): string {
  return hash('sha256', data, 'binary')
}

/**
 * HMAC (RFC 2104) of one-shot hashes: `createHmac` makes a stream and a native handle each time,
 * and at fifty a handshake those and their collection were a tenth of a resumption. For the same
 * reason this is no KeyObject, which Node exports on request anyway. The field keeps the key out
 * of logs. It is held packed: an endpoint holds three keys for everyone who is there.
 */
class NodeHmacKey implements HmacKey {
  readonly type = 'secret'
  readonly #raw: string

  constructor(raw: Bytes) {
    this.#raw = raw.length > BLOCK ? digest(raw) : packed(raw)
  }

  mac(data: Bytes): Bytes {
    const work = Buffer.allocUnsafe(BLOCK + Math.max(data.length, DIGEST))
    work.fill(INNER_PAD, 0, BLOCK)
    for (let i = 0; i < this.#raw.length; i++) work[i] = this.#raw.charCodeAt(i) ^ INNER_PAD
    work.set(data, BLOCK)
    const inner = digest(work.subarray(0, BLOCK + data.length))
    for (let i = 0; i < BLOCK; i++) work[i] = (work[i] as number) ^ INNER_PAD ^ OUTER_PAD
    work.write(inner, BLOCK, 'binary')
    const mac = unpacked(digest(work.subarray(0, BLOCK + DIGEST)))
    work.fill(0)
    return mac
  }
}

function x25519(): X25519Pair {
  return nodeX25519(generateKeyPairSync('x25519').privateKey)
}

function aead(raw: Bytes): Aead {
  if (raw.length !== KEY_LENGTH) throw new RangeError('an AES-256 key has 32 bytes')
  const key = new Uint8Array(raw)
  return {
    seal(nonce, aad, plaintext) {
      const cipher = createCipheriv(GCM, key, nonce)
      cipher.setAAD(aad)
      const body = cipher.update(plaintext)
      cipher.final()
      return concat(body, cipher.getAuthTag())
    },
    open(nonce, aad, sealed) {
      try {
        const end = sealed.length - TAG_LENGTH
        const decipher = createDecipheriv(GCM, key, nonce, { authTagLength: TAG_LENGTH })
        decipher.setAAD(aad)
        decipher.setAuthTag(sealed.subarray(end))
        const body = decipher.update(sealed.subarray(0, end))
        decipher.final()
        return plain(body)
      } catch (cause) {
        throw new SottoError('crypto_failed', 'A message could not be opened.', { cause })
      }
    },
  }
}

/**
 * A key for one operation. Parsed keys are not kept: who was seen lately would show in the time
 * that a signature takes, and parsing is a hundredth of a handshake.
 */
function inDer(spki: Bytes) {
  return {
    key: Buffer.from(spki.buffer, spki.byteOffset, spki.length),
    format: 'der',
    type: 'spki',
  } as const
}

function rsaVerify(spki: Bytes, signature: Bytes, data: Bytes): boolean {
  const padding = constants.RSA_PKCS1_PSS_PADDING
  const key = { ...inDer(spki), padding, saltLength: PSS_SALT }
  return isSignatureLength(spki, signature) && verify('sha256', data, key, signature)
}

function rsaEncrypt(spki: Bytes, label: Bytes, message: Bytes): Bytes {
  return plain(
    publicEncrypt(
      {
        ...inDer(spki),
        padding: constants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: 'sha256',
        oaepLabel: label,
      },
      message,
    ),
  )
}

function ed25519(): SigningPair {
  const pair = generateKeyPairSync('ed25519')
  return {
    publicKey: rawPublicKey(pair.publicKey),
    sign: (data) => plain(sign(null, data, pair.privateKey)),
  }
}

function ed25519Verifier(raw: Bytes): Verify {
  if (!isEd25519Key(raw)) throw new SottoError('bad_key', 'This is not an Ed25519 public key.')
  const key = publicKey('Ed25519', raw)
  return (signature, data) => verify(null, data, key, signature)
}

export const nodePrimitives: Primitives = {
  sha256: (data) => unpacked(digest(data)),
  hmacKey: (raw) => new NodeHmacKey(raw),
  hmac: (key, data) => (key as NodeHmacKey).mac(data),
  x25519,
  aead,
  random: (length) => randomFillSync(new Uint8Array(length)),
  rsaVerify,
  rsaEncrypt,
  ed25519,
  ed25519Verifier,
}
