import { connect, type Socket } from 'node:net'
import type { Dial, Transport, TransportEnd } from '../../web/chat/transport.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { encodeTcpFrame, TcpFrameReader } from '../../web/protocol/envelope.ts'
import { SottoError } from '../../web/protocol/errors.ts'

const ORDERLY = 1000
const BROKEN = 1006
/** Frames that wait to be read; above this the socket is not read any further. */
const MOST_WAITING = 256
/** After we have closed, the other side has so long to take what was sent and to close too. */
const FAREWELL_MS = 2_000

/** Frames over one TCP connection, as `u32 length ‖ frame`. */
class TcpTransport implements Transport {
  readonly closed: Promise<TransportEnd>
  readonly #socket: Socket
  readonly #reader = new TcpFrameReader()
  readonly #frames: Bytes[] = []
  #ended = false
  #wake: (() => void) | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', () => undefined) // 'close' follows and says it all
    this.closed = new Promise((resolve) => {
      socket.on('close', (failed) => {
        this.#ended = true
        this.#wake?.()
        resolve({ code: failed || !socket.readableEnded ? BROKEN : ORDERLY, reason: '' })
      })
    })
  }

  get buffered(): number {
    return this.#socket.writableLength
  }

  send(frame: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(encodeTcpFrame(frame))
  }

  close(): void {
    this.#socket.end()
    const late = setTimeout(() => this.#socket.destroy(), FAREWELL_MS)
    this.#socket.once('close', () => clearTimeout(late))
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Bytes> {
    for (;;) {
      const frame = this.#frames.shift()
      if (frame !== undefined) {
        if (this.#frames.length < MOST_WAITING) this.#socket.resume()
        yield frame
      } else if (this.#ended) return
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
    }
  }

  #take(chunk: Buffer): void {
    try {
      this.#frames.push(...this.#reader.push(chunk))
    } catch {
      this.#socket.destroy()
    }
    if (this.#frames.length >= MOST_WAITING) this.#socket.pause()
    this.#wake?.()
  }
}

/** Dials an endpoint's port for headless peers. */
export function dialTcp(host: string, port: number): Dial {
  return (signal) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true })
      const fail = (cause?: unknown) => {
        signal.removeEventListener('abort', fail)
        socket.destroy()
        const text = `The endpoint at ${host}, port ${port}, can’t be reached.`
        reject(new SottoError('unavailable', text, { cause }))
      }
      if (signal.aborted) return fail()
      signal.addEventListener('abort', fail)
      socket.once('error', fail)
      socket.once('connect', () => {
        signal.removeEventListener('abort', fail)
        socket.off('error', fail)
        resolve(new TcpTransport(socket))
      })
    })
}
