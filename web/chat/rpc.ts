import type { Bytes } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import {
  type Ask,
  checkMessage,
  decodeMessage,
  type Event,
  encodeMessage,
  eventSchema,
  type Op,
  type Refusal,
  type Reply,
  refusalSchema,
  replySchemas,
} from '../protocol/messages.ts'
import { count, known, optional, type Shape, text } from '../protocol/shape.ts'

/** The endpoint said no. `message` is its own text for people. */
export class RefusedError extends SottoError {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.error === 'stale_epoch' ? 'stale_epoch' : 'refused', refusal.text)
    this.refusal = refusal
  }
}

export type Incoming =
  | { readonly kind: 'event'; readonly event: Event }
  | { readonly kind: 'reply'; readonly reply: Reply<Op>; settle(): void }
  | { readonly kind: 'refusal'; settle(): void }

interface Waiting {
  readonly op: Op
  resolve(reply: unknown): void
  reject(error: SottoError): void
}

const answerOrEvent = known({ re: optional(count), error: optional(text(40)) })

/** Numbers requests and brings each reply to the one who asked. */
export class Rpc {
  readonly #waiting = new Map<number, Waiting>()
  #next = 1

  /** Nothing waits for an answer. */
  get idle(): boolean {
    return this.#waiting.size === 0
  }

  /** The request's bytes, ready to send, and its reply to come. */
  ask<A extends Ask>(ask: A): { id: number; message: Bytes; reply: Promise<Reply<A['op']>> } {
    const id = this.#next++
    const reply = new Promise<Reply<A['op']>>((resolve, reject) => {
      this.#waiting.set(id, { op: ask.op, resolve: resolve as (reply: unknown) => void, reject })
    })
    const given = Object.entries(ask).filter(([, value]) => value !== undefined)
    return { id, message: encodeMessage({ ...Object.fromEntries(given), id }), reply }
  }

  /**
   * Reads one message of the endpoint: an event, or the answer to a request. An answer reaches the
   * one who asked when `settle` is called, so that the connection can act on it first. Throws
   * SottoError `decode_error` for what is neither, and for an answer that nobody waits for.
   */
  take(message: Bytes): Incoming {
    const value = decodeMessage(answerOrEvent, message)
    if ('ev' in value) return { kind: 'event', event: checkMessage(eventSchema, value) }
    const { re = 0, ...rest } = value
    const waiting = this.#waiting.get(re)
    if (waiting === undefined)
      throw new SottoError('decode_error', 'The server answered what nobody asked.')
    this.#waiting.delete(re)
    if ('error' in rest) {
      const refusal = checkMessage(refusalSchema, value)
      return { kind: 'refusal', settle: () => waiting.reject(new RefusedError(refusal)) }
    }
    const reply = checkMessage(replySchemas[waiting.op] as Shape<Reply<Op>>, rest)
    return { kind: 'reply', reply, settle: () => waiting.resolve(reply) }
  }

  /** The request could not be sent. */
  drop(id: number, error: SottoError): void {
    this.#waiting.get(id)?.reject(error)
    this.#waiting.delete(id)
  }

  /** The connection is over: nothing that is still open will be answered. */
  end(error: SottoError): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }
}
