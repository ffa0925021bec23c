import * as v from 'valibot'
import type { Bytes } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import {
  type Ask,
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

/** The endpoint said no. `message` is its own text for people. */
export class RefusedError extends SottoError {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.error === 'stale_epoch' ? 'stale_epoch' : 'refused', refusal.text)
    this.refusal = refusal
  }
}

interface Waiting {
  readonly op: Op
  resolve(reply: unknown): void
  reject(error: SottoError): void
}

const kindSchema = v.union([
  v.looseObject({ re: v.number(), error: v.string() }),
  v.looseObject({ re: v.number() }),
  v.looseObject({ ev: v.string() }),
])

function parse<T extends v.GenericSchema>(schema: T, value: unknown): v.InferOutput<T> {
  const parsed = v.safeParse(schema, value)
  if (parsed.success) return parsed.output
  const where = v.getDotPath(parsed.issues[0]) ?? 'message'
  throw new SottoError('decode_error', `The endpoint’s message has a wrong field: ${where}.`)
}

/** Numbers requests and brings each reply to the one who asked. */
export class Rpc {
  readonly #waiting = new Map<number, Waiting>()
  #next = 1

  /** The request's bytes, ready to send, and its reply to come. */
  ask<A extends Ask>(ask: A): { message: Bytes; reply: Promise<Reply<A['op']>> } {
    const id = this.#next++
    const reply = new Promise<Reply<A['op']>>((resolve, reject) => {
      this.#waiting.set(id, { op: ask.op, resolve: resolve as (reply: unknown) => void, reject })
    })
    const given = Object.entries(ask).filter(([, value]) => value !== undefined)
    return { message: encodeMessage({ ...Object.fromEntries(given), id }), reply }
  }

  /**
   * Takes one message of the endpoint: settles the request that it answers, or returns the event
   * that it is. Throws SottoError `decode_error` for what is neither.
   */
  take(message: Bytes): Event | undefined {
    const value = decodeMessage(kindSchema, message)
    if ('ev' in value) return parse(eventSchema, value)
    const waiting = this.#waiting.get(value.re as number)
    if (waiting === undefined)
      throw new SottoError('decode_error', 'The endpoint answered what nobody asked.')
    this.#waiting.delete(value.re as number)
    if ('error' in value) {
      waiting.reject(new RefusedError(parse(refusalSchema, value)))
      return undefined
    }
    const { re: _, ...reply } = value
    waiting.resolve(parse(replySchemas[waiting.op], reply))
    return undefined
  }

  /** The connection is over: nothing that is still open will be answered. */
  end(error: SottoError): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }
}
