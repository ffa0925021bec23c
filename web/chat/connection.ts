import type { Bytes } from '../protocol/bytes.ts'
import { type CastEntry, CastOpener } from '../protocol/cast.ts'
import { SottoError } from '../protocol/errors.ts'
import type { Ask, Event, Reply } from '../protocol/messages.ts'
import { decodeParams, type Params } from '../protocol/params.ts'
import type { Primitives } from '../protocol/primitives.ts'
import { Session } from '../protocol/session.ts'
import type { Clock } from './clock.ts'
import type { Shaken } from './greet.ts'
import { type Incoming, Rpc } from './rpc.ts'
import type { Transport } from './transport.ts'

/** Between two looks at whether the other side is still there. */
const TICK_MS = 1_000
/** After the person or the browser says so, the other side has this long to show that it lives. */
const PROBE_MS = 5_000
/** Cast secrets of one room that are still good for frames on their way. */
const OLD_SECRETS = 8

/** How a connection ended, and what that means for the next one. */
export interface End {
  /**
   * closed: in order, by either side. refresh: by us, to connect anew at once. cut: without a
   * goodbye. tampered: something on the wire was not what it has to be. replaced, revoked: the
   * endpoint wants no more of this device.
   */
  readonly why: 'closed' | 'refresh' | 'cut' | 'tampered' | 'replaced' | 'revoked' | 'refused'
  /** For people. */
  readonly text: string
  /** The other side has another name or version, as far as that can be known: see `Offline`. */
  readonly mismatch?: boolean
}

export interface ConnectionHandlers {
  event(event: Event): void
  cast(entry: CastEntry): void
}

/**
 * A session over one transport: requests and their replies, events, casts. Frames are dealt with
 * strictly one after the other; what a frame teaches (a cast secret) is known before the next.
 */
export class Connection {
  readonly params: Params
  readonly mode: 'full' | 'resumed'
  /** Resolves once, when the connection is over; never rejects. */
  readonly ended: Promise<End>
  readonly #primitives: Primitives
  readonly #clock: Clock
  readonly #transport: Transport
  readonly #session: Session
  readonly #handlers: ConnectionHandlers
  readonly #rpc = new Rpc()
  readonly #casts = new Map<string, CastOpener[]>()
  #end: End | undefined
  #heardAt: number
  #stopTicking: () => void = () => undefined
  /** While an answer to a probe is waited for. */
  #stopProbing: (() => void) | undefined
  #probeAgain = false
  /** It is over on our word alone: nothing is waited for any more. */
  readonly #gone = Promise.withResolvers<End>()

  constructor(shaken: Shaken, primitives: Primitives, clock: Clock, handlers: ConnectionHandlers) {
    const { transport, frames, established } = shaken
    this.params = decodeParams(established.params)
    this.mode = established.mode
    this.#primitives = primitives
    this.#clock = clock
    this.#transport = transport
    this.#handlers = handlers
    this.#heardAt = clock.steady()
    this.#session = new Session({
      primitives,
      established,
      role: 'client',
      maxMessage: this.params.limits.maxMessage,
      now: () => clock.steady(),
      write: (frame) => transport.send(frame),
    })
    this.ended = this.#read(frames).then((end) => this.#over(end))
    this.#tickLater()
  }

  /**
   * Asks the endpoint. Rejects with RefusedError when it refuses, with SottoError `closed` when the
   * connection ends first, with `limit` when the request is longer than the endpoint takes.
   */
  async ask<A extends Ask>(ask: A): Promise<Reply<A['op']>> {
    if (this.#end !== undefined) throw new SottoError('closed', 'There is no connection.')
    const { id, message, reply } = this.#rpc.ask(ask)
    this.#session.send(message).catch((error: SottoError) => this.#rpc.drop(id, error))
    return reply
  }

  /** Says goodbye with an authenticated close. */
  async close(): Promise<void> {
    await this.#session.close('done').catch(() => undefined)
    this.#transport.close()
    await this.ended
  }

  /**
   * The network may have changed: makes sure that the other side is still there. One such question
   * is open at a time, for its answers are limited; who asks meanwhile is asked for after it.
   */
  probe(): void {
    if (this.#end !== undefined) return
    if (this.#stopProbing !== undefined) {
      this.#probeAgain = true
      return
    }
    const asked = this.#clock.steady()
    this.#session.ping().catch(() => undefined)
    this.#stopProbing = this.#clock.after(PROBE_MS, () => {
      this.#stopProbing = undefined
      if (this.#heardAt < asked) this.#gone.resolve(SILENT)
      else if (this.#probeAgain) this.probe()
      this.#probeAgain = false
    })
  }

  async #read(frames: AsyncIterator<Bytes>): Promise<End> {
    try {
      for (;;) {
        const next = await Promise.race([frames.next(), this.#gone.promise])
        if ('why' in next) return next
        if (next.done) return this.#streamEnded()
        this.#heardAt = this.#clock.steady()
        const end = await this.#frame(next.value)
        if (end !== undefined) return end
      }
    } catch (error) {
      return this.#broken(error)
    }
  }

  async #frame(frame: Bytes): Promise<End | undefined> {
    for (const openers of this.#casts.values()) {
      const opener = openers.find((one) => one.owns(frame))
      if (opener === undefined) continue
      const entry = await opener.open(frame)
      if (entry !== undefined) this.#handlers.cast(entry)
      return undefined
    }
    const received = await this.#session.receive(frame)
    if (received.kind === 'message') await this.#message(this.#rpc.take(received.message))
    if (received.kind === 'closed') return { why: 'closed', text: CLOSED[received.reason] }
    if (received.kind === 'alert') return alerted(received.alert, received.text)
    return undefined
  }

  async #message(incoming: Incoming): Promise<void> {
    if (incoming.kind === 'event') {
      const { event } = incoming
      if (event.ev === 'cast_secret') await this.#learn(event.room, event.castSecret)
      return this.#handlers.event(event)
    }
    if (incoming.kind === 'reply' && 'castSecret' in incoming.reply)
      await this.#learn(incoming.reply.head.room, incoming.reply.castSecret)
    incoming.settle()
  }

  /** From the next frame on, casts under this secret are the room's. */
  async #learn(room: Bytes, secret: Bytes): Promise<void> {
    const key = room.join()
    const opener = await CastOpener.make(this.#primitives, secret, this.params.logPub, room)
    this.#casts.set(key, [opener, ...(this.#casts.get(key) ?? [])].slice(0, OLD_SECRETS))
  }

  async #streamEnded(): Promise<End> {
    const cut = this.#session.streamEnded()
    const { reason } = await this.#transport.closed
    if (cut === undefined) return { why: 'closed', text: CLOSED.done }
    return { why: 'cut', text: reason === '' ? cut.message : reason }
  }

  /** Something did not open, did not verify, or made no sense: no further frame is believed. */
  async #broken(error: unknown): Promise<End> {
    // The alert for the other side is on its way by now, where the session knows of the fault.
    if (this.#session.open) await this.#session.alert('decode_error').catch(() => undefined)
    if (error instanceof SottoError) return { why: 'tampered', text: error.message }
    return { why: 'refused', text: 'Something went wrong here. Trying again.' }
  }

  #over(end: End): End {
    this.#end = end
    this.#stopTicking()
    this.#stopProbing?.()
    this.#transport.close()
    this.#rpc.end(new SottoError('closed', 'The connection ended before the answer came.'))
    return end
  }

  #tickLater(): void {
    this.#stopTicking = this.#clock.after(TICK_MS, () => {
      this.#tick().then(
        () => {
          if (this.#end === undefined) this.#tickLater()
        },
        () => this.#transport.close(),
      )
    })
  }

  async #tick(): Promise<void> {
    if ((await this.#session.tick()) === 'dead') this.#gone.resolve(SILENT)
    if (!this.#session.refreshDue(this.#rpc.idle)) return
    await this.#session.close('refresh')
    this.#gone.resolve({ why: 'refresh', text: CLOSED.refresh })
  }
}

const SILENT: End = {
  why: 'cut',
  text: 'Nothing was heard from the other side for long. Trying again by itself.',
}

const CLOSED = {
  done: 'The connection was closed.',
  idle: 'The connection was closed as nothing was said for long.',
  restart: 'The server is restarting. Trying again by itself.',
  refresh: 'The connection is renewed.',
} as const

function alerted(alert: string, text: string): End {
  if (alert === 'replaced' || alert === 'revoked') return { why: alert, text }
  // What it says of our records: they were changed on the way, or we have a fault.
  const tampered = alert === 'bad_record' || alert === 'decode_error'
  return { why: tampered ? 'tampered' : 'refused', text }
}
