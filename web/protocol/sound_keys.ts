/**
 * Which public keys are good for something, by their bytes alone, and to every engine alike. Some
 * engines refuse points of small order, and numbers spelt as themselves plus the prime, where others
 * take them: members of a group would disagree about who is in it. And to a key that all refuse
 * nobody could encrypt: one member could keep the others from ever changing the group.
 */
import { hex } from './bytes.ts'

const SIZE = 32
/** Bytes of an ML-KEM-768 key (FIPS 203), and of an X-Wing key: that, then X25519's. */
export const ML_KEM_PUBLIC = 1184
export const XWING_PUBLIC = ML_KEM_PUBLIC + SIZE
/** Of those, the bytes that hold coefficients, two in three bytes, each below the modulus. */
const COEFFICIENTS = 1152
const MODULUS = 3329
/** 2^255 - 19, less and plus 1: also of small order on both curves, or another spelling of 0 and 1. */
const AROUND_PRIME = ['ec', 'ed', 'ee'].map((first) => `${first}${'ff'.repeat(30)}7f`)
const ZERO = '00'.repeat(SIZE)
const ONE = `01${'00'.repeat(SIZE - 1)}`

/** Of small order on Montgomery's curve (RFC 7748, 6.1), the top bit cleared. */
const SMALL_X25519: ReadonlySet<string> = new Set([
  ...[ZERO, ONE, ...AROUND_PRIME],
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
])
/** Of small order on Edwards's curve (RFC 8032, 5.1), the sign of x cleared. */
const SMALL_ED25519: ReadonlySet<string> = new Set([
  ...[ZERO, ONE, ...AROUND_PRIME],
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
])

/** Whether a secret can be agreed with the owner of this key. */
export function isX25519Key(key: Uint8Array): boolean {
  return key.length === SIZE && !SMALL_X25519.has(hex(withoutTopBit(key)))
}

/** Whether signatures can be verified by this key, with one outcome everywhere. */
export function isEd25519Key(key: Uint8Array): boolean {
  return key.length === SIZE && !SMALL_ED25519.has(hex(withoutTopBit(key))) && isBelowPrime(key)
}

/** Whether one can encrypt to this key of X-Wing: FIPS 203, 7.2, for ML-KEM's part. */
export function isXWingKey(key: Uint8Array): boolean {
  if (key.length !== XWING_PUBLIC || !isX25519Key(key.subarray(ML_KEM_PUBLIC))) return false
  for (let at = 0; at < COEFFICIENTS; at += 3) {
    const [a, b, c] = [key[at] as number, key[at + 1] as number, key[at + 2] as number]
    if ((a | ((b & 0xf) << 8)) >= MODULUS || ((b >>> 4) | (c << 4)) >= MODULUS) return false
  }
  return true
}

function withoutTopBit(key: Uint8Array): Uint8Array {
  const copy = new Uint8Array(key)
  copy[SIZE - 1] = (copy[SIZE - 1] ?? 0) & 0x7f
  return copy
}

function isBelowPrime(key: Uint8Array): boolean {
  const [first = 0, ...rest] = withoutTopBit(key)
  const last = rest.pop()
  return first < 0xed || last !== 0x7f || rest.some((byte) => byte !== 0xff)
}
