import { type Bytes, concat, equal, fromHex } from './bytes.ts'
import { SottoError } from './errors.ts'

/**
 * RSA public keys as they travel: a SubjectPublicKeyInfo of one exact shape (PROTOCOL.md, "SPKI
 * template"). Engines disagree about everything else, Node even takes trailing bytes, so a key is
 * compared with the template byte by byte before any engine sees it.
 */

/** Modulus sizes in bits, each with all DER bytes that stand before the modulus. */
const TEMPLATES = [
  { bits: 2048, head: '30820122300d06092a864886f70d01010105000382010f003082010a0282010100' },
  { bits: 3072, head: '308201a2300d06092a864886f70d01010105000382018f003082018a0282018100' },
  { bits: 4096, head: '30820222300d06092a864886f70d01010105000382020f003082020a0282020100' },
].map(({ bits, head }) => ({ bits, head: fromHex(head) }))

/** INTEGER 65537: the last bytes of every key. */
const EXPONENT = fromHex('0203010001')

export const RSA_PSS = { name: 'RSA-PSS', hash: 'SHA-256' } as const
/** RSA-PSS as PROTOCOL.md has it everywhere: SHA-256, MGF1 with SHA-256, 32 bytes of salt. */
export const PSS = { name: 'RSA-PSS', saltLength: 32 } as const
export const RSA_OAEP = { name: 'RSA-OAEP', hash: 'SHA-256' } as const

/** The least modulus of an identity: imported ones may be this old. */
export const LEAST_IDENTITY_BITS = 2048
/** The least modulus of an endpoint's key, and the size of all keys made here. */
export const LEAST_ENDPOINT_BITS = 3072

/** Anything that hashes: `Primitives` does. */
export interface Hash {
  sha256(bytes: Bytes): Bytes | Promise<Bytes>
}

/**
 * Checks that `spki` is exactly the template: rsaEncryption with NULL; 2048, 3072 or 4096 bits but
 * not under `least`; modulus odd with its top bit set; exponent 65537; nothing behind. Returns the
 * modulus. No RSA happens. Throws SottoError `bad_key`.
 */
export function checkSpki(spki: Uint8Array, { least }: { least: 2048 | 3072 }): Bytes {
  const fits = TEMPLATES.find(
    ({ bits, head }) => spki.length === head.length + bits / 8 + EXPONENT.length,
  )
  if (fits === undefined || fits.bits < least) throw notTheTemplate()
  const end = fits.head.length + fits.bits / 8
  const modulus = new Uint8Array(spki.subarray(fits.head.length, end))
  if (
    !equal(spki.subarray(0, fits.head.length), fits.head) ||
    !equal(spki.subarray(end), EXPONENT) ||
    ((modulus[0] as number) & 0x80) === 0 ||
    ((modulus.at(-1) as number) & 1) === 0
  )
    throw notTheTemplate()
  return modulus
}

/**
 * The SPKI of a modulus given in exactly 256, 384 or 512 big-endian bytes (e = 65537). Throws
 * SottoError `bad_key` for a modulus that the template does not take.
 */
export function spkiOf(modulus: Uint8Array): Bytes {
  const head = TEMPLATES.find(({ bits }) => bits / 8 === modulus.length)?.head
  if (head === undefined) throw notTheTemplate()
  const spki = concat(head, modulus, EXPONENT)
  checkSpki(spki, { least: LEAST_IDENTITY_BITS })
  return spki
}

/** A key's fingerprint: the whole SHA-256 (32 bytes) of its SPKI DER. */
export async function fingerprint(hash: Hash, spki: Bytes): Promise<Bytes> {
  return hash.sha256(spki)
}

/** A person's public key, to verify RSA-PSS with. Throws SottoError `bad_key`. */
export async function importForVerify(spki: Bytes): Promise<CryptoKey> {
  checkSpki(spki, { least: LEAST_IDENTITY_BITS })
  try {
    return await crypto.subtle.importKey('spki', spki, RSA_PSS, true, ['verify'])
  } catch (cause) {
    throw new SottoError('bad_key', 'This public key is refused by the browser.', { cause })
  }
}

/**
 * Whether `signature` over `data` is by the key in `spki`. A key outside the template throws
 * SottoError `bad_key` before any RSA; every other fault is just false.
 */
export async function verifySignature(
  spki: Bytes,
  data: Bytes,
  signature: Bytes,
): Promise<boolean> {
  const key = await importForVerify(spki)
  return isSignatureLength(spki, signature) && crypto.subtle.verify(PSS, key, signature, data)
}

/**
 * Whether a signature is as long as the modulus of `spki`, which has passed `checkSpki` (RFC 8017,
 * 8.1.2, step 1): OpenSSL takes one without its leading zeros as well.
 */
export function isSignatureLength(spki: Uint8Array, { length }: Uint8Array): boolean {
  return TEMPLATES.some(
    ({ bits, head }) =>
      length === bits / 8 && spki.length === head.length + length + EXPONENT.length,
  )
}

function notTheTemplate(): SottoError {
  return new SottoError(
    'bad_key',
    'This is not an RSA public key that Sotto takes (3072 or 4096 bits, exponent 65537).',
  )
}
