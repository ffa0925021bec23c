import type { Dial, Transport, TransportEnd } from '../chat/transport.ts'
import type { Bytes } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'

/** What browsers report when a connection ends without a close frame (RFC 6455, 7.1.5). */
const ABNORMAL = 1006
/** After we have closed, the other side has so long to close too: it may be gone. */
const FAREWELL_MS = 2_000

/** Frames over one WebSocket, one binary message each. */
class WebSocketTransport implements Transport {
  readonly closed: Promise<TransportEnd>
  readonly #socket: WebSocket
  readonly #frames: Bytes[] = []
  readonly #end: (end: TransportEnd) => void
  #ended = false
  #wake: (() => void) | undefined

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.onmessage = (event: MessageEvent<unknown>) => {
      // Sotto has no text messages: whoever sends one does not speak the protocol.
      if (event.data instanceof ArrayBuffer) this.#frames.push(new Uint8Array(event.data))
      else socket.close()
      this.#wake?.()
    }
    const { promise, resolve } = Promise.withResolvers<TransportEnd>()
    this.closed = promise
    this.#end = (end) => {
      this.#ended = true
      this.#wake?.()
      resolve(end)
    }
    socket.onclose = ({ code, reason }) => this.#end({ code, reason })
  }

  get buffered(): number {
    return this.#socket.bufferedAmount
  }

  send(frame: Uint8Array): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(frame as Bytes)
  }

  close(): void {
    this.#socket.close(1000)
    // Browsers wait for an answer to that for a minute.
    const late = setTimeout(() => this.#end({ code: ABNORMAL, reason: '' }), FAREWELL_MS)
    void this.closed.then(() => clearTimeout(late))
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Bytes> {
    for (;;) {
      const frame = this.#frames.shift()
      if (frame !== undefined) yield frame
      else if (this.#ended) return
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
    }
  }
}

function unavailable(): SottoError {
  return new SottoError('unavailable', 'The relay can’t be reached.')
}

/** Dials the relay at `url` (`wss://…/ws`, or `ws://` on localhost). */
export function dialWebSocket(url: string): Dial {
  return (signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(unavailable())
      const socket = new WebSocket(url)
      socket.binaryType = 'arraybuffer'
      const abort = () => {
        socket.close()
        fail()
      }
      signal.addEventListener('abort', abort, { once: true })
      // Before it is open a connection has no words: whatever the relay has to say comes after.
      const fail = () => {
        signal.removeEventListener('abort', abort)
        reject(unavailable())
      }
      socket.onclose = fail
      socket.onerror = fail
      socket.onopen = () => {
        signal.removeEventListener('abort', abort)
        socket.onerror = null
        resolve(new WebSocketTransport(socket))
      }
    })
}
