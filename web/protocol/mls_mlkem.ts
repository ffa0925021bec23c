/**
 * ML-KEM-768 (FIPS 203) behind one interface: the engine's own, as Chromium's WebCrypto has it, or
 * a library. Both take the same bytes, so a room may mix them freely.
 */
import type { Bytes } from './bytes.ts'

export interface MlKem {
  readonly native: boolean
  /** `seed` is d ‖ z, 64 bytes. */
  open(seed: Bytes): MlKemPrivate
  /** Ciphertext of 1,088 and secret of 32 bytes. Throws on a key that FIPS 203 refuses. */
  encapsulate(publicKey: Bytes): Promise<{ ciphertext: Bytes; secret: Bytes }>
}

/** A key pair; neither half is computed before it is asked for. */
export interface MlKemPrivate {
  /** 1,184 bytes. */
  publicKey(): Promise<Bytes>
  /** 32 bytes, for a wrong ciphertext as well (implicit rejection). */
  decapsulate(ciphertext: Bytes): Promise<Bytes>
}

/** What WebCrypto has for it (W3C "Modern Algorithms in the Web Cryptography API"). */
interface KemSubtle {
  importKey(format: string, data: Bytes, name: Name, out: boolean, uses: Use[]): Promise<CryptoKey>
  exportKey(format: string, key: CryptoKey): Promise<ArrayBuffer>
  getPublicKey(key: CryptoKey, uses: Use[]): Promise<CryptoKey>
  encapsulateBits(
    name: Name,
    key: CryptoKey,
  ): Promise<Record<'ciphertext' | 'sharedKey', ArrayBuffer>>
  decapsulateBits(name: Name, key: CryptoKey, ciphertext: Bytes): Promise<ArrayBuffer>
}
interface Name {
  readonly name: 'ML-KEM-768'
}
type Use = 'encapsulateBits' | 'decapsulateBits'

const NAME: Name = { name: 'ML-KEM-768' }

/** The engine's ML-KEM when a round trip with it works, else the library's. */
export async function findMlKem(): Promise<MlKem> {
  return (await nativeMlKem()) ?? (await libraryMlKem())
}

/** The engine's ML-KEM, or undefined when it has none that works. */
export async function nativeMlKem(): Promise<MlKem | undefined> {
  const subtle = crypto.subtle as unknown as KemSubtle
  const kem: MlKem = {
    native: true,
    open: (seed) => openNative(subtle, seed),
    async encapsulate(publicKey) {
      const key = await subtle.importKey('raw-public', publicKey, NAME, false, ['encapsulateBits'])
      const { ciphertext, sharedKey } = await subtle.encapsulateBits(NAME, key)
      return { ciphertext: new Uint8Array(ciphertext), secret: new Uint8Array(sharedKey) }
    },
  }
  try {
    const pair = kem.open(crypto.getRandomValues(new Uint8Array(64)))
    const { ciphertext, secret } = await kem.encapsulate(await pair.publicKey())
    const again = await pair.decapsulate(ciphertext)
    return again.every((byte, i) => byte === secret[i]) ? kem : undefined
  } catch {
    return undefined
  }
}

/** @noble/post-quantum's ML-KEM, loaded only where it is needed. */
export async function libraryMlKem(): Promise<MlKem> {
  const { ml_kem768 } = await import('@noble/post-quantum/ml-kem.js')
  return {
    native: false,
    open(seed) {
      const keys = lazy(async () => ml_kem768.keygen(seed))
      return {
        publicKey: async () => (await keys()).publicKey as Bytes,
        decapsulate: async (ciphertext) =>
          ml_kem768.decapsulate(ciphertext, (await keys()).secretKey) as Bytes,
      }
    },
    async encapsulate(publicKey) {
      const { cipherText, sharedSecret } = ml_kem768.encapsulate(publicKey)
      return { ciphertext: cipherText as Bytes, secret: sharedSecret as Bytes }
    },
  }
}

function openNative(subtle: KemSubtle, seed: Bytes): MlKemPrivate {
  // Not extractable: getPublicKey needs no more, and the seed itself is the group state's.
  const key = lazy(() => subtle.importKey('raw-seed', seed, NAME, false, ['decapsulateBits']))
  return {
    async publicKey() {
      const publicKey = await subtle.getPublicKey(await key(), ['encapsulateBits'])
      return new Uint8Array(await subtle.exportKey('raw-public', publicKey))
    },
    decapsulate: async (ciphertext) =>
      new Uint8Array(await subtle.decapsulateBits(NAME, await key(), ciphertext)),
  }
}

/** `make`, called once and at the first need. */
export function lazy<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
