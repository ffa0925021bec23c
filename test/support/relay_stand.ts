/** A real relay with a scripted endpoint at its trunk, and tabs that say whatever a test wants. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import { type Relay, type RelayOptions, startRelay } from '../../relay/relay.ts'
import { Trunk } from '../../relay/trunk.ts'
import { dialTrunk } from '../../relay/trunk_frames.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { TRUNK, type TrunkMessage, type TrunkOp } from '../../web/protocol/envelope.ts'

/** Things that come one after another, waited for in order. */
export class Queue<T> {
  readonly #items: T[] = []
  readonly #waiting: ((item: T) => void)[] = []

  put(item: T): void {
    const waiting = this.#waiting.shift()
    if (waiting) waiting(item)
    else this.#items.push(item)
  }

  next(): Promise<T> {
    const item = this.#items.shift()
    if (item !== undefined) return Promise.resolve(item)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  get waiting(): number {
    return this.#items.length
  }
}

export function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** The endpoint's end of trunks. By default it only writes down what comes. */
export class ScriptedEndpoint {
  readonly #server: Server
  readonly trunks = new Queue<Trunk>()
  readonly messages = new Queue<TrunkMessage>()
  readonly losses = new Queue<string>()
  readonly sockets: Socket[] = []
  trunk: Trunk | undefined

  private constructor(take: (message: TrunkMessage, trunk: Trunk) => boolean) {
    this.#server = createServer((socket) => {
      this.sockets.push(socket)
      const trunk = new Trunk(socket.setNoDelay(true), {
        message: (message) => {
          // The body is a view of a chunk: what is kept is a copy.
          const kept = { ...message, body: message.body.slice() }
          if (!take(kept, trunk)) this.messages.put(kept)
        },
        closed: (reason) => this.losses.put(reason),
      })
      this.trunk = trunk
      this.trunks.put(trunk)
    })
  }

  /** `take` gets each message first; what it answers true to is not queued. */
  static async listen(
    take: (message: TrunkMessage, trunk: Trunk) => boolean = () => false,
    port = 0,
  ): Promise<ScriptedEndpoint> {
    const endpoint = new ScriptedEndpoint(take)
    endpoint.#server.listen(port, '127.0.0.1')
    await once(endpoint.#server, 'listening')
    return endpoint
  }

  get port(): number {
    return portOf(this.#server)
  }

  /** The next message of this operation; others that come before it are skipped. */
  async next(op: TrunkOp): Promise<TrunkMessage> {
    for (;;) {
      const message = await this.messages.next()
      if (message.op === op) return message
    }
  }

  /** The number of the next connection that opens. */
  async opened(): Promise<number> {
    return (await this.next(TRUNK.open)).id
  }

  send(op: TrunkOp, id: number, body?: Uint8Array): void {
    this.trunk?.send(op, id, body)
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

export interface End {
  readonly code: number
  readonly text: string
}

/** A WebSocket as a browser has it. */
export class TabSocket {
  readonly socket: WebSocket
  readonly frames = new Queue<Bytes>()
  readonly closed: Promise<End>

  private constructor(port: number, origin: string | undefined) {
    this.socket = new WebSocket(`ws://localhost:${port}/ws`, origin ? { origin } : {})
    this.socket.binaryType = 'arraybuffer'
    this.socket.on('message', (data: ArrayBuffer) => this.frames.put(new Uint8Array(data)))
    this.socket.on('error', () => undefined) // `closed` says it
    this.closed = once(this.socket, 'close').then(([code, text]) => ({
      code: Number(code),
      text: String(text),
    }))
  }

  /** Resolves when it is open; rejects when it is refused. */
  static async open(port: number, origin?: string): Promise<TabSocket> {
    const tab = new TabSocket(port, origin)
    await once(tab.socket, 'open')
    return tab
  }

  send(frame: Uint8Array | string): void {
    this.socket.send(frame)
  }

  next(): Promise<Bytes> {
    return this.frames.next()
  }

  close(): void {
    this.socket.terminate()
  }
}

export interface LogLine {
  readonly level: string
  readonly fields: object
  readonly text: string
}

/** Gathers what the relay logs. */
export function logInto(lines: LogLine[]) {
  const at = (level: string) => (fields: object, text: string) =>
    void lines.push({ level, fields, text })
  return { debug: at('debug'), info: at('info'), warn: at('warn') }
}

export class Stand {
  readonly endpoint: ScriptedEndpoint
  readonly relay: Relay
  readonly lines: LogLine[]
  readonly #tabs: TabSocket[] = []

  private constructor(endpoint: ScriptedEndpoint, relay: Relay, lines: LogLine[]) {
    this.endpoint = endpoint
    this.relay = relay
    this.lines = lines
  }

  static async start(
    options: Partial<RelayOptions> = {},
    take?: (message: TrunkMessage, trunk: Trunk) => boolean,
  ): Promise<Stand> {
    const endpoint = await ScriptedEndpoint.listen(take)
    const lines: LogLine[] = []
    const { port } = endpoint
    const relay = await startRelay({
      port: 0,
      host: 'localhost',
      version: '0.0.0',
      log: logInto(lines),
      trunk: (signal) => dialTrunk({ host: '127.0.0.1', port }, signal),
      ...options,
    })
    await Promise.all([relay.ready, endpoint.trunks.next()])
    return new Stand(endpoint, relay, lines)
  }

  /** A tab and its number on the trunk. */
  async tab(origin?: string): Promise<{ tab: TabSocket; id: number }> {
    const tab = await TabSocket.open(this.relay.port, origin)
    this.#tabs.push(tab)
    return { tab, id: await this.endpoint.opened() }
  }

  async stop(): Promise<void> {
    for (const tab of this.#tabs) tab.close()
    await this.relay.close()
    await this.endpoint.close()
  }
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/** What a client writes to become a WebSocket, for those that then misbehave. */
export function upgradeRequest(port: number, ...headers: readonly string[]): string {
  return [
    'GET /ws HTTP/1.1',
    `Host: localhost:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${KEY}`,
    'Sec-WebSocket-Version: 13',
    ...headers,
    '\r\n',
  ].join('\r\n')
}

/** A bare TCP connection that writes `first`. It reads only when asked to. */
export async function rawSocket(port: number, first: string | Uint8Array = ''): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => undefined) // being cut off is what is tested
  await once(socket, 'connect')
  if (first.length > 0) socket.write(first)
  return socket
}

/** A bare WebSocket: upgraded, its answer read. */
export async function rawWebSocket(port: number, ...headers: readonly string[]): Promise<Socket> {
  const socket = await rawSocket(port, upgradeRequest(port, ...headers))
  await once(socket, 'data')
  return socket
}
