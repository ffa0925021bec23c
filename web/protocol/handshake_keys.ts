/** The steps of the key schedule that both roles take, in the order in which they are taken. */
import { type Bytes, equal } from './bytes.ts'
import { SottoError } from './errors.ts'
import { SHARE_LENGTH } from './handshake_messages.ts'
import { ab, drv, drvKey, ext, finished, HASHED, Z } from './key_schedule.ts'
import type { HmacKey, Primitives, X25519Pair } from './primitives.ts'
import type { Ticket } from './tickets.ts'

/** How a handshake ends, the same at both sides. */
export interface Established {
  readonly mode: 'full' | 'resumed'
  /** Traffic secrets: what the client sends under (c ap), and the endpoint (s ap). */
  readonly keys: { readonly client: HmacKey; readonly server: HmacKey }
  /** 32 bytes, secret: binds proofs inside the session to it, as HMAC(token, exporter). */
  readonly exporter: Bytes
  /** For the next connection. */
  readonly ticket: Ticket
  /** The last transcript hash, 32 bytes: both sides hold the same. Not secret. */
  readonly transcript: Bytes
  /** As the endpoint sent them: `decodeParams` reads them. */
  readonly params: Bytes
  /** SHA-256 of the endpoint's SPKI. */
  readonly endpointKey: Bytes
}

/**
 * z, 32 bytes. Throws SottoError `illegal_parameter` for every share that is refused: a wrong
 * length, our own come back, whatever the engine does not take, and those that lead to all zero.
 */
export async function sharedSecret(pair: X25519Pair, peer: Bytes): Promise<Bytes> {
  if (peer.length !== SHARE_LENGTH || equal(peer, pair.publicKey)) throw unusableShare()
  const z = await pair.agree(peer)
  if (equal(z, Z)) throw unusableShare()
  return z
}

function unusableShare(): SottoError {
  return new SottoError('illegal_parameter', 'The other side sent an unusable key share.')
}

/** ES of a full handshake: Ext(Z, Z). */
export async function fullEarly(p: Primitives): Promise<HmacKey> {
  return ext(p, await p.hmacKey(Z), Z)
}

/** ES of a resumption: Drv(psk, "early"). */
export function resumedEarly(p: Primitives, psk: HmacKey): Promise<HmacKey> {
  return drvKey(p, psk, 'early')
}

/** HMAC(Drv(Drv(ESr, "binder"), "finished"), ab(T0, 1, M1 with an empty binder)). */
export async function binderOf(
  p: Primitives,
  early: HmacKey,
  T0: Bytes,
  unbound: Bytes,
): Promise<Bytes> {
  return finished(p, await drvKey(p, early, 'binder'), await ab(p, T0, HASHED.m1, unbound))
}

export interface HandshakeSecrets {
  readonly HS: HmacKey
  readonly client: HmacKey
  readonly server: HmacKey
}

/** HS = Ext(Drv(ES, "derived"), z), c_hs and s_hs. Wipes z. */
export async function handshakeSecrets(
  p: Primitives,
  ES: HmacKey,
  z: Bytes,
  T2: Bytes,
): Promise<HandshakeSecrets> {
  const HS = await ext(p, await drvKey(p, ES, 'derived'), z)
  const server = await drvKey(p, HS, 's hs', T2)
  return { HS, client: await drvKey(p, HS, 'c hs', T2), server }
}

export interface AuthSecrets {
  readonly AS: HmacKey
  readonly client: HmacKey
  readonly server: HmacKey
}

/** AS = Ext(Drv(HS, "derived"), ss), c_au and s_au. Wipes ss. */
export async function authSecrets(
  p: Primitives,
  HS: HmacKey,
  ss: Bytes,
  T4: Bytes,
): Promise<AuthSecrets> {
  const AS = await ext(p, await drvKey(p, HS, 'derived'), ss)
  const client = await drvKey(p, AS, 'c au', T4)
  return { AS, client, server: await drvKey(p, AS, 's au', T4) }
}

export interface MasterSecrets {
  readonly keys: Established['keys']
  readonly exporter: Bytes
  readonly psk: HmacKey
}

/** MS = Ext(Drv(last, "derived"), Z) and all that comes of it. `T` is T8, or T4 of a resumption. */
export async function masterSecrets(
  p: Primitives,
  last: HmacKey,
  T: Bytes,
): Promise<MasterSecrets> {
  const MS = await ext(p, await drvKey(p, last, 'derived'), Z)
  const client = await drvKey(p, MS, 'c ap', T)
  return {
    keys: { client, server: await drvKey(p, MS, 's ap', T) },
    exporter: await drv(p, MS, 'exporter', T),
    psk: await drvKey(p, MS, 'resumption', T),
  }
}

/**
 * A step that can be taken once. A second message at the same state is an attack or a bug: it is
 * refused before it is looked at.
 */
export function once<T>(step: (message: Bytes) => Promise<T>): (message: Bytes) => Promise<T> {
  let taken = false
  return async (message) => {
    if (taken) throw new SottoError('unexpected_message', 'A handshake step was taken twice.')
    taken = true
    return step(message)
  }
}
