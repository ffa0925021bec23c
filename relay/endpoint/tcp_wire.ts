import { createServer, type Server, type Socket } from 'node:net'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { type CloseCode, encodeTcpFrame, TcpFrameReader } from '../../web/protocol/envelope.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { addressBytes, OriginTagger } from '../origin.ts'
import { belowMark, Unhurried } from './unhurried.ts'
import type { Carrier, OnWire, Wire, WireEvents } from './wire.ts'

/** What may wait for one peer: one that reads more slowly is closed and fetches later. */
export const MOST_BUFFERED = 8 * 1024 * 1024
/** Large answers are made only while less than this waits. */
const CALM = 256 * 1024
/** With this much waiting to be handled the socket is not read any further. */
const MOST_HELD = 1024 * 1024
/** A socket that we end gets so long to take what was sent. */
const FAREWELL_MS = 2_000
const BACKLOG = 4_096
/** Beyond the connections that may be: those that are being told so. More are closed unheard. */
const TURNED_AWAY = 1_000

class TcpWire implements Wire, Carrier {
  readonly name: string
  readonly origin: string
  readonly #socket: Socket
  readonly #reader = new TcpFrameReader()
  readonly #calm: Unhurried
  #over = false

  constructor(socket: Socket, name: string, origin: string) {
    this.#socket = socket
    this.name = name
    this.origin = origin
    this.#calm = new Unhurried(() => belowMark(socket, () => socket.writableLength, CALM))
  }

  get carrier(): Carrier {
    return this
  }

  listen(events: WireEvents): void {
    const gone = (reason: string): void => {
      if (this.#over) return
      this.#over = true
      this.#socket.destroy()
      events.gone(reason)
    }
    this.#socket.on('data', (chunk) => {
      if (this.#over) return
      try {
        for (const frame of this.#reader.push(chunk)) events.frame(frame)
        events.unfinished(this.#reader.pending)
      } catch (error) {
        gone(error instanceof SottoError ? error.code : 'unreadable')
      }
    })
    this.#socket.on('error', (error: NodeJS.ErrnoException) => gone(error.code ?? 'error'))
    this.#socket.on('end', () => gone('ended'))
    this.#socket.on('close', () => gone('closed'))
    this.#onSlow = () => gone('too slow')
  }

  #onSlow: () => void = () => undefined

  send(frame: Bytes): void {
    if (this.#over) return
    this.#socket.write(encodeTcpFrame(frame))
    if (this.#socket.writableLength > MOST_BUFFERED) this.#onSlow()
  }

  close(_reason: CloseCode): void {
    if (this.#over) return
    this.#over = true
    this.#socket.resume()
    this.#socket.end()
    setTimeout(() => this.#socket.destroy(), FAREWELL_MS).unref()
  }

  held(bytes: number): void {
    if (bytes > MOST_HELD) this.#socket.pause()
    else if (this.#socket.isPaused() && bytes < MOST_HELD / 2) this.#socket.resume()
  }

  /** A carrier of one wire: casts come because it subscribed, under whatever number. */
  cast(_topic: number, frame: Bytes): void {
    this.send(frame)
  }

  subscribe(_topic: number): void {}
  unsubscribe(_topic: number): void {}

  unhurried<T>(task: () => Promise<T>): Promise<T> {
    return this.#calm.run(task)
  }
}

export interface Listener {
  readonly port: number
  /** Takes no more connections; those that are there stay. */
  close(): void
}

/** Takes headless peers. Rejects when it can't listen. */
export function listenForPeers(
  address: string,
  port: number,
  mostConnections: number,
  onWire: OnWire,
): Promise<Listener> {
  const tagger = new OriginTagger()
  let count = 0
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    count += 1
    // The error of a socket that nobody listens to any more must not end the process.
    socket.on('error', () => undefined)
    const from = addressBytes(socket.remoteAddress ?? '')
    const origin = from === undefined ? 'unknown' : tagger.of(from).name
    const wire = new TcpWire(socket, `tcp ${count}`, `tcp ${origin}`)
    const events = onWire(wire)
    if (events !== undefined) wire.listen(events)
  })
  server.maxConnections = mostConnections + TURNED_AWAY
  return listening(server, address, port)
}

export function listening(server: Server, address: string, port: number): Promise<Listener> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address, port, backlog: BACKLOG }, () => {
      server.off('error', reject)
      // Out of file handles: connections that can't be taken wait or are refused; others go on.
      server.on('error', () => undefined)
      const bound = server.address()
      const used = typeof bound === 'object' && bound !== null ? bound.port : port
      resolve({ port: used, close: () => void server.close() })
    })
  })
}
