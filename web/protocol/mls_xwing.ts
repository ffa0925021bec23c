/**
 * X-Wing (draft-connolly-cfrg-xwing-kem): X25519 and ML-KEM-768 in one KEM, secure while either
 * of the two holds. X25519 is always the engine's; SHA-3 no engine has, so it is a library's.
 */
import { sha3_256, shake256 } from '@noble/hashes/sha3.js'
import { type Bytes, concat } from './bytes.ts'
import { lazy, type MlKem, type MlKemPrivate } from './mls_mlkem.ts'
import { ML_KEM_PUBLIC, XWING_PUBLIC } from './sound_keys.ts'

/** `\.//^\`, the draft's label. */
const LABEL = Uint8Array.of(0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c)
const ML_KEM_CIPHERTEXT = 1088
const X25519_SIZE = 32
export const ENC_SIZE = ML_KEM_CIPHERTEXT + X25519_SIZE
export const SEED_SIZE = 32

const X25519 = { name: 'X25519' }
const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(31))
/** PrivateKeyInfo of an X25519 key (RFC 8410) up to its 32 raw bytes. */
const PKCS8_PREFIX = Uint8Array.of(
  0x30,
  0x2e,
  0x02,
  0x01,
  0x00,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  0x6e,
  0x04,
  0x22,
  0x04,
  0x20,
)

export class XWingPublic {
  readonly type = 'public'
  /** 1,216 bytes: ML-KEM's key, then X25519's. */
  readonly bytes: () => Promise<Bytes>

  constructor(bytes: () => Promise<Bytes>) {
    this.bytes = bytes
  }

  /** Throws RangeError unless it has 1,216 bytes. */
  static of(bytes: Uint8Array): XWingPublic {
    if (bytes.length !== XWING_PUBLIC) throw new RangeError('not an X-Wing public key')
    const copy = new Uint8Array(bytes)
    return new XWingPublic(async () => copy)
  }
}

/** A key pair from its seed of 32 bytes; nothing is computed before it is asked for. */
export class XWingPrivate {
  readonly type = 'private'
  readonly seed: Bytes
  readonly publicKey: XWingPublic
  readonly #open: () => Promise<Opened>

  constructor(kem: MlKem, seed: Uint8Array) {
    if (seed.length !== SEED_SIZE) throw new RangeError('not an X-Wing seed')
    this.seed = new Uint8Array(seed)
    this.#open = lazy(() => expand(kem, this.seed))
    this.publicKey = new XWingPublic(
      lazy(async () => {
        const { mlKem, x25519Public } = await this.#open()
        return concat(await mlKem.publicKey(), x25519Public)
      }),
    )
  }

  /** 32 bytes. Throws on an `enc` of another length or a share of small order. */
  async decapsulate(enc: Uint8Array): Promise<Bytes> {
    if (enc.length !== ENC_SIZE) throw new RangeError('not an X-Wing ciphertext')
    const { mlKem, x25519, x25519Public } = await this.#open()
    const share = enc.slice(ML_KEM_CIPHERTEXT) as Bytes
    const secretM = await mlKem.decapsulate(enc.slice(0, ML_KEM_CIPHERTEXT) as Bytes)
    return combine(secretM, await agree(x25519, share), share, x25519Public)
  }
}

/** What HPKE's DeriveKeyPair is for X-Wing: SHAKE256(ikm) to the seed's 32 bytes. */
export function deriveSeed(ikm: Uint8Array): Bytes {
  return shake256(ikm, { dkLen: SEED_SIZE }) as Bytes
}

/** `enc` of 1,120 bytes for the owner of `publicKey`, and the secret of 32. */
export async function encapsulate(
  kem: MlKem,
  publicKey: XWingPublic,
): Promise<{ enc: Bytes; secret: Bytes }> {
  const whole = await publicKey.bytes()
  const peer = whole.slice(ML_KEM_PUBLIC)
  const pair = (await crypto.subtle.generateKey(X25519, false, ['deriveBits'])) as CryptoKeyPair
  const share = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))
  const { ciphertext, secret } = await kem.encapsulate(whole.slice(0, ML_KEM_PUBLIC))
  const secretX = await agree(pair.privateKey, peer)
  return { enc: concat(ciphertext, share), secret: combine(secret, secretX, share, peer) }
}

interface Opened {
  readonly mlKem: MlKemPrivate
  readonly x25519: CryptoKey
  readonly x25519Public: Bytes
}

async function expand(kem: MlKem, seed: Bytes): Promise<Opened> {
  const expanded = shake256(seed, { dkLen: 96 }) as Bytes
  const pkcs8 = concat(PKCS8_PREFIX, expanded.subarray(64))
  const x25519 = await crypto.subtle.importKey('pkcs8', pkcs8, X25519, false, ['deriveBits'])
  const x25519Public = await agree(x25519, BASE_POINT)
  return { mlKem: kem.open(expanded.slice(0, 64)), x25519, x25519Public }
}

async function agree(key: CryptoKey, peer: Bytes): Promise<Bytes> {
  const publicKey = await crypto.subtle.importKey('raw', peer, X25519, false, [])
  const bits = await crypto.subtle.deriveBits({ ...X25519, public: publicKey }, key, 256)
  return new Uint8Array(bits)
}

function combine(secretM: Bytes, secretX: Bytes, share: Bytes, publicX: Bytes): Bytes {
  return sha3_256(concat(secretM, secretX, share, publicX, LABEL)) as Bytes
}
