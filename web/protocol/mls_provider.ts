/**
 * The cryptography that ts-mls runs on: WebCrypto for every primitive that the engine has, and a
 * library only for what it lacks. We import ts-mls by its modules throughout: its index would load
 * its own providers, for suites that we do not have.
 */
import type { CiphersuiteImpl, PrivateKey, PublicKey } from 'ts-mls'
import { Hpke, KEY_LENGTH, NONCE_LENGTH } from './mls_hpke.ts'
import { findMlKem, type MlKem } from './mls_mlkem.ts'
import { Aes, Ed25519, Hashes, Hkdf } from './mls_primitives.ts'
import { deriveSeed, SEED_SIZE, XWingPrivate, XWingPublic } from './mls_xwing.ts'

export const SUITE_NAME = 'MLS_256_XWING_AES256GCM_SHA512_Ed25519'

/** Made once by {@link mlsSuite} and handed to everything that touches a room. */
export interface Suite extends CiphersuiteImpl {
  readonly mlKemIsNative: boolean
}

export interface CryptoInUse {
  readonly suite: string
  readonly native: readonly string[]
  readonly library: readonly string[]
}

/** Looks at what the engine has. A test passes the ML-KEM that it wants. */
export async function mlsSuite(mlKem?: MlKem): Promise<Suite> {
  const kem = mlKem ?? (await findMlKem())
  const hashes = new Hashes()
  const hkdf = new Hkdf(hashes)
  const aes = new Aes()
  return {
    name: SUITE_NAME,
    mlKemIsNative: kem.native,
    hash: hashes,
    kdf: hkdf,
    signature: new Ed25519(),
    rng: { randomBytes: (n) => crypto.getRandomValues(new Uint8Array(n)) },
    hpke: hpkeForMls(kem, new Hpke(kem, hkdf, aes), aes),
  }
}

/** Which primitives are the engine's and which a library's: for people to see. */
export function cryptoInUse({ mlKemIsNative }: Suite): CryptoInUse {
  const always = ['X25519', 'AES-256-GCM', 'HKDF-SHA-512', 'Ed25519']
  return {
    suite: SUITE_NAME,
    native: mlKemIsNative ? ['ML-KEM-768', ...always] : always,
    library: mlKemIsNative ? ['SHA-3'] : ['ML-KEM-768', 'SHA-3'],
  }
}

// ts-mls calls HPKE keys CryptoKeys but only ever hands them back to us; X-Wing has no CryptoKey.
const publicKey = (key: XWingPublic) => key as unknown as PublicKey
const privateKey = (key: XWingPrivate) => key as unknown as PrivateKey
const ownPublic = (key: PublicKey) => key as unknown as XWingPublic
const ownPrivate = (key: PrivateKey) => key as unknown as XWingPrivate
const EMPTY = new Uint8Array(0)

function hpkeForMls(kem: MlKem, hpke: Hpke, aes: Aes): CiphersuiteImpl['hpke'] {
  const pair = (seed: Uint8Array) => {
    const own = new XWingPrivate(kem, seed)
    return { privateKey: privateKey(own), publicKey: publicKey(own.publicKey) }
  }
  return {
    keyLength: KEY_LENGTH,
    nonceLength: NONCE_LENGTH,
    seal: (to, plaintext, info, aad = EMPTY) => hpke.seal(ownPublic(to), info, aad, plaintext),
    open: (own, enc, sealed, info, aad = EMPTY) =>
      hpke.open(ownPrivate(own), enc, info, aad, sealed),
    exportSecret: (to, context, length, info) =>
      hpke.sendExport(ownPublic(to), info, context, length),
    importSecret: (own, context, enc, length, info) =>
      hpke.receiveExport(ownPrivate(own), enc, info, context, length),
    encryptAead: (key, nonce, aad = EMPTY, plaintext) => aes.seal(key, nonce, aad, plaintext),
    decryptAead: (key, nonce, aad = EMPTY, sealed) => aes.open(key, nonce, aad, sealed),
    importPublicKey: async (bytes) => publicKey(XWingPublic.of(bytes)),
    importPrivateKey: async (seed) => privateKey(new XWingPrivate(kem, seed)),
    exportPublicKey: (key) => ownPublic(key).bytes(),
    exportPrivateKey: async (key) => ownPrivate(key).seed,
    deriveKeyPair: async (ikm) => pair(deriveSeed(ikm)),
    generateKeyPair: async () => pair(crypto.getRandomValues(new Uint8Array(SEED_SIZE))),
  }
}
