/**
 * The endpoint's examination of M3: AEAD, fin_c, SPKI template, signature, in this order. A check
 * that fails does not end it. Decoys of the same size take the place of what could not be read, so
 * that one private and one public RSA operation and every hash happen for each M3, and the answer
 * tells nobody which check it was (Manger 2001 for OAEP; THREATS R12, D2).
 */
import { type Bytes, EMPTY, equal } from './bytes.ts'
import type { EndpointKey } from './endpoint_key.ts'
import { type AuthSecrets, authSecrets, type HandshakeSecrets } from './handshake_keys.ts'
import {
  DEVICE_LENGTH,
  decodeM3,
  decodeProof,
  encodeId,
  oaepLabel,
  type Peer,
  type Proof,
  signedPart,
} from './handshake_messages.ts'
import { ab, finished, HASH_LENGTH, HASHED, open1 } from './key_schedule.ts'
import type { Primitives } from './primitives.ts'
import { checkSpki, LEAST_IDENTITY_BITS } from './spki.ts'

export interface Examined {
  /** The client, when every check passed. */
  readonly peer: Peer | undefined
  readonly auth: AuthSecrets
  readonly T7: Bytes
}

interface Examiner {
  readonly primitives: Primitives
  readonly key: EndpointKey
}

/** Never throws for anything that is wrong with `m3`. */
export async function examine(
  { primitives: p, key }: Examiner,
  secrets: HandshakeSecrets,
  T3: Bytes,
  m3: Bytes,
): Promise<Examined> {
  const { e3a, e3b } = orElse(() => decodeM3(m3), { e3a: EMPTY, e3b: EMPTY })
  const opened = await open1(p, secrets.client, T3, e3a).catch(() => EMPTY)
  const modulus = checkSpki(key.spki, { least: LEAST_IDENTITY_BITS })
  const encrypted = fits(opened, modulus)
  const ct = encrypted ? opened : decoyCiphertext(p, modulus)
  const ss = await decryptOrRandom(p, key, ct, oaepLabel(T3))
  const T4 = await ab(p, T3, HASHED.ct, ct)
  const auth = await authSecrets(p, secrets.HS, ss, T4)

  const plaintext = await open1(p, auth.client, T4, e3b).catch(() => EMPTY)
  const decoy = decoyProof(key)
  const proof = orElse(() => decodeProof(plaintext), decoy)
  const T5 = await ab(p, T4, HASHED.id, proof.id)
  const T6 = await ab(p, T5, HASHED.sig, proof.sig)
  const finC = equal(proof.finC, await finished(p, auth.client, T6))
  const T7 = await ab(p, T6, HASHED.finC, proof.finC)
  const template = orElse(() => checkSpki(proof.peer.spki, { least: LEAST_IDENTITY_BITS }), EMPTY)
  const signed = fits(proof.sig, template)
  const { sig, peer } = signed ? proof : decoy
  const signature = await p.rsaVerify(peer.spki, sig, signedPart(T5))

  const good = encrypted && proof !== decoy && finC && signed && signature
  return { peer: good ? proof.peer : undefined, auth, T7 }
}

function orElse<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}

/** If OAEP fails or the length is not 32, a random ss goes on in its place. */
async function decryptOrRandom(
  p: Primitives,
  key: EndpointKey,
  ct: Bytes,
  label: Bytes,
): Promise<Bytes> {
  const random = p.random(HASH_LENGTH)
  try {
    const ss = await key.decrypt(ct, label)
    return ss.length === HASH_LENGTH ? ss : random
  } catch {
    return random
  }
}

/** As long as the modulus and less than it: engines refuse anything else before any RSA. */
function fits(number: Bytes, modulus: Bytes): boolean {
  const at = modulus.findIndex((byte, i) => byte !== number[i])
  return number.length === modulus.length && (number[at] ?? 0) < (modulus[at] ?? 0)
}

function decoyCiphertext(p: Primitives, modulus: Bytes): Bytes {
  const ct = p.random(modulus.length)
  ct[0] = 0
  return ct
}

/** The endpoint's own key and a signature that no key has made. */
function decoyProof({ spki }: EndpointKey): Proof {
  const peer = { spki, user: '?', device: new Uint8Array(DEVICE_LENGTH) }
  const sig = new Uint8Array(checkSpki(spki, { least: LEAST_IDENTITY_BITS }).length).fill(1)
  return { id: encodeId(peer), peer, sig, finC: new Uint8Array(HASH_LENGTH) }
}
