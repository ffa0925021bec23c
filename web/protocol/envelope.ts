/**
 * What carries frames: length-prefixed TCP, and the trunk that multiplexes many connections
 * between a relay and an endpoint (PROTOCOL.md, "Relay and trunk"). Bodies are opaque here.
 *
 *     tcp   := u32 length • frame                            length = 1 … MAX_FRAME
 *     trunk := u32 length • u8 op • u32 id • body            length = 5 … 5 + MAX_FRAME
 */
import { type Bytes, EMPTY, fromUtf8, utf8 } from './bytes.ts'
import { SottoError } from './errors.ts'

/** The longest frame: a record of 64 KiB with its 4-byte header and 16-byte tag. */
export const MAX_FRAME = 65_556

/** Bytes of `u8 op • u32 id` in front of a trunk message's body. */
const TRUNK_HEADER = 5
export const MAX_TRUNK = TRUNK_HEADER + MAX_FRAME

/** The operations of the trunk and what `id` and body mean in each. */
export const TRUNK = {
  /** relay → endpoint: connection `id` begins. Body: the opaque origin tag, 16 bytes. */
  open: 1,
  /** Both ways: one frame of connection `id`. With id 0 and no body: a sign of life. */
  data: 2,
  /** Both ways: connection `id` ends. Body: u16 code • UTF-8 text for people. */
  close: 3,
  /** endpoint → relay: connection `id` gets the casts of the topic in the body (u32). */
  subscribe: 4,
  /** endpoint → relay: connection `id` no longer gets the casts of the topic (u32). */
  unsubscribe: 5,
  /** endpoint → relay: one frame for every connection subscribed to topic `id`. */
  cast: 6,
} as const
export type TrunkOp = (typeof TRUNK)[keyof typeof TRUNK]

export interface TrunkMessage {
  readonly op: TrunkOp
  readonly id: number
  /** A view into the chunk it came in: copy it to keep it for long. */
  readonly body: Bytes
}

export const ORIGIN_TAG = 16
/** What a WebSocket close frame has room for, in UTF-8 bytes. */
export const MAX_CLOSE_TEXT = 123

/** A sign of life comes every so many milliseconds from each side of a trunk … */
export const TRUNK_BEAT = 5_000
/** … and a trunk that was silent for so many is dead. */
export const TRUNK_SILENCE = 20_000

const BODY_LIMITS: Readonly<Record<TrunkOp, readonly [least: number, most: number]>> = {
  [TRUNK.open]: [ORIGIN_TAG, ORIGIN_TAG],
  [TRUNK.data]: [0, MAX_FRAME],
  [TRUNK.close]: [2, 2 + MAX_CLOSE_TEXT],
  [TRUNK.subscribe]: [4, 4],
  [TRUNK.unsubscribe]: [4, 4],
  [TRUNK.cast]: [1, MAX_FRAME],
}

/** The body of `close`. A text that is too long is cut at a character. */
export function encodeClose(code: number, text: string): Bytes {
  let said = utf8(text)
  for (let cut = text; said.length > MAX_CLOSE_TEXT; said = utf8(cut))
    cut = Array.from(cut).slice(0, -1).join('')
  const out = new Uint8Array(2 + said.length)
  new DataView(out.buffer).setUint16(0, code)
  out.set(said, 2)
  return out
}

/** Throws SottoError `decode_error` on a text that is not UTF-8. */
export function decodeClose(body: Uint8Array): { code: number; text: string } {
  try {
    const code = new DataView(body.buffer, body.byteOffset).getUint16(0)
    return { code, text: fromUtf8(body.subarray(2)) }
  } catch (cause) {
    throw new SottoError('decode_error', 'A close message could not be read.', { cause })
  }
}

export function encodeTopic(topic: number): Bytes {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, topic)
  return out
}

export function decodeTopic(body: Uint8Array): number {
  return new DataView(body.buffer, body.byteOffset).getUint32(0)
}

/** One frame as TCP carries it. Throws RangeError on an empty or too long frame. */
export function encodeTcpFrame(frame: Uint8Array): Bytes {
  if (frame.length < 1 || frame.length > MAX_FRAME) throw new RangeError('not a frame’s length')
  const out = new Uint8Array(4 + frame.length)
  new DataView(out.buffer).setUint32(0, frame.length)
  out.set(frame, 4)
  return out
}

/**
 * Cuts a byte stream, chunked in any way, into its `u32 length • payload` parts. A length is
 * checked before anything is kept for it, and room is made only for bytes that have come
 * (at most twice as much), so that a peer can't have memory set aside by announcing it.
 */
class LengthReader {
  readonly #least: number
  readonly #most: number
  /** The unfinished part, its length included. */
  #held = EMPTY
  #heldLength = 0
  #failed = false

  constructor(least: number, most: number) {
    this.#least = least
    this.#most = most
  }

  /** Bytes of a part that has begun and not ended. */
  get pending(): number {
    return this.#heldLength
  }

  /** Calls `each` with a view of every part that `chunk` completes. */
  push(chunk: Uint8Array, each: (part: Bytes) => void): void {
    if (this.#failed) throw new SottoError('decode_error', 'The stream has failed before.')
    this.#failed = true // until this call has come through, errors of `each` included
    let at = 0
    while (at < chunk.length) {
      if (this.#heldLength === 0) {
        const end = this.#whole(chunk, at, each)
        if (end > at) {
          at = end
          continue
        }
      }
      at = this.#hold(chunk, at)
      const length = this.#wanted
      if (length !== this.#heldLength || length === 4) continue
      const part = this.#held.subarray(4, length)
      this.#held = EMPTY
      this.#heldLength = 0
      each(part)
    }
    this.#failed = false
  }

  /** The usual case: a part that lies whole in the chunk is passed on without a copy. */
  #whole(chunk: Uint8Array, at: number, each: (part: Bytes) => void): number {
    if (chunk.length - at < 4) return at
    const length = this.#checked(chunk, at)
    const start = at + 4
    if (chunk.length - start < length) return at
    // Never a SharedArrayBuffer: chunks come from sockets.
    each(new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset + start, length))
    return start + length
  }

  /** Takes bytes up to the end of the length field, then up to the end of the part. */
  #hold(chunk: Uint8Array, at: number): number {
    const taken = Math.min(this.#wanted - this.#heldLength, chunk.length - at)
    const needed = this.#heldLength + taken
    if (needed > this.#held.length) {
      const grown = new Uint8Array(Math.min(Math.max(2 * needed, 64), 4 + this.#most))
      grown.set(this.#held.subarray(0, this.#heldLength))
      this.#held = grown
    }
    this.#held.set(chunk.subarray(at, at + taken), this.#heldLength)
    this.#heldLength = needed
    return at + taken
  }

  /** How long the part that is held will be, as far as that is known. */
  get #wanted(): number {
    return this.#heldLength < 4 ? 4 : 4 + this.#checked(this.#held, 0)
  }

  #checked(bytes: Uint8Array, at: number): number {
    const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0)
    if (length > this.#most) throw new SottoError('limit', 'A frame is longer than allowed.')
    if (length < this.#least) throw new SottoError('decode_error', 'A frame is too short.')
    return length
  }
}

/**
 * Frames out of a TCP stream. After an error every further call throws: the stream is lost.
 * Frames are views into the chunk that completed them.
 */
export class TcpFrameReader {
  readonly #reader = new LengthReader(1, MAX_FRAME)

  get pending(): number {
    return this.#reader.pending
  }

  /** Throws SottoError `limit` for a length above MAX_FRAME, `decode_error` for zero. */
  push(chunk: Uint8Array): Bytes[] {
    const frames: Bytes[] = []
    this.#reader.push(chunk, (frame) => frames.push(frame))
    return frames
  }
}

/** Messages out of a trunk's stream. After an error every further call throws. */
export class TrunkReader {
  readonly #reader = new LengthReader(TRUNK_HEADER, MAX_TRUNK)

  get pending(): number {
    return this.#reader.pending
  }

  /**
   * Throws SottoError `limit` for a length above MAX_TRUNK, `decode_error` for an unknown op or a
   * body that does not fit it.
   */
  push(chunk: Uint8Array): TrunkMessage[] {
    const messages: TrunkMessage[] = []
    this.#reader.push(chunk, (part) => messages.push(decodeTrunk(part)))
    return messages
  }
}

function decodeTrunk(part: Bytes): TrunkMessage {
  const view = new DataView(part.buffer, part.byteOffset)
  const op = view.getUint8(0) as TrunkOp
  const limits = BODY_LIMITS[op]
  const length = part.length - TRUNK_HEADER
  if (limits === undefined || length < limits[0] || length > limits[1])
    throw new SottoError('decode_error', 'A trunk message could not be read.')
  return { op, id: view.getUint32(1), body: part.subarray(TRUNK_HEADER) }
}

/** How a connection ended, as the WebSocket's close code and a sentence for people (≤ 123 bytes). */
export interface CloseCode {
  readonly code: number
  readonly text: string
  /** Whether trying again by itself, with backoff, makes sense. */
  readonly retry: boolean
}

const close = (code: number, text: string, retry = true): CloseCode => ({ code, text, retry })

/** The relay's reasons to end a connection (4000 … 4019) and the endpoint's (4020 …). */
export const CLOSE_CODES = {
  normal: close(1000, '', false),
  /** The stream broke; no close was received. */
  broken: close(1006, 'The connection was cut. Trying again.'),
  endpoint_away: close(4000, 'The server is away. Trying again by itself.'),
  going_away: close(4001, 'The relay is restarting. Trying again by itself.'),
  too_slow: close(4002, 'Your connection could not keep up. Reconnecting fetches what is missing.'),
  too_fast: close(4003, 'Too much was sent in a short time. Wait a moment.'),
  too_large: close(4004, 'A frame was longer than allowed. Reload the page to update it.', false),
  not_binary: close(4005, 'Only binary frames are taken. Reload the page to update it.', false),
  empty: close(4006, 'A frame was empty. Reload the page to update it.', false),
  silent: close(4007, 'Nothing was said for ten seconds after connecting. Trying again.'),
  idle: close(4008, 'Nothing was sent for a long time. Reconnecting when needed.'),
  full: close(4009, 'The relay has all the connections it can take. Trying again later.'),
  full_for_origin: close(4010, 'Too many connections come from your network. Close other tabs.'),
  overloaded: close(4011, 'The server has more to do than it can. Trying again later.'),
  /** After an alert or a close inside the session: the session has said why. */
  session_over: close(4020, 'The session is over.'),
  handshake_timeout: close(4021, 'The handshake took more than ten seconds. Trying again.'),
} as const satisfies Record<string, CloseCode>
