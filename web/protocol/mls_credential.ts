/**
 * Who an MLS leaf belongs to: the identity of its basic credential is a binding, in which a
 * person's RSA key vouches for the leaf's signature key, for a time and for one endpoint
 * (PROTOCOL.md, "Rooms", "Binding").
 */
import {
  type Bytes,
  concat,
  equal,
  fromUtf8,
  lp8,
  lp16,
  Reader,
  u8,
  u16,
  u64,
  utf8,
} from './bytes.ts'
import { SottoError } from './errors.ts'
import type { Signer } from './identity.ts'
import { normaliseName } from './names.ts'
import { isEd25519Key } from './sound_keys.ts'
import { verifySignature } from './spki.ts'

/** MLS_256_XWING_AES256GCM_SHA512_Ed25519. */
export const SUITE_ID = 0x0053
const BINDING_VERSION = 1
const SIGNATURE_PREFIX = concat(
  new Uint8Array(64).fill(0x20),
  utf8('sotto1 mls binding'),
  Uint8Array.of(0),
)
const DAY = 86_400

/** A new binding holds for this many days, from an hour before it is made. */
export const BINDING_DAYS = 400
/** A binding that ends sooner than this is due for renewal, and is added to no room any more. */
export const RENEW_DAYS = 60
const CLOCK_SKEW = 3600
const BAD_NAME = 'A device in the room has a name that is not spelt as names have to be.'
/**
 * A binding counts from so many seconds before it begins: of two people, each may have a clock that
 * is off by a day and more, and who only has a wrong clock is no stranger.
 */
export const CLOCKS_APART = 3 * DAY

/** A device of a person, as its binding says. All of it is public among the members. */
export interface Binding {
  /** In display form (`normaliseName`), once it is verified. */
  readonly user: string
  /** 16 bytes. */
  readonly device: Bytes
  /** The person's RSA public key in DER. */
  readonly spki: Bytes
  /** SHA-256 of `spki`. */
  readonly fingerprint: Bytes
  /** SHA-256 of the endpoint's SPKI. */
  readonly hostKeyHash: Bytes
  /** Seconds since 1970, both included. */
  readonly notBefore: number
  readonly notAfter: number
  /** The leaf's Ed25519 key, 32 bytes. */
  readonly signatureKey: Bytes
  /** The identity bytes of the leaf's credential, as they stand in it. */
  readonly encoded: Bytes
}

type Claim = Pick<
  Binding,
  'user' | 'device' | 'spki' | 'hostKeyHash' | 'notBefore' | 'notAfter' | 'signatureKey'
>

/** Makes and signs a binding; `now` in milliseconds since 1970. */
export async function makeBinding(
  identity: Signer,
  claim: Omit<Claim, 'spki' | 'notBefore' | 'notAfter'>,
  now: number,
): Promise<Binding> {
  const seconds = Math.floor(now / 1000)
  const notBefore = Math.max(0, seconds - CLOCK_SKEW)
  const notAfter = seconds + BINDING_DAYS * DAY
  const whole = { ...claim, spki: identity.spki, notBefore, notAfter }
  const signature = await identity.sign(await signedData(whole))
  return readBinding(encodeBinding(whole, signature), claim.signatureKey)
}

/**
 * Reads a credential's identity without verifying it. The signature key is the leaf's own: it is
 * covered by the binding's signature but not repeated in it.
 * Throws SottoError `bad_member` when it is not a binding.
 */
export async function readBinding(
  identity: Uint8Array,
  signatureKey: Uint8Array,
): Promise<Binding> {
  const { claim } = parse(identity, signatureKey)
  const fingerprint = new Uint8Array(await crypto.subtle.digest('SHA-256', claim.spki))
  return { ...claim, fingerprint, encoded: new Uint8Array(identity) }
}

/**
 * Verifies a binding as every member does before it accepts a leaf: its form and that of the name,
 * the template of its RSA key, that it is for this endpoint and the leaf's signature key, that it is in force, and the
 * signature. `now` in milliseconds since 1970. Throws SottoError `bad_member`.
 */
export async function verifyBinding(
  identity: Uint8Array,
  signatureKey: Uint8Array,
  hostKeyHash: Uint8Array,
  now: number,
): Promise<Binding> {
  const { claim, signature } = parse(identity, signatureKey)
  checkUser(claim.user)
  if (!equal(claim.hostKeyHash, hostKeyHash))
    throw badMember(`A device of ${claim.user} belongs to another server.`)
  checkValidity(claim, now)
  if (!(await verifies(claim, signature)))
    throw badMember(`A device claims to be ${claim.user}'s, but its signature is wrong.`)
  return readBinding(identity, signatureKey)
}

/** Throws SottoError `bad_member` unless the binding is in force; `now` in milliseconds. */
export function checkValidity(
  { user, notBefore, notAfter }: Pick<Binding, 'user' | 'notBefore' | 'notAfter'>,
  now: number,
): void {
  const seconds = Math.floor(now / 1000)
  if (notAfter - notBefore > BINDING_DAYS * DAY + CLOCK_SKEW)
    throw badMember(`A device of ${user} was confirmed for too long a time.`)
  if (seconds + CLOCKS_APART < notBefore)
    throw badMember(`A device of ${user} is confirmed for the future only. Is the clock right?`)
  if (seconds > notAfter)
    throw new Expired(`The confirmation of a device of ${user} has expired. Is the clock right?`)
}

/** Whether less than RENEW_DAYS are left of it. */
export function endsSoon({ notAfter }: Pick<Binding, 'notAfter'>, now: number): boolean {
  return now / 1000 > notAfter - RENEW_DAYS * DAY
}

/** What lets a device in was once good: when it is here again, it brings what is. */
export class Expired extends SottoError {
  constructor(text: string) {
    super('bad_member', text)
  }
}

export function badMember(text: string, cause?: unknown): SottoError {
  return new SottoError('bad_member', text, cause === undefined ? {} : { cause })
}

/** A key outside the template, as any other fault, is a signature that does not hold. */
async function verifies(claim: Claim, signature: Bytes): Promise<boolean> {
  try {
    return await verifySignature(claim.spki, await signedData(claim), signature)
  } catch {
    return false
  }
}

/** 64 × 0x20 ‖ "sotto1 mls binding" ‖ 00 ‖ SHA-256(claim). */
async function signedData(claim: Claim): Promise<Bytes> {
  const bytes = concat(
    claim.hostKeyHash,
    lp8(utf8(claim.user)),
    claim.device,
    lp16(claim.spki),
    lp8(claim.signatureKey),
    u64(claim.notBefore),
    u64(claim.notAfter),
    u16(SUITE_ID),
  )
  return concat(SIGNATURE_PREFIX, new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

function encodeBinding(claim: Claim, signature: Bytes): Bytes {
  return concat(
    u8(BINDING_VERSION),
    claim.hostKeyHash,
    lp8(utf8(claim.user)),
    claim.device,
    lp16(claim.spki),
    u64(claim.notBefore),
    u64(claim.notAfter),
    u16(SUITE_ID),
    lp16(signature),
  )
}

function parse(identity: Uint8Array, signatureKey: Uint8Array): { claim: Claim; signature: Bytes } {
  try {
    const reader = new Reader(identity)
    if (reader.u8() !== BINDING_VERSION) throw new RangeError('unknown version')
    const hostKeyHash = reader.take(32)
    const user = fromUtf8(reader.lp8())
    const device = reader.take(16)
    const spki = reader.lp16()
    const notBefore = reader.u64()
    const notAfter = reader.u64()
    if (reader.u16() !== SUITE_ID) throw new RangeError('another suite')
    const signature = reader.lp16()
    reader.end()
    if (!isEd25519Key(signatureKey)) throw new RangeError('not an Ed25519 key')
    const key = new Uint8Array(signatureKey)
    const claim = { user, device, spki, hostKeyHash, notBefore, notAfter, signatureKey: key }
    return { claim, signature }
  } catch (cause) {
    throw badMember('A device in the room does not say whose it is.', cause)
  }
}

/** Two spellings would pass for two people, or one for another: a name has one form ("Names"). */
function checkUser(user: string): void {
  try {
    if (normaliseName(user) === user) return
  } catch (cause) {
    throw badMember(BAD_NAME, cause)
  }
  throw badMember(BAD_NAME)
}
