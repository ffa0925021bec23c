/**
 * The client's side of the handshake (PROTOCOL.md, "Handshake"), in the order of the wire. It does
 * no I/O: each step takes the frame that came and gives the frame to send, and returns the only
 * state that the next step can start from.
 *
 *     startHandshake → m1 … receive(m2) → m3 … receive(m4) → established
 *                            receive(m2) → m3 and established, after a resumption
 */
import { alertText, CHECK_NAME, readClearAlert } from './alerts.ts'
import { type Bytes, concat, EMPTY, equal, lp16, utf8 } from './bytes.ts'
import { SottoError } from './errors.ts'
import {
  authSecrets,
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
  decodeM2,
  decodeP2,
  decodeWelcome,
  encodeHello,
  encodeId,
  encodeProof,
  GROUP,
  type Hello,
  MODE,
  oaepLabel,
  type ServerHello,
  SUITE,
  signedPart,
  withoutBinder,
} from './handshake_messages.ts'
import { field, sealed, type Trace, Tracer } from './handshake_steps.ts'
import type { Signer } from './identity.ts'
import { ab, finished, HASH_LENGTH, HASHED, open1, seal1, transcriptOf } from './key_schedule.ts'
import type { HmacKey, Primitives, X25519Pair } from './primitives.ts'
import { checkSpki, LEAST_ENDPOINT_BITS } from './spki.ts'
import { makeTicket, type Ticket, type TicketBinding, ticketFits } from './tickets.ts'

export interface ClientOptions {
  readonly primitives: Primitives
  /** The endpoint's configured name. A wrong one only makes the handshake fail. */
  readonly host: string
  /** SHA-256 of the endpoint's SPKI, 32 bytes; undefined trusts the first key that is seen. */
  readonly pin: Bytes | undefined
  readonly identity: Signer
  /** NFC, 1 to 64 bytes of UTF-8. */
  readonly user: string
  /** 16 bytes. */
  readonly device: Bytes
  /** Used when it fits pin, host, identity, user and device, and is not too old. */
  readonly ticket?: Ticket | undefined
  readonly trace?: Trace | undefined
  /**
   * Milliseconds, by which tickets age: of a clock that outlives them, so the time of day where one
   * is kept over restarts. If it is wrong a ticket is offered in vain or not at all, and the
   * handshake is a full one; the endpoint goes by a clock of its own.
   */
  now(): number
  /** Milliseconds of a monotonic clock, for the times in `trace`; `now` when left out. */
  steady?(): number
}

/** M1 is on its way; M2 is awaited. */
export interface AwaitEndpoint {
  readonly m1: Bytes
  /**
   * Takes M2 once. Throws {@link EndpointKeyChanged}: then stop, nothing more is sent. Throws
   * SottoError with the code of a clear alert that came instead, or `illegal_parameter`,
   * `decode_error`, `crypto_failed`, `bad_key`: then close; nothing is to be sent either.
   */
  receive(m2: Bytes): Promise<AwaitParams | Resumed>
}

/** M3 is to be sent; M4 is awaited. */
export interface AwaitParams {
  readonly mode: 'full'
  readonly m3: Bytes
  /** Takes M4 once. Throws SottoError as {@link AwaitEndpoint.receive}. */
  receive(m4: Bytes): Promise<Established>
}

/** M3 is to be sent, and records may follow at once. */
export interface Resumed {
  readonly mode: 'resumed'
  readonly m3: Bytes
  readonly established: Established
}

/** The endpoint's key is not the pinned one. Nothing is sent and nothing retried after this. */
export class EndpointKeyChanged extends SottoError {
  /** SHA-256 of the SPKI that was shown, 32 bytes. */
  readonly seen: Bytes

  constructor(seen: Bytes) {
    super(
      'endpoint_key_changed',
      'The server shows another key than before. Somebody may be in the middle: stop, and ask whoever runs it for the right fingerprint.',
    )
    this.name = 'EndpointKeyChanged'
    this.seen = seen
  }
}

/**
 * M2 does not open. The name is in the key that it is sealed with, so a client that asks for a name
 * that is not the endpoint's meets this at every try; else somebody has changed M1 or M2.
 */
export class AnswerUnopened extends SottoError {
  constructor(host: string, options: ErrorOptions) {
    super(
      'crypto_failed',
      `The server’s answer can’t be opened: it may go by another name than ${host}. ${CHECK_NAME} If the name is right, somebody changes what passes between you and the server: use another network.`,
      options,
    )
    this.name = 'AnswerUnopened'
  }
}

interface Context {
  readonly o: ClientOptions
  readonly p: Primitives
  readonly tracer: Tracer
  readonly pair: X25519Pair
  /** What M1 offers, if it offers a ticket. */
  readonly offer: { readonly ticket: Ticket; readonly early: HmacKey } | undefined
  readonly T1: Bytes
}

/** Makes M1. Throws RangeError when user or device break their rules: they are ours. */
export async function startHandshake(o: ClientOptions): Promise<AwaitEndpoint> {
  const p = o.primitives
  const tracer = new Tracer(o.trace, o.steady ?? o.now)
  encodeId({ spki: o.identity.spki, user: o.user, device: o.device })
  const pair = await p.x25519()
  const ticket = usableTicket(o)
  const unbound: Hello = {
    suites: [SUITE],
    random: p.random(32),
    shares: [{ group: GROUP, share: pair.publicKey }],
    ticketId: ticket?.id ?? EMPTY,
    binder: EMPTY,
  }
  const T0 = await transcriptOf(p, o.host)
  const offer = ticket && { ticket, early: await resumedEarly(p, ticket.psk) }
  const binder = offer ? await binderOf(p, offer.early, T0, withoutBinder(unbound)) : EMPTY
  const m1 = encodeHello({ ...unbound, binder })
  const T1 = await ab(p, T0, HASHED.m1, m1)
  const context = { o, p, tracer, pair, offer, T1 }
  tracer.step('out', 'M1 hello', HELLO_PROVES[offer ? 1 : 0], m1.length, T1, () => [
    field('suite', 'AES-256-GCM, SHA-256, RSA-OAEP, RSA-PSS', 2),
    field('client random', unbound.random),
    field('X25519 share', pair.publicKey),
    ...(offer ? [field('ticket', offer.ticket.id), field('binder', binder)] : []),
  ])
  return { m1, receive: once((m2) => receiveM2(context, m2)) }
}

const HELLO_PROVES = [
  'A key pair made for this connection alone; it proves nothing yet and names nobody.',
  'A new key pair, and a ticket of the last session: the binder proves that we hold its secret.',
] as const

/** A ticket is used with a pin only: without one nobody would know whose ticket it is. */
function usableTicket(o: ClientOptions): Ticket | undefined {
  if (o.ticket === undefined || o.pin === undefined) return undefined
  return ticketFits(o.ticket, bindingOf(o, o.pin), o.now()) ? o.ticket : undefined
}

function bindingOf(o: ClientOptions, endpointKey: Bytes): TicketBinding {
  return { host: o.host, user: o.user, device: o.device, spki: o.identity.spki, endpointKey }
}

async function receiveM2(context: Context, m2: Bytes): Promise<AwaitParams | Resumed> {
  throwIfAlert(m2)
  const { p, tracer, pair, offer } = context
  const { hello, clear, e2 } = decodeM2(m2)
  const z = await checkServerHello(context, hello)
  const T2 = await ab(p, context.T1, HASHED.clear, clear)
  tracer.step('in', 'M2 answer', ANSWER_PROVES, m2.length, T2, () => [
    field('mode', hello.mode === MODE.full ? 'full' : 'resumed', 1),
    field('server random', hello.random),
    field('X25519 share', hello.share),
    sealed(hello.mode === MODE.full ? 'endpoint key' : 'session', e2.length),
  ])
  const resumed = hello.mode === MODE.resumed ? offer : undefined
  const ES = resumed?.early ?? (await fullEarly(p))
  const secrets = await handshakeSecrets(p, ES, z, T2)
  tracer.step('own', 'Key agreement', AGREED_PROVES, 0, T2, () => [
    field('ours', pair.publicKey),
    field('theirs', hello.share),
  ])
  return resumed
    ? finishResumption(context, resumed.ticket, secrets, T2, e2)
    : proveIdentity(context, secrets, T2, e2)
}

const ANSWER_PROVES =
  'The endpoint adds a key pair of its own for this connection; what follows is sealed.'
const AGREED_PROVES =
  'Both sides reach the same secret from the two shares; who only listens cannot, not even later.'

/** An endpoint that refuses says so in two bytes. Advice only: see alerts.ts. */
function throwIfAlert(frame: Bytes): void {
  const alert = readClearAlert(frame)
  if (alert !== undefined) throw new SottoError(alert, alertText(alert))
}

/** Nothing is accepted that M1 did not offer. Gives z. */
async function checkServerHello(context: Context, hello: ServerHello): Promise<Bytes> {
  const modes: number[] = context.offer ? [MODE.full, MODE.resumed] : [MODE.full]
  if (hello.suite !== SUITE || hello.group !== GROUP || !modes.includes(hello.mode))
    throw new SottoError('illegal_parameter', 'The server chose something that was not offered.')
  return sharedSecret(context.pair, hello.share)
}

async function proveIdentity(
  context: Context,
  secrets: HandshakeSecrets,
  T2: Bytes,
  e2: Bytes,
): Promise<AwaitParams> {
  const { o, p, tracer } = context
  const P2 = await open1(p, secrets.server, T2, e2).catch((cause) => {
    throw new AnswerUnopened(o.host, { cause })
  })
  const { spki, endpointKey } = await checkEndpoint(o, p, P2)
  const T3 = await ab(p, T2, HASHED.p2, P2)
  tracer.step('own', 'Endpoint key', PINNED_PROVES[o.pin ? 1 : 0], 0, T3, () => [
    field('fingerprint', endpointKey),
    field('host', o.host, utf8(o.host).length),
  ])

  const ss = p.random(32)
  const ct = await p.rsaEncrypt(spki, oaepLabel(T3), ss)
  const e3a = await seal1(p, secrets.client, T3, ct)
  const T4 = await ab(p, T3, HASHED.ct, ct)
  const auth = await authSecrets(p, secrets.HS, ss, T4)

  const id = encodeId({ spki: o.identity.spki, user: o.user, device: o.device })
  const T5 = await ab(p, T4, HASHED.id, id)
  const sig = await o.identity.sign(signedPart(T5))
  const T6 = await ab(p, T5, HASHED.sig, sig)
  const finC = await finished(p, auth.client, T6)
  const T7 = await ab(p, T6, HASHED.finC, finC)
  const e3b = await seal1(p, auth.client, T4, encodeProof(id, sig, finC))
  const m3 = concat(lp16(e3a), lp16(e3b))
  tracer.step('out', 'M3 identity', IDENTITY_PROVES, m3.length, T7, () => [
    sealed('secret for the endpoint key (RSA-OAEP)', e3a.length),
    sealed('name, key and signature (RSA-PSS)', e3b.length),
  ])

  const receive = once(async (m4) => {
    throwIfAlert(m4)
    const welcome = await open1(p, auth.server, T7, m4)
    const { params, finS } = decodeWelcome(welcome)
    const T7p = await ab(p, T7, HASHED.params, params)
    verifyMac(finS, await finished(p, auth.server, T7p))
    const T8 = await ab(p, T7p, HASHED.finS, finS)
    const last = { mode: 'full', key: auth.AS, T: T8, lastFull: o.now() } as const
    tracer.step('in', 'M4 welcome', WELCOME_PROVES, m4.length, T8, () => [
      sealed('session', m4.length),
    ])
    return establish(context, last, params, endpointKey)
  })
  return { mode: 'full', m3, receive }
}

const PINNED_PROVES = [
  'The first key this host has shown: it will be kept once the endpoint has proved that it holds it; then any other is refused.',
  'The key is the pinned one; with any other the connection would stop here.',
] as const
const IDENTITY_PROVES =
  'Only the real endpoint can open this; our signature over all that was said proves who we are.'
const WELCOME_PROVES =
  'The endpoint opened our secret, so it holds its private key, and it saw exactly what we saw.'

/** SPKI template, host, pin, in this order. */
async function checkEndpoint(
  o: ClientOptions,
  p: Primitives,
  P2: Bytes,
): Promise<{ spki: Bytes; endpointKey: Bytes }> {
  const { spki, host } = decodeP2(P2)
  checkSpki(spki, { least: LEAST_ENDPOINT_BITS })
  if (!equal(host, utf8(o.host)))
    throw new SottoError('no_such_host', `The server goes by another name. ${CHECK_NAME}`)
  const endpointKey = await p.sha256(spki)
  if (o.pin !== undefined && !equal(endpointKey, o.pin)) throw new EndpointKeyChanged(endpointKey)
  return { spki, endpointKey }
}

async function finishResumption(
  context: Context,
  ticket: Ticket,
  secrets: HandshakeSecrets,
  T2: Bytes,
  e2: Bytes,
): Promise<Resumed> {
  const { p, tracer } = context
  const welcome = await open1(p, secrets.server, T2, e2)
  const { params, finS } = decodeWelcome(welcome)
  const T3p = await ab(p, T2, HASHED.params, params)
  verifyMac(finS, await finished(p, secrets.server, T3p))
  const T3 = await ab(p, T3p, HASHED.finS, finS)
  tracer.step(
    'own',
    'Endpoint proof',
    'The endpoint holds the secret of our last session.',
    0,
    T3,
    () => [field('fingerprint', ticket.endpointKey)],
  )
  const finC = await finished(p, secrets.client, T3)
  const T4 = await ab(p, T3, HASHED.finC, finC)
  const m3 = await seal1(p, secrets.client, T3, finC)
  tracer.step('out', 'M3 finished', RESUMED_PROVES, m3.length, T4, () => [
    sealed('proof', m3.length),
  ])
  const last = { mode: 'resumed', key: secrets.HS, T: T4, lastFull: ticket.lastFull } as const
  const established = await establish(context, last, params, ticket.endpointKey)
  return { mode: 'resumed', m3, established }
}

const RESUMED_PROVES =
  'We hold the secret of the last session, and have seen the same as the endpoint.'

function verifyMac(got: Bytes, expected: Bytes): void {
  if (got.length !== HASH_LENGTH || !equal(got, expected))
    throw new SottoError('crypto_failed', 'The server did not prove itself.')
}

async function establish(
  context: Context,
  last: { mode: 'full' | 'resumed'; key: HmacKey; T: Bytes; lastFull: number },
  params: Bytes,
  endpointKey: Bytes,
): Promise<Established> {
  const { o, p, tracer } = context
  const { keys, exporter, psk } = await masterSecrets(p, last.key, last.T)
  const binding = bindingOf(o, endpointKey)
  const ticket = await makeTicket(p, psk, binding, '', last.lastFull, o.now())
  tracer.step('own', 'Session keys', KEYS_PROVE, 0, last.T, () => [field('transcript', last.T)])
  return { mode: last.mode, keys, exporter, ticket, transcript: last.T, params, endpointKey }
}

const KEYS_PROVE =
  'One key for each direction, from everything above; both sides now hold the same transcript hash.'
