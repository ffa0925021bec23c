/**
 * The functions that PROTOCOL.md's notation names, with its spelling: Ext, Drv, Seal1, ab. Secrets
 * travel as {@link HmacKey}s; their bytes exist only between one HMAC and the next import.
 */
import { type Bytes, concat, EMPTY, lp8, u8, u32, utf8 } from './bytes.ts'
import type { Awaitable, HmacKey, Primitives } from './primitives.ts'

export const HASH_LENGTH = 32
export const IV_LENGTH = 12
/** Z: 32 zero bytes. */
export const Z: Bytes = new Uint8Array(HASH_LENGTH)

/** What a transcript hash takes in, by the `u8 type` of `ab`. */
export const HASHED = {
  m1: 1,
  clear: 2,
  p2: 3,
  ct: 4,
  id: 5,
  sig: 6,
  finC: 7,
  params: 8,
  finS: 9,
} as const

/** `Ext(salt, ikm)`: HKDF-Extract (RFC 5869, 2.2). Wipes `ikm` unless it is Z. */
export async function ext(p: Primitives, salt: HmacKey, ikm: Bytes): Promise<HmacKey> {
  const raw = await p.hmac(salt, ikm)
  if (ikm !== Z) ikm.fill(0)
  return takeKey(p, raw)
}

/** `Drv(s, label, ctx)`: HKDF-Expand to 32 bytes (RFC 5869, 2.3), as bytes. */
export function drv(
  p: Primitives,
  secret: HmacKey,
  label: string,
  context: Bytes = EMPTY,
): Awaitable<Bytes> {
  return p.hmac(secret, infoOf(label, context))
}

/** 0x0020 ‖ lp8("sotto1 " + label) ‖ lp8(ctx) ‖ 0x01, in one piece: thirty of them a handshake. */
function infoOf(label: string, context: Bytes): Bytes {
  const name = `sotto1 ${label}`
  const info = new Uint8Array(2 + 1 + name.length + 1 + context.length + 1)
  info[1] = HASH_LENGTH
  info[2] = name.length
  for (let i = 0; i < name.length; i++) info[3 + i] = name.charCodeAt(i)
  info[3 + name.length] = context.length
  info.set(context, 4 + name.length)
  info[info.length - 1] = 1
  return info
}

/** `Drv`, when the result is a secret to derive from. */
export async function drvKey(
  p: Primitives,
  secret: HmacKey,
  label: string,
  context: Bytes = EMPTY,
): Promise<HmacKey> {
  return takeKey(p, await drv(p, secret, label, context))
}

async function takeKey(p: Primitives, raw: Bytes): Promise<HmacKey> {
  const key = await p.hmacKey(raw)
  raw.fill(0)
  return key
}

/** AES-256-GCM key and iv of a secret: what Seal1, records and casts all start from. */
export async function aeadOf(p: Primitives, secret: HmacKey) {
  const raw = await drv(p, secret, 'key')
  const aead = await p.aead(raw)
  raw.fill(0)
  const iv = (await drv(p, secret, 'iv')).slice(0, IV_LENGTH)
  return { aead, iv }
}

/** `Seal1(s, aad, m)`. Each secret seals one message only: callers derive a new one each time. */
export async function seal1(
  p: Primitives,
  secret: HmacKey,
  aad: Bytes,
  message: Bytes,
): Promise<Bytes> {
  const { aead, iv } = await aeadOf(p, secret)
  return aead.seal(iv, aad, message)
}

/** The inverse of {@link seal1}. Throws SottoError `crypto_failed`. */
export async function open1(
  p: Primitives,
  secret: HmacKey,
  aad: Bytes,
  sealed: Bytes,
): Promise<Bytes> {
  const { aead, iv } = await aeadOf(p, secret)
  return aead.open(iv, aad, sealed)
}

/** `T0 = H("sotto1 transcript" ‖ 00 ‖ lp8(host))`. */
export function transcriptOf(p: Primitives, host: string): Awaitable<Bytes> {
  return p.sha256(concat(utf8('sotto1 transcript'), u8(0), lp8(utf8(host))))
}

/** `ab(T, type, body)`: the transcript with one more plaintext in it. */
export function ab(p: Primitives, T: Bytes, type: number, body: Bytes): Awaitable<Bytes> {
  const hashed = new Uint8Array(T.length + 5 + body.length)
  hashed.set(T)
  hashed[T.length] = type
  hashed.set(u32(body.length), T.length + 1)
  hashed.set(body, T.length + 5)
  return p.sha256(hashed)
}

/** `HMAC(Drv(s, "finished"), T)`: proof of s and of having seen the same transcript. */
export async function finished(p: Primitives, secret: HmacKey, T: Bytes): Promise<Bytes> {
  return p.hmac(await drvKey(p, secret, 'finished'), T)
}

/** nonce = iv xor u64 counter, big-endian in the last eight bytes. */
export function nonceOf(iv: Bytes, counter: number): Bytes {
  const nonce = new Uint8Array(iv)
  const view = new DataView(nonce.buffer)
  view.setUint32(4, view.getUint32(4) ^ Math.floor(counter / 0x1_0000_0000))
  view.setUint32(8, view.getUint32(8) ^ (counter >>> 0))
  return nonce
}
