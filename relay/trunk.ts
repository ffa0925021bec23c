import type { Duplex } from 'node:stream'
import {
  encodeClose,
  TRUNK,
  TRUNK_BEAT,
  TRUNK_SILENCE,
  type TrunkMessage,
  type TrunkOp,
  TrunkReader,
} from '../web/protocol/envelope.ts'

/** Room that is set aside at once for outgoing messages. */
const BLOCK = 65_536
const HEADER = 9
const NOTHING = Buffer.alloc(0)

export interface TrunkEvents {
  message(message: TrunkMessage): void
  /** All that came in one piece has been given to `message`. */
  settled?(): void
  /** Once, when the trunk is lost; `reason` is for the log. */
  closed(reason: string): void
}

export interface TrunkTimes {
  /** Milliseconds between signs of life, and of silence after which the trunk counts as dead. */
  readonly beat: number
  readonly silence: number
}

/**
 * One trunk, seen from either side: messages over any byte stream. What is sent in one turn of the
 * event loop leaves in one write. Only a peer that has beaten once is held to it.
 */
export class Trunk {
  readonly #stream: Duplex
  readonly #events: TrunkEvents
  readonly #reader = new TrunkReader()
  readonly #timer: NodeJS.Timeout
  readonly #silence: number
  #block: Buffer = NOTHING
  /** What of the block has been handed to the stream, and what has been filled. */
  #written = 0
  #filled = 0
  #flushing = false
  #closed = false
  #beaten = false
  #heard = performance.now()

  constructor(
    stream: Duplex,
    events: TrunkEvents,
    times: TrunkTimes = { beat: TRUNK_BEAT, silence: TRUNK_SILENCE },
  ) {
    this.#stream = stream
    this.#events = events
    this.#silence = times.silence
    this.#timer = setInterval(() => this.#beat(), times.beat).unref()
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.on('error', (error: Error) => this.#lost(error.message))
    stream.on('end', () => this.#lost('the other side ended it'))
    stream.on('close', () => this.#lost('closed'))
    // At once, so that the other side holds us to it from the beginning.
    this.send(TRUNK.data, 0)
  }

  /** Bytes that wait for the network. */
  get buffered(): number {
    return this.#stream.writableLength + this.#filled - this.#written
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Queues one message; `body` is copied before this returns. After the end it does nothing. */
  send(op: TrunkOp, id: number, body: Uint8Array = NOTHING): void {
    if (this.#closed) return
    const length = HEADER + body.length
    if (this.#filled + length > this.#block.length) {
      this.#flush()
      this.#block = Buffer.allocUnsafeSlow(Math.max(BLOCK, length))
      this.#filled = this.#written = 0
    }
    let at = this.#block.writeUInt32BE(length - 4, this.#filled)
    at = this.#block.writeUInt8(op, at)
    at = this.#block.writeUInt32BE(id, at)
    this.#block.set(body, at)
    this.#filled += length
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  sendClose(id: number, code: number, text: string): void {
    this.send(TRUNK.close, id, encodeClose(code, text))
  }

  /** Stops reading: the other side then feels backpressure. */
  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  /** Ends the trunk after what is queued. `closed` is called at once. */
  close(): void {
    this.#flush()
    this.#stream.end()
    this.#lost('closed here')
  }

  #flush(): void {
    if (this.#written === this.#filled) return
    const ready = this.#block.subarray(this.#written, this.#filled)
    this.#written = this.#filled
    if (!this.#closed) this.#stream.write(ready)
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return
    this.#heard = performance.now()
    try {
      for (const message of this.#reader.push(chunk))
        if (message.op === TRUNK.data && message.id === 0) this.#beaten = true
        else this.#events.message(message)
      this.#events.settled?.()
    } catch (error) {
      this.#stream.destroy()
      this.#lost(error instanceof Error ? error.message : 'unreadable')
    }
  }

  #beat(): void {
    // While we do not read, silence says nothing about the other side.
    if (this.#stream.isPaused()) this.#heard = performance.now()
    if (this.#beaten && performance.now() - this.#heard > this.#silence) {
      this.#stream.destroy()
      this.#lost('silent for too long')
    } else this.send(TRUNK.data, 0)
  }

  #lost(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    this.#stream.destroyed || this.#stream.resume()
    this.#events.closed(reason)
  }
}
