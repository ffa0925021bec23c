import { type Bytes, equal, fromHex, hex, u8 } from './bytes.ts'
import { DerReader, der, derUnsigned, NULL, OCTET_STRING, OID, SEQUENCE } from './der.ts'
import { SottoError } from './errors.ts'
import { spkiOf } from './spki.ts'

/**
 * An RSA private key out of a file, checked and spelled anew: engines import `pkcs8` (RFC 5958,
 * version 0, no attributes) whatever oddities the file had.
 */
export interface RsaKeyFile {
  readonly pkcs8: Bytes
  readonly spki: Bytes
}

const RSA_ENCRYPTION = fromHex('2a864886f70d010101')
const PUBLIC_EXPONENT = fromHex('010001')

const OTHER_KEYS: ReadonlyMap<string, string> = new Map([
  ['2a864886f70d01010a', 'an RSA key for RSA-PSS only'],
  ['2a864886f70d010107', 'an RSA key for RSA-OAEP only'],
  ['2a8648ce3d0201', 'an elliptic-curve key'],
  ['2b656e', 'an X25519 key'],
  ['2b656f', 'an X448 key'],
  ['2b6570', 'an Ed25519 key'],
  ['2b6571', 'an Ed448 key'],
  ['2a8648ce380401', 'a DSA key'],
  ['2a864886f70d010301', 'a Diffie-Hellman key'],
])

/**
 * Reads PrivateKeyInfo. Throws SottoError `bad_key` for another kind of key or an RSA key that we
 * do not take, RangeError for bad DER.
 */
export function readPkcs8(bytes: Uint8Array): RsaKeyFile {
  const file = new DerReader(bytes)
  const info = file.sequence()
  file.end()
  if (info.small() > 1) throw new RangeError('an unknown version of PKCS#8')
  const algorithm = info.sequence()
  const oid = algorithm.read(OID)
  if (!equal(oid, RSA_ENCRYPTION))
    throw refused(
      `This file holds ${OTHER_KEYS.get(hex(oid)) ?? 'a key of an unknown kind'}, not a plain RSA key.`,
    )
  if (algorithm.read(NULL).length > 0) throw new RangeError('a NULL that is not empty')
  algorithm.end()
  // Attributes and a copy of the public key may follow: they say nothing that n does not.
  return readPkcs1(info.read(OCTET_STRING))
}

/** Reads RSAPrivateKey (RFC 8017, A.1.2). Throws as {@link readPkcs8}. */
export function readPkcs1(bytes: Uint8Array): RsaKeyFile {
  const file = new DerReader(bytes)
  const key = file.sequence()
  file.end()
  if (key.small() !== 0) throw refused('This RSA key has more than two primes.')
  const numbers = Array.from({ length: 8 }, () => key.unsigned())
  key.end()
  const [n, e] = numbers as [Bytes, Bytes]
  if (!equal(e, PUBLIC_EXPONENT))
    throw refused('This RSA key has another public exponent than 65537.')
  if (![256, 384, 512].includes(n.length) || (n[0] as number) < 0x80)
    throw refused('This RSA key does not have 2048, 3072 or 4096 bits.')
  checkNumbers(numbers.map(toBigInt))
  const spki = spkiOf(n)
  const algorithm = der(SEQUENCE, der(OID, RSA_ENCRYPTION), der(NULL))
  const pkcs1 = der(SEQUENCE, derUnsigned(u8(0)), ...numbers.map(derUnsigned))
  const pkcs8 = der(SEQUENCE, derUnsigned(u8(0)), algorithm, der(OCTET_STRING, pkcs1))
  return { pkcs8, spki }
}

/**
 * The equations of RFC 8017, 3.2. Without them Node would take a key with wrong CRT numbers that
 * Chromium refuses, and each of its signatures would be slow or give a prime away. BigInt does not
 * run in constant time: this happens once, at import, where nobody else can measure it.
 */
function checkNumbers(numbers: readonly bigint[]): void {
  const [n = 0n, e = 0n, d = 0n, p = 0n, q = 0n, dp = 0n, dq = 0n, qi = 0n] = numbers
  const fits =
    p > 2n &&
    q > 2n &&
    p !== q &&
    p * q === n &&
    d < n &&
    (d * e) % (p - 1n) === 1n &&
    (d * e) % (q - 1n) === 1n &&
    d % (p - 1n) === dp &&
    d % (q - 1n) === dq &&
    qi < p &&
    (qi * q) % p === 1n
  if (!fits)
    throw new SottoError(
      'bad_key',
      'This key file is damaged: the numbers in it do not fit each other. Copy the whole file again.',
    )
}

function toBigInt(bytes: Bytes): bigint {
  return BigInt(`0x0${hex(bytes)}`)
}

/** What to do about a key that is no use here. */
function refused(what: string): SottoError {
  return new SottoError(
    'bad_key',
    `${what} A key that fits is made by: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -aes256 -out key.pem`,
  )
}
