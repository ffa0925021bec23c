import { type Bytes, equal, fromHex, hex, utf8 } from './bytes.ts'
import { DerReader, der, derUnsigned, NULL, OCTET_STRING, OID, SEQUENCE } from './der.ts'
import { SottoError } from './errors.ts'

/**
 * Keys under a passphrase: PKCS#8's EncryptedPrivateKeyInfo with PBES2 (RFC 8018), PBKDF2 and
 * AES-CBC: what `openssl pkey` writes and reads. CBC does not authenticate; a changed file shows
 * only because what comes out is not a key.
 */

/** What we write: OWASP's figure for PBKDF2-HMAC-SHA-256. About 0.3 s in a page. */
export const ITERATIONS = 600_000
/** What we read at most: some seconds of work, not in the page's thread. */
export const MAX_ITERATIONS = 10_000_000
export const SALT_LENGTH = 16
const MAX_SALT_LENGTH = 1024
export const IV_LENGTH = 16
const MAX_PASSPHRASE_LENGTH = 1024

const PBES2 = fromHex('2a864886f70d01050d')
const PBKDF2 = fromHex('2a864886f70d01050c')
const HMAC_SHA1 = '2a864886f70d0207'
const HMAC_SHA256 = '2a864886f70d0209'
const AES_256_CBC = '60864801650304012a'

/** WebCrypto's hash of each PRF. SHA-1 is PBKDF2's default, and sound inside HMAC. */
const PRFS: ReadonlyMap<string, string> = new Map([
  [HMAC_SHA1, 'SHA-1'],
  [HMAC_SHA256, 'SHA-256'],
  ['2a864886f70d020a', 'SHA-384'],
  ['2a864886f70d020b', 'SHA-512'],
])
/** Key length in bytes of each cipher. */
const CIPHERS: ReadonlyMap<string, number> = new Map([
  ['608648016503040102', 16],
  ['608648016503040116', 24],
  [AES_256_CBC, 32],
])

/** What an EncryptedPrivateKeyInfo says about itself. */
export interface EncryptedKey {
  readonly hash: string
  readonly salt: Bytes
  readonly iterations: number
  /** Bytes of the AES key: 16, 24 or 32. */
  readonly keyLength: number
  readonly iv: Bytes
  readonly ciphertext: Bytes
}

/**
 * Encrypts a PKCS#8 key. `salt` has 16 random bytes, `iv` 16. Throws SottoError `bad_passphrase`
 * for a passphrase that could not be typed to openssl.
 */
export async function encryptKey(
  pkcs8: Bytes,
  passphrase: string,
  salt: Bytes,
  iv: Bytes,
): Promise<Bytes> {
  const text = passphrase.normalize('NFC')
  const secret = utf8(text)
  if (secret.length === 0) throw passphraseError('Enter a passphrase to protect the key with.')
  if (secret.length > MAX_PASSPHRASE_LENGTH) throw passphraseError('This passphrase is too long.')
  if (/\p{Cc}/u.test(text))
    throw passphraseError('A passphrase cannot hold line breaks or control characters.')
  const key = await deriveKey(secret, {
    hash: 'SHA-256',
    salt,
    iterations: ITERATIONS,
    keyLength: 32,
  })
  const ciphertext = new Uint8Array(
    await crypto.subtle.encrypt({ name: 'AES-CBC', iv }, key, pkcs8),
  )
  const prf = der(SEQUENCE, der(OID, fromHex(HMAC_SHA256)), der(NULL))
  const count = derUnsigned(Uint8Array.of(ITERATIONS >>> 16, ITERATIONS >>> 8, ITERATIONS))
  const kdf = der(SEQUENCE, der(OID, PBKDF2), der(SEQUENCE, der(OCTET_STRING, salt), count, prf))
  const cipher = der(SEQUENCE, der(OID, fromHex(AES_256_CBC)), der(OCTET_STRING, iv))
  const algorithm = der(SEQUENCE, der(OID, PBES2), der(SEQUENCE, kdf, cipher))
  return der(SEQUENCE, algorithm, der(OCTET_STRING, ciphertext))
}

/**
 * Decrypts to PKCS#8, as yet unchecked. Throws SottoError `bad_passphrase` when the padding is
 * wrong (the passphrase is, or the file is damaged: CBC cannot tell), `bad_key` when this engine
 * lacks the cipher.
 */
export async function decryptKey(file: EncryptedKey, passphrase: string): Promise<Bytes> {
  const key = await deriveKey(utf8(passphrase), file)
  try {
    const plain = await crypto.subtle.decrypt(
      { name: 'AES-CBC', iv: file.iv },
      key,
      file.ciphertext,
    )
    return new Uint8Array(plain)
  } catch (cause) {
    throw wrongPassphrase(cause)
  }
}

/** The answer to a wrong passphrase. */
export function wrongPassphrase(cause: unknown): SottoError {
  return new SottoError(
    'bad_passphrase',
    'The passphrase is wrong, or the file is damaged. Check capitals and keyboard layout and try again; nothing was changed.',
    { cause },
  )
}

/**
 * Reads EncryptedPrivateKeyInfo without decrypting. Throws SottoError `bad_key` for a scheme that
 * we do not read, RangeError for bad DER.
 */
export function readEncryptedKey(bytes: Uint8Array): EncryptedKey {
  const file = new DerReader(bytes)
  const info = file.sequence()
  file.end()
  const algorithm = info.sequence()
  if (!equal(algorithm.read(OID), PBES2)) throw unreadable('It uses another scheme than PBES2.')
  const parameters = algorithm.sequence()
  algorithm.end()
  const ciphertext = info.read(OCTET_STRING)
  info.end()
  const kdf = readKdf(parameters.sequence())
  const cipher = parameters.sequence()
  parameters.end()
  const keyLength = CIPHERS.get(hex(cipher.read(OID)))
  if (keyLength === undefined) throw unreadable('It uses another cipher than AES-CBC.')
  const iv = cipher.read(OCTET_STRING)
  cipher.end()
  if (iv.length !== IV_LENGTH) throw new RangeError('an IV of a wrong length')
  if (kdf.keyLength !== undefined && kdf.keyLength !== keyLength)
    throw new RangeError('key lengths that contradict each other')
  if (ciphertext.length === 0 || ciphertext.length % IV_LENGTH > 0)
    throw new RangeError('a ciphertext that is not whole blocks')
  return { ...kdf, keyLength, iv, ciphertext }
}

function readKdf(kdf: DerReader) {
  if (!equal(kdf.read(OID), PBKDF2)) throw unreadable('It uses scrypt or another unusual function.')
  const parameters = kdf.sequence()
  kdf.end()
  const salt = parameters.read(OCTET_STRING)
  const iterations = parameters.small()
  const keyLength = parameters.has(0x02) ? parameters.small() : undefined
  const prf = parameters.done ? HMAC_SHA1 : readPrf(parameters.sequence())
  parameters.end()
  const hash = PRFS.get(prf)
  if (hash === undefined) throw unreadable('It uses an unusual hash function.')
  if (salt.length > MAX_SALT_LENGTH) throw new RangeError('a salt that is far too long')
  if (iterations < 1) throw new RangeError('no iterations at all')
  if (iterations > MAX_ITERATIONS)
    throw unreadable('It asks for more than 10,000,000 rounds of PBKDF2.')
  return { salt, iterations, keyLength, hash }
}

function readPrf(prf: DerReader): string {
  const oid = prf.read(OID)
  if (!prf.done && prf.read(NULL).length > 0) throw new RangeError('a NULL that is not empty')
  prf.end()
  return hex(oid)
}

async function deriveKey(
  secret: Bytes,
  kdf: Pick<EncryptedKey, 'hash' | 'salt' | 'iterations' | 'keyLength'>,
): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey('raw', secret, 'PBKDF2', false, ['deriveBits'])
  const parameters = { name: 'PBKDF2', hash: kdf.hash, salt: kdf.salt, iterations: kdf.iterations }
  const bits = await crypto.subtle.deriveBits(parameters, base, kdf.keyLength * 8)
  try {
    return await crypto.subtle.importKey('raw', bits, 'AES-CBC', false, ['encrypt', 'decrypt'])
  } catch (cause) {
    // Chromium alone has no AES-192.
    throw unreadable(`This browser has no AES-${kdf.keyLength * 8}.`, cause)
  }
}

function unreadable(why: string, cause?: unknown): SottoError {
  return new SottoError(
    'bad_key',
    `This key file is encrypted in a way that Sotto does not read. ${why} Convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out key.pem`,
    { cause },
  )
}

function passphraseError(message: string): SottoError {
  return new SottoError('bad_passphrase', message)
}
