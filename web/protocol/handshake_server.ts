/**
 * The endpoint's side of the handshake (PROTOCOL.md, "Handshake"), in the order of the wire.
 *
 *     acceptHandshake(m1) → m2 … receive(m3) → m4 and established
 *                                receive(m3) → established, after a resumption
 *
 * Whoever sends rubbish after M2 gets one answer after the same work, whatever was wrong.
 */
import { type Bytes, concat, equal, lp16, utf8 } from './bytes.ts'
import type { EndpointKey } from './endpoint_key.ts'
import { SottoError } from './errors.ts'
import {
  binderOf,
  type Established,
  fullEarly,
  type HandshakeSecrets,
  handshakeSecrets,
  masterSecrets,
  once,
  resumedEarly,
  sharedSecret,
} from './handshake_keys.ts'
import {
  decodeHello,
  encodeP2,
  encodeServerHello,
  encodeWelcome,
  GROUP,
  type Hello,
  MODE,
  type Peer,
  SUITE,
  withoutBinder,
} from './handshake_messages.ts'
import { examine } from './handshake_proof.ts'
import { field, sealed, type Trace, Tracer } from './handshake_steps.ts'
import { ab, finished, HASHED, open1, seal1, transcriptOf } from './key_schedule.ts'
import type { HmacKey, Primitives, X25519Pair } from './primitives.ts'
import { makeTicket, type Ticket, type TicketStore, ticketFits } from './tickets.ts'

export type { Peer } from './handshake_messages.ts'

/** The directory's answer for a peer that proved its key. */
export interface Admission {
  /** `encodeParams` makes them. */
  readonly params: Bytes
  /** Whatever must stay the same for a ticket to stay good: account, its state, its rights. */
  readonly admission: string
}

export interface ServerOptions {
  readonly primitives: Primitives
  readonly host: string
  readonly key: EndpointKey
  /** SHA-256 of the key's SPKI, where it is known already: one object for all tickets. */
  readonly endpointKey?: Bytes
  readonly tickets: TicketStore
  /**
   * The directory check. It must change nothing: after a failed check it is asked all the same,
   * for a peer with an empty name and the endpoint's own SPKI, so that it costs the same work, and
   * the answer is dropped. For a resumption it is asked before M2, for the ticket's peer, with the
   * ticket's word of admission: a session that gave its password then is not asked for it again.
   */
  admit(peer: Peer, ticketed?: string): Promise<Admission | 'refused'>
  /** Runs RSA work in a bounded queue. May throw SottoError `busy` without running it. */
  rsa<T>(work: () => Promise<T>): Promise<T>
  readonly trace?: Trace | undefined
  /** Milliseconds of a monotonic clock. */
  now(): number
}

/** M2 is to be sent; M3 is awaited. */
export interface AwaitClient {
  readonly mode: 'full' | 'resumed'
  readonly m2: Bytes
  /**
   * Takes M3 once. Throws SottoError `handshake_failed` for everything that can be wrong with it,
   * or `busy`: answer with `clearAlertFor(error)` and close.
   */
  receive(m3: Bytes): Promise<Accepted>
}

export interface Accepted {
  /** To be sent before any record; none after a resumption. */
  readonly m4: Bytes | undefined
  readonly established: ServerEstablished
}

export interface ServerEstablished extends Established {
  readonly peer: Peer
}

interface Context {
  readonly o: ServerOptions
  readonly p: Primitives
  readonly tracer: Tracer
  readonly endpointKey: Bytes
}

/**
 * Takes M1 and makes M2. Throws SottoError `decode_error`, `protocol_version`,
 * `illegal_parameter` or `handshake_failed`: answer with `clearAlertFor(error)` and close.
 */
export async function acceptHandshake(o: ServerOptions, m1: Bytes): Promise<AwaitClient> {
  const p = o.primitives
  const context = {
    o,
    p,
    tracer: new Tracer(o.trace, o.now),
    endpointKey: o.endpointKey ?? (await p.sha256(o.key.spki)),
  }
  const hello = decodeHello(m1)
  const share = hello.shares.find(({ group }) => group === GROUP)?.share
  if (!hello.suites.includes(SUITE) || share === undefined)
    throw new SottoError('handshake_failed', 'The client offers nothing that is known here.')
  const T0 = await transcriptOf(p, o.host)
  const T1 = await ab(p, T0, HASHED.m1, m1)
  context.tracer.step('in', 'M1 hello', HELLO_PROVES, m1.length, T1, () => [
    field('client random', hello.random),
    field('X25519 share', share),
  ])
  const offer = await findOffer(context, hello, T0)
  const pair = await p.x25519()
  const z = await sharedSecret(pair, share)
  const { clear, T2, ES } = await answer(context, pair, T1, offer)
  const secrets = await handshakeSecrets(p, ES, z, T2)
  return offer
    ? resume(context, offer, secrets, clear, T2)
    : authenticate(context, secrets, clear, T2)
}

const HELLO_PROVES =
  'A client has made a key pair for this connection alone; it proves nothing yet.'

interface Offer {
  readonly ticket: Ticket
  readonly early: HmacKey
  readonly admitted: Admission
}

/** A ticket that is unknown, ill bound, or stale in any way counts as if none had been sent. */
async function findOffer(context: Context, hello: Hello, T0: Bytes): Promise<Offer | undefined> {
  const { o, p, endpointKey } = context
  if (hello.ticketId.length === 0) return undefined
  const ticket = o.tickets.find(hello.ticketId, o.now())
  if (ticket === undefined) return undefined
  const early = await resumedEarly(p, ticket.psk)
  const binder = await binderOf(p, early, T0, withoutBinder(hello))
  if (!equal(binder, hello.binder)) return undefined
  const binding = { ...ticket, host: o.host, endpointKey }
  const admitted = ticketFits(ticket, binding, o.now())
    ? await o.admit(peerOf(ticket), ticket.admission)
    : 'refused'
  if (admitted === 'refused' || admitted.admission !== ticket.admission) {
    o.tickets.consume(ticket.id, o.now())
    return undefined
  }
  return { ticket, early, admitted }
}

function peerOf({ spki, user, device }: Ticket): Peer {
  return { spki, user, device }
}

/** The clear part of M2. */
async function answer(context: Context, pair: X25519Pair, T1: Bytes, offer: Offer | undefined) {
  const { p } = context
  const clear = encodeServerHello({
    suite: SUITE,
    group: GROUP,
    random: p.random(32),
    share: pair.publicKey,
    mode: offer ? MODE.resumed : MODE.full,
  })
  const T2 = await ab(p, T1, HASHED.clear, clear)
  return { clear, T2, ES: offer?.early ?? (await fullEarly(p)) }
}

async function authenticate(
  context: Context,
  secrets: HandshakeSecrets,
  clear: Bytes,
  T2: Bytes,
): Promise<AwaitClient> {
  const { o, p, tracer } = context
  const P2 = encodeP2(o.key.spki, o.host)
  const e2 = await seal1(p, secrets.server, T2, P2)
  const m2 = concat(clear, lp16(e2))
  const T3 = await ab(p, T2, HASHED.p2, P2)
  tracer.step('out', 'M2 answer', ANSWER_PROVES, m2.length, T3, () => [
    field('mode', 'full', 1),
    sealed('endpoint key', e2.length),
  ])

  const receive = once(async (m3) => {
    const { peer, auth, T7 } = await o.rsa(() => examine(o, secrets, T3, m3))
    const admitted = await o.admit(peer ?? { ...DECOY, spki: o.key.spki })
    if (peer === undefined || admitted === 'refused') throw refusal()
    tracer.step('in', 'M3 identity', IDENTITY_PROVES, m3.length, T7, () => [
      field('client key', 'sealed', peer.spki.length),
    ])

    const T7p = await ab(p, T7, HASHED.params, admitted.params)
    const finS = await finished(p, auth.server, T7p)
    const T8 = await ab(p, T7p, HASHED.finS, finS)
    const m4 = await seal1(p, auth.server, T7, encodeWelcome(admitted.params, finS))
    tracer.step('out', 'M4 welcome', WELCOME_PROVES, m4.length, T8, () => [
      sealed('session', m4.length),
    ])
    const last = { mode: 'full', key: auth.AS, T: T8, lastFull: o.now() } as const
    return { m4, established: await establish(context, last, admitted, peer) }
  })
  return { mode: 'full', m2, receive }
}

const DECOY = { user: '', device: new Uint8Array(16) } as const
const ANSWER_PROVES = 'Our key, sealed to this client alone.'
const IDENTITY_PROVES = 'The client signed all that was said with its identity key.'
const WELCOME_PROVES =
  'We opened the secret with our private key and saw exactly what the client saw.'

function refusal(): SottoError {
  return new SottoError('handshake_failed', 'The client was not accepted.')
}

async function resume(
  context: Context,
  offer: Offer,
  secrets: HandshakeSecrets,
  clear: Bytes,
  T2: Bytes,
): Promise<AwaitClient> {
  const { o, p, tracer } = context
  const { ticket, admitted } = offer
  const T3p = await ab(p, T2, HASHED.params, admitted.params)
  const finS = await finished(p, secrets.server, T3p)
  const T3 = await ab(p, T3p, HASHED.finS, finS)
  const e2 = await seal1(p, secrets.server, T2, encodeWelcome(admitted.params, finS))
  const m2 = concat(clear, lp16(e2))
  tracer.step('out', 'M2 answer', 'We hold the secret of the last session.', m2.length, T3, () => [
    field('mode', 'resumed', 1),
    sealed('session', e2.length),
  ])

  const receive = once(async (m3) => {
    const finC = await open1(p, secrets.client, T3, m3).catch(() => utf8(''))
    const expected = await finished(p, secrets.client, T3)
    // Used up only here: of two that race with one ticket the second is refused.
    if (!equal(finC, expected) || !o.tickets.consume(ticket.id, o.now())) throw refusal()
    const T4 = await ab(p, T3, HASHED.finC, finC)
    tracer.step('in', 'M3 finished', RESUMED_PROVES, m3.length, T4, () => [])
    const last = { mode: 'resumed', key: secrets.HS, T: T4, lastFull: ticket.lastFull } as const
    const established = await establish(context, last, admitted, peerOf(ticket))
    return { m4: undefined, established }
  })
  return { mode: 'resumed', m2, receive }
}

const RESUMED_PROVES = 'The client holds the secret of the last session and saw what we saw.'

async function establish(
  context: Context,
  last: { mode: 'full' | 'resumed'; key: HmacKey; T: Bytes; lastFull: number },
  admitted: Admission,
  peer: Peer,
): Promise<ServerEstablished> {
  const { o, p, endpointKey } = context
  const { keys, exporter, psk } = await masterSecrets(p, last.key, last.T)
  const binding = { host: o.host, ...peer, endpointKey }
  const ticket = await makeTicket(p, psk, binding, admitted.admission, last.lastFull, o.now())
  o.tickets.put(ticket, o.now())
  const { params } = admitted
  return { mode: last.mode, keys, exporter, ticket, transcript: last.T, params, endpointKey, peer }
}
