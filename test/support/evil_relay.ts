/**
 * The hostile relay of THREATS: ours, with a script between it and the endpoint that sees every
 * frame and says what goes on in its place. For peers on plain TCP there is {@link startEvilTcp}.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type RelayOptions, startRelay } from '../../relay/relay.ts'
import { dialTrunk, type TrunkAddress } from '../../relay/trunk_frames.ts'
import {
  encodeClose,
  encodeTcpFrame,
  TcpFrameReader,
  TRUNK,
  type TrunkMessage,
  TrunkReader,
} from '../../web/protocol/envelope.ts'
import { type Direction, type Script, Tamper } from './evil_script.ts'
import { trunkMessage } from './trunk_message.ts'

export type { Direction, Script, Seen } from './evil_script.ts'

export interface Evil {
  readonly port: number
  /** Where the script is set, frames are waited for, and what was recorded stands. */
  readonly tamper: Tamper
  /** Puts a frame of ours on the wire, past the script. */
  inject(conn: number, direction: Direction, bytes: Uint8Array): void
  /** Ends a connection at both of its ends. */
  cut(conn: number): void
  close(): Promise<void>
}

export interface EvilOptions {
  readonly script?: Script
  /** Keeps every frame, as it was before the script. */
  readonly record?: boolean
}

/** Stands between the relay and the real trunk. */
class TamperedTrunk extends Duplex {
  readonly #real: Duplex
  readonly #tamper: Tamper
  readonly #fromRelay = new TrunkReader()
  readonly #fromEndpoint = new TrunkReader()

  constructor(real: Duplex, tamper: Tamper) {
    super()
    this.#real = real
    this.#tamper = tamper
    real.on('data', (chunk: Buffer) => {
      for (const message of this.#fromEndpoint.push(chunk))
        this.toRelay(...this.#altered(message, 'down'))
    })
    real.on('error', () => this.destroy())
    real.on('end', () => this.push(null))
    real.on('close', () => this.destroy())
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    for (const message of this.#fromRelay.push(chunk))
      this.toEndpoint(...this.#altered(message, 'up'))
    done()
  }

  override _final(done: () => void): void {
    this.#real.end(() => done())
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#real.destroy()
    done(error)
  }

  toRelay(...messages: readonly TrunkMessage[]): void {
    for (const { op, id, body } of messages) this.push(trunkMessage(op, id, body))
  }

  toEndpoint(...messages: readonly TrunkMessage[]): void {
    for (const { op, id, body } of messages)
      if (this.#real.writable) this.#real.write(trunkMessage(op, id, body))
  }

  #altered(message: TrunkMessage, direction: Direction): TrunkMessage[] {
    const { op, id, body } = message
    const beat = op === TRUNK.data && id === 0
    if (beat || (op !== TRUNK.data && op !== TRUNK.cast)) return [message]
    const frames = this.#tamper.take(id, direction, body, op === TRUNK.cast)
    return frames.map((frame) => ({ op, id, body: frame }))
  }
}

/** Starts our relay with a script between it and the endpoint's trunk port. Ready when it listens. */
export async function startEvilRelay(
  endpoint: TrunkAddress,
  options: EvilOptions & Partial<RelayOptions> = {},
): Promise<Evil & { readonly ready: Promise<void> }> {
  const tamper = new Tamper(options.script, options.record ?? false)
  let trunk: TamperedTrunk | undefined
  const relay = await startRelay({
    port: 0,
    host: 'localhost',
    version: '0.0.0',
    ...options,
    async trunk(signal) {
      trunk = new TamperedTrunk(await dialTrunk(endpoint, signal), tamper)
      return trunk
    },
  })
  return {
    port: relay.port,
    ready: relay.ready,
    tamper,
    inject(conn, direction, bytes) {
      const message = { op: TRUNK.data, id: conn, body: new Uint8Array(bytes) }
      if (direction === 'up') trunk?.toEndpoint(message)
      else trunk?.toRelay(message)
    },
    cut(conn) {
      const message = { op: TRUNK.close, id: conn, body: encodeClose(4000, '') }
      trunk?.toEndpoint(message)
      trunk?.toRelay(message)
    },
    close: () => relay.close(),
  }
}

/** A man in the middle of `u32 length • frame` on TCP: between a headless peer and the endpoint. */
export async function startEvilTcp(
  endpoint: TrunkAddress,
  options: EvilOptions = {},
): Promise<Evil> {
  const tamper = new Tamper(options.script, options.record ?? false)
  const ends = new Map<number, Record<Direction, Socket>>()
  const server: Server = createServer((peer) => {
    const conn = ends.size + 1
    const real = connect(endpoint)
    ends.set(conn, { up: real, down: peer })
    carry(peer, real, (bytes) => tamper.take(conn, 'up', bytes))
    carry(real, peer, (bytes) => tamper.take(conn, 'down', bytes))
  })
  const cut = (conn: number) => {
    for (const socket of Object.values(ends.get(conn) ?? {})) socket.destroy()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    tamper,
    inject(conn, direction, bytes) {
      ends.get(conn)?.[direction].write(encodeTcpFrame(bytes))
    },
    cut,
    async close() {
      for (const conn of ends.keys()) cut(conn)
      server.close()
      await once(server, 'close')
    },
  }
}

function carry(
  from: Socket,
  to: Socket,
  alter: (bytes: Uint8Array) => readonly Uint8Array[],
): void {
  const reader = new TcpFrameReader()
  from.on('data', (chunk) => {
    for (const frame of reader.push(chunk))
      for (const altered of alter(frame)) if (to.writable) to.write(encodeTcpFrame(altered))
  })
  from.on('error', () => to.destroy())
  from.on('end', () => to.end())
  from.on('close', () => to.destroySoon())
}
