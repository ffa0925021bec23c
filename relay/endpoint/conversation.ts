import type { SealedAlert } from '../../web/protocol/alerts.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import type { Established } from '../../web/protocol/handshake_keys.ts'
import {
  decodeMessage,
  type Event,
  encodeMessage,
  numberedSchema,
  type Op,
  type Request,
  requestSchema,
} from '../../web/protocol/messages.ts'
import type { Primitives } from '../../web/protocol/primitives.ts'
import { Session } from '../../web/protocol/session.ts'
import type { Applicant, Asker } from './admission.ts'
import { deviceKey, type Outcome, type Peer, type RequestOf } from './peer.ts'
import { badRequest, Refused, refusalOf, slowDown } from './refusal.ts'
import { type Rate, TokenBucket } from './token_bucket.ts'
import type { Wire } from './wire.ts'

/** Requests of one session: a burst of 2,000, then 500 a second. */
export const REQUEST_RATE: Rate = { burst: 2_000, perSecond: 500 }
/** Requests of one session that are being worked on at a time. */
const MOST_IN_FLIGHT = 256
/** Answers to these can be large: they wait until the carrier has taken what was sent before. */
const LARGE: ReadonlySet<Op> = new Set(['sync', 'fetch', 'group_info', 'welcome'])
const MOST_LARGE = 16

/** How a conversation's requests are answered. */
export interface Host {
  readonly primitives: Primitives
  readonly maxMessage: number
  readonly now: () => number
  /** Lets the session in, or throws {@link Refused}. */
  admit(applicant: Applicant, request: RequestOf<'register' | 'login'>): Promise<void>
  setPassword(asker: Asker, request: RequestOf<'set_password'>): Promise<void>
  handle(peer: Peer, request: Request): Promise<Outcome>
  /** The session was let in and may be told of events. Throws when the store can't take it. */
  entered(conversation: Conversation): Promise<void>
  /** The session has come to its end for this reason; the wire is to be closed. */
  ended(conversation: Conversation, reason: string): void
  /** A request failed for a reason of ours. */
  failed(op: Op, error: unknown): void
}

/** What was said in the handshake about who speaks. */
export interface Speaker extends Omit<Applicant, 'origin' | 'ticket'> {
  readonly admitted: boolean
}

const encoded = new WeakMap<Event, Bytes>()

/** The bytes of an event, made once however many are told. */
function encodeEvent(event: Event): Bytes {
  const known = encoded.get(event)
  if (known !== undefined) return known
  const bytes = encodeMessage(event)
  encoded.set(event, bytes)
  return bytes
}

/** What matters until it is let in, and is large for one of ten thousand sessions that say nothing. */
type Claim = Pick<Applicant, 'spki' | 'ticket'>

/** One session after its handshake: requests come in, replies and events go out. */
export class Conversation implements Peer {
  readonly user: string
  readonly skeleton: string
  readonly device: Bytes
  readonly wire: Wire
  readonly #host: Host
  readonly #session: Session
  readonly #rate: TokenBucket
  /** Undefined once it has been let in. */
  #claim: Claim | undefined
  #inFlight = 0
  #large = 0
  #over = false

  constructor(host: Host, wire: Wire, speaker: Speaker, established: Established) {
    this.#host = host
    this.wire = wire
    this.user = speaker.user
    this.skeleton = speaker.skeleton
    this.device = speaker.device
    if (!speaker.admitted) this.#claim = { spki: speaker.spki, ticket: established.ticket.id }
    this.#rate = new TokenBucket(REQUEST_RATE, host.now() / 1000)
    this.#session = new Session({
      primitives: host.primitives,
      established: { keys: established.keys },
      role: 'server',
      maxMessage: host.maxMessage,
      now: host.now,
      write: (frame) => wire.send(frame),
    })
  }

  get key(): string {
    return deviceKey(this)
  }

  get origin(): string {
    return this.wire.origin
  }

  get admitted(): boolean {
    return this.#claim === undefined
  }

  /** Bytes that are kept of a message that has not come whole yet. */
  get unfinished(): number {
    return this.#session.unfinished
  }

  /** To be called once, after M4 has been sent. */
  async begin(): Promise<void> {
    if (this.admitted) await this.#enter()
  }

  /** Takes the next frame. Frames must come one after the other, each awaited. */
  async receive(frame: Bytes): Promise<void> {
    const received = await this.#session.receive(frame)
    if (this.#over) return
    if (received.kind === 'message') await this.#request(received.message)
    else if (received.kind === 'closed') this.#finish(`closed: ${received.reason}`)
    else if (received.kind === 'alert') this.#finish(`alert from peer: ${received.alert}`)
  }

  async tell(event: Event): Promise<void> {
    if (this.#over) return
    // A session that has just failed has its own way to its end.
    await this.#session.send(encodeEvent(event)).catch(() => undefined)
  }

  /** Ends the session with an alert, unless it has sealed one of its own already. */
  end(alert: SealedAlert, reason: string = alert): void {
    if (this.#over) return
    const finish = (): void => this.#finish(reason)
    this.#session.alert(alert).then(finish, finish)
  }

  /** Closes in order, because the endpoint goes down. */
  async close(): Promise<void> {
    if (this.#over) return
    await this.#session.close('restart').catch(() => undefined)
    this.#finish('going_away')
  }

  /** The wire is gone. */
  cut(): void {
    this.#over = true
    this.#session.streamEnded()
  }

  /** To be called every few seconds: pings a silent peer, ends one that is gone. */
  async tick(): Promise<void> {
    const state = await this.#session.tick().catch(() => 'dead' as const)
    if (state === 'dead') this.#finish('silent')
  }

  #finish(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#host.ended(this, reason)
  }

  async #enter(): Promise<void> {
    await this.#host.entered(this)
    this.#claim = undefined
  }

  /**
   * Begins the work on a request; requests are begun in the order in which they come. Waits only
   * for what decides about admission: nothing may overtake that.
   */
  async #request(message: Bytes): Promise<void> {
    const request = decodeRequest(message)
    const { id } = request
    const wait = this.#rate.take(REQUEST_RATE, this.#host.now() / 1000)
    if (wait > 0) return this.#refuse(id, slowDown(Math.ceil(wait * 1000)))
    if (request.op === undefined) return this.#refuse(id, badRequest())
    if (!this.admitted || request.op === 'register' || request.op === 'login')
      return this.#answer(request, () => this.#admission(request))
    const large = LARGE.has(request.op)
    if (this.#inFlight >= MOST_IN_FLIGHT || (large && this.#large >= MOST_LARGE))
      return this.#refuse(id, slowDown(1000))
    this.#inFlight += 1
    if (large) this.#large += 1
    const answer = () => this.#answer(request, () => this.#work(request))
    void (large ? this.wire.carrier.unhurried(answer) : answer()).finally(() => {
      this.#inFlight -= 1
      if (large) this.#large -= 1
    })
  }

  async #admission(request: Request): Promise<Outcome> {
    if (request.op !== 'register' && request.op !== 'login')
      throw new Refused('not_admitted', 'Register or log in first.')
    const claim = this.#claim
    if (claim === undefined) throw badRequest('This session has been let in already.')
    const { user, skeleton, device, origin } = this
    await this.#host.admit({ user, skeleton, device, origin, ...claim }, request)
    await this.#enter()
    return { reply: {} }
  }

  async #work(request: Request): Promise<Outcome> {
    if (this.#over) throw new Refused('unavailable', 'The session is over.')
    if (request.op !== 'set_password') return this.#host.handle(this, request)
    await this.#host.setPassword(this, request)
    return { reply: {} }
  }

  async #answer(request: Request, work: () => Promise<Outcome>): Promise<void> {
    let outcome: Outcome
    try {
      outcome = await work()
    } catch (error) {
      return this.#failed(request, error)
    }
    // Queued first: what follows is then told after the reply, to the asker too. It follows even
    // when the asker is gone: the others must not miss what is on disk.
    const replied = this.#reply(request, outcome)
    this.#follow(request.op, outcome.done)
    await replied
  }

  async #reply(request: Request, { reply, sent }: Outcome): Promise<void> {
    if (this.#over) return
    try {
      const fields = typeof reply === 'function' ? reply() : reply
      const message = encodeMessage({ re: request.id, ...fields })
      await this.#session.send(message, () => this.#follow(request.op, sent))
    } catch (error) {
      // Nothing of the reply was sent: the refusal is the one answer.
      await this.#failed(request, error)
    }
  }

  /** A fault in what follows from a request is no answer to it: that was given. */
  #follow(op: Op, effects: (() => void) | undefined): void {
    try {
      effects?.()
    } catch (error) {
      this.#host.failed(op, error)
    }
  }

  async #failed({ id, op }: Request, error: unknown): Promise<void> {
    const refused = refusalOf(error)
    if (refused === undefined && !isClosed(error)) this.#host.failed(op, error)
    await this.#refuse(id, refused ?? new Refused('unavailable', FAULT))
  }

  async #refuse(id: number, { code, message, retryAfter, place }: Refused): Promise<void> {
    if (this.#over) return
    const wait = retryAfter === undefined ? {} : { retryAfter: Math.ceil(retryAfter) }
    const refusal = { re: id, error: code, text: message, ...wait, ...place }
    await this.#session.send(encodeMessage(refusal)).catch(() => undefined)
  }
}

const FAULT = 'The server had a fault of its own. Try again in a moment.'

function isClosed(error: unknown): boolean {
  return error instanceof SottoError && error.code === 'closed'
}

/**
 * A request that has a number but makes no sense is refused by that number; what has none ends
 * the session (SottoError `decode_error`).
 */
function decodeRequest(message: Bytes): Request | { readonly id: number; readonly op: undefined } {
  try {
    return decodeMessage(requestSchema, message)
  } catch (error) {
    const { id } = decodeMessage(numberedSchema, message)
    if (!(error instanceof SottoError)) throw error
    return { id, op: undefined }
  }
}
