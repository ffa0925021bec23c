/**
 * RSA-PSS and RSA-OAEP with the salt and the seed given, so that test vectors come out the same
 * each time (RFC 8017). Slow, not constant in time, and for the keys of test/vectors/keys.json only.
 */
import { createHash, createPrivateKey } from 'node:crypto'
import { type Bytes, concat, fromHex, hex, u32 } from '../../web/protocol/bytes.ts'

function sha256(data: Uint8Array): Bytes {
  return new Uint8Array(createHash('sha256').update(data).digest())
}

/** MGF1 with SHA-256 (B.2.1). */
function mgf1(seed: Uint8Array, length: number): Bytes {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) =>
    sha256(concat(seed, u32(i))),
  )
  return concat(...blocks).slice(0, length)
}

function xor(a: Uint8Array, b: Uint8Array): Bytes {
  return Uint8Array.from(a, (byte, i) => byte ^ (b[i] ?? 0))
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (let b = base, e = exponent; e > 0n; e >>= 1n, b = (b * b) % modulus)
    if (e & 1n) result = (result * b) % modulus
  return result
}

function integer(bytes: Uint8Array): bigint {
  return BigInt(`0x${hex(bytes)}`)
}

function octets(value: bigint, length: number): Bytes {
  return fromHex(value.toString(16).padStart(length * 2, '0'))
}

function numbers(pkcs8: string): { n: bigint; d: bigint; e: bigint; length: number } {
  const key = createPrivateKey({ key: Buffer.from(pkcs8, 'hex'), format: 'der', type: 'pkcs8' })
  const jwk = key.export({ format: 'jwk' })
  const [n, d, e] = [jwk.n, jwk.d, jwk.e].map((x) => Buffer.from(x ?? '', 'base64url'))
  if (!n || !d || !e) throw new Error('not an RSA key')
  return { n: integer(n), d: integer(d), e: integer(e), length: n.length }
}

/** RSASSA-PSS-SIGN, SHA-256, with this salt of 32 bytes (8.1.1, 9.1.1). */
export function signPss(pkcs8: string, salt: Bytes, data: Bytes): Bytes {
  const { n, d, length } = numbers(pkcs8)
  const digest = sha256(concat(new Uint8Array(8), sha256(data), salt))
  const block = new Uint8Array(length - digest.length - 1)
  block.set(concat(Uint8Array.of(1), salt), block.length - salt.length - 1)
  const masked = xor(block, mgf1(digest, block.length))
  masked[0] = (masked[0] ?? 0) & 0x7f
  const encoded = concat(masked, digest, Uint8Array.of(0xbc))
  return octets(power(integer(encoded), d, n), length)
}

/** RSAES-OAEP-ENCRYPT, SHA-256, with this seed of 32 bytes (7.1.1). */
export function encryptOaep(pkcs8: string, seed: Bytes, label: Bytes, message: Bytes): Bytes {
  const { n, e, length } = numbers(pkcs8)
  const block = new Uint8Array(length - 33)
  block.set(sha256(label))
  block.set(concat(Uint8Array.of(1), message), block.length - message.length - 1)
  const masked = xor(block, mgf1(seed, block.length))
  const maskedSeed = xor(seed, mgf1(masked, 32))
  return octets(power(integer(concat(Uint8Array.of(0), maskedSeed, masked)), e, n), length)
}
