import { createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Bytes, hex } from '../../web/protocol/bytes.ts'
import {
  type CloseCode,
  decodeClose,
  encodeTopic,
  TRUNK,
  type TrunkMessage,
} from '../../web/protocol/envelope.ts'
import { Trunk } from '../trunk.ts'
import { TrunkHandshakes } from '../trunk_handshakes.ts'
import { type Listener, listening } from './tcp_wire.ts'
import { belowMark, Unhurried } from './unhurried.ts'
import type { Carrier, OnWire, Wire, WireEvents } from './wire.ts'

/** What may wait for one relay: one that reads more slowly is cut and dials again. */
export const MOST_TRUNK_BUFFERED = 64 * 1024 * 1024
/** Large answers are made only while less than this waits. */
const CALM = 4 * 1024 * 1024
/** With this much of all its connections waiting to be handled a trunk is not read any further. */
const MOST_HELD = 16 * 1024 * 1024
const MOST_TRUNKS = 64
/** A trunk's farewell to its relay may take so long. */
const FAREWELL_MS = 2_000

/** One relay's trunk: the carrier of all wires of its tabs. */
export class RelayTrunk implements Carrier {
  readonly name: string
  readonly #stream: Duplex
  readonly #trunk: Trunk
  readonly #onWire: OnWire
  readonly #calm: Unhurried
  readonly #wires = new Map<number, TrunkWire>()
  readonly #onGone: (reason: string, connections: number) => void
  #held = 0
  #paused = false

  /** `onGone` hears how many connections were lost with the trunk. */
  constructor(
    stream: Duplex,
    name: string,
    onWire: OnWire,
    onGone: (reason: string, connections: number) => void,
  ) {
    this.name = name
    this.#stream = stream
    this.#onWire = onWire
    this.#onGone = onGone
    this.#trunk = new Trunk(stream, {
      message: (message) => this.#receive(message),
      closed: (reason) => this.#closed(reason),
    })
    this.#calm = new Unhurried(() => belowMark(stream, () => this.#trunk.buffered, CALM))
  }

  send(op: number, id: number, body?: Uint8Array): void {
    this.#trunk.send(op as TrunkMessage['op'], id, body)
    if (this.#trunk.buffered > MOST_TRUNK_BUFFERED) this.#stream.destroy()
  }

  /** Connection `id` ends by us. */
  end(id: number, { code, text }: CloseCode): void {
    this.#trunk.sendClose(id, code, text)
    this.#forget(id)
  }

  cast(topic: number, frame: Bytes): void {
    this.send(TRUNK.cast, topic, frame)
  }

  unhurried<T>(task: () => Promise<T>): Promise<T> {
    return this.#calm.run(task)
  }

  /** `more` bytes (or fewer, when negative) wait to be handled. */
  held(more: number): void {
    this.#held += more
    if (this.#held > MOST_HELD && !this.#paused) {
      this.#paused = true
      this.#trunk.pause()
    } else if (this.#paused && this.#held < MOST_HELD / 2) {
      this.#paused = false
      this.#trunk.resume()
    }
  }

  close(): void {
    this.#trunk.close()
    setTimeout(() => this.#stream.destroy(), FAREWELL_MS).unref()
  }

  #receive({ op, id, body }: TrunkMessage): void {
    if (op === TRUNK.open) this.#open(id, body)
    else if (op === TRUNK.data) this.#wires.get(id)?.events?.frame(body)
    else if (op === TRUNK.close) {
      const wire = this.#wires.get(id)
      this.#forget(id)
      wire?.events?.gone(`closed by the relay: ${decodeClose(body).code}`)
    } else throw new Error('a relay does not send this')
  }

  #open(id: number, tag: Bytes): void {
    if (this.#wires.has(id)) throw new Error('a connection opened twice')
    const wire = new TrunkWire(this, id, `relay ${hex(tag)}`)
    this.#wires.set(id, wire)
    wire.events = this.#onWire(wire)
  }

  #forget(id: number): void {
    this.#wires.get(id)?.held(0)
    this.#wires.delete(id)
  }

  #closed(reason: string): void {
    const wires = [...this.#wires.values()]
    this.#wires.clear()
    for (const wire of wires) wire.events?.gone('trunk lost')
    this.#onGone(reason, wires.length)
  }
}

class TrunkWire implements Wire {
  readonly origin: string
  readonly carrier: RelayTrunk
  readonly #id: number
  events: WireEvents | undefined
  #over = false
  #held = 0

  constructor(carrier: RelayTrunk, id: number, origin: string) {
    this.carrier = carrier
    this.#id = id
    this.origin = origin
  }

  get name(): string {
    return `${this.carrier.name}/${this.#id}`
  }

  send(frame: Bytes): void {
    if (!this.#over) this.carrier.send(TRUNK.data, this.#id, frame)
  }

  close(reason: CloseCode): void {
    if (this.#over) return
    this.#over = true
    this.carrier.end(this.#id, reason)
  }

  held(bytes: number): void {
    this.carrier.held(bytes - this.#held)
    this.#held = bytes
  }

  subscribe(topic: number): void {
    if (!this.#over) this.carrier.send(TRUNK.subscribe, this.#id, encodeTopic(topic))
  }

  unsubscribe(topic: number): void {
    if (!this.#over) this.carrier.send(TRUNK.unsubscribe, this.#id, encodeTopic(topic))
  }
}

export interface TrunkEvents {
  /** A trunk stands, from this address. */
  up(name: string): void
  down(name: string, reason: string, connections: number): void
  /** Somebody connected that is no relay of ours. */
  refused(reason: string): void
}

/** All trunks of the endpoint: those that relays dial, and those that it dials itself. */
export class Trunks {
  readonly #onWire: OnWire
  readonly #events: TrunkEvents
  readonly #trunks = new Set<RelayTrunk>()
  readonly #handshakes = new TrunkHandshakes()
  #count = 0
  #closed = false

  constructor(onWire: OnWire, events: TrunkEvents) {
    this.#onWire = onWire
    this.#events = events
  }

  /** Runs a trunk over `stream`. Resolves when it has ended. */
  run(stream: Duplex): Promise<void> {
    this.#count += 1
    const name = `trunk ${this.#count}`
    this.#events.up(name)
    return new Promise((resolve) => {
      const trunk = new RelayTrunk(stream, name, this.#onWire, (reason, connections) => {
        this.#events.down(name, reason, connections)
        this.#trunks.delete(trunk)
        resolve()
      })
      this.#trunks.add(trunk)
    })
  }

  /** Takes relays in. `accept` proves them where that is needed. Rejects when it can't listen. */
  listen(
    address: string,
    port: number,
    accept: (socket: Socket) => Promise<Duplex>,
  ): Promise<Listener> {
    const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
      socket.on('error', () => undefined)
      this.#handshakes.run(socket, accept).then(
        (stream) => this.#take(stream),
        (error: unknown) => this.#events.refused(codeOf(error)),
      )
    })
    return listening(server, address, port)
  }

  close(): void {
    this.#closed = true
    this.#handshakes.close()
    for (const trunk of this.#trunks) trunk.close()
  }

  /** Only who has proved to be a relay counts: strangers can't fill the places. */
  #take(stream: Duplex): void {
    if (!this.#closed && this.#trunks.size < MOST_TRUNKS) return void this.run(stream)
    stream.destroy()
    this.#events.refused('too many trunks')
  }
}

/** Never more than a code: why a handshake failed is nobody's business. */
function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : 'failed'
}
