import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type WebSocket as Accepted, WebSocketServer } from 'ws'
import { dialTcp } from '../../relay/peer/tcp.ts'
import type { Dial, Transport } from '../../web/chat/transport.ts'
import { dialWebSocket } from '../../web/io/websocket.ts'
import { encodeTcpFrame, TcpFrameReader } from '../../web/protocol/envelope.ts'
import { after, assert, describe, fails, it } from '../support/suite.ts'

/** The other end of a connection, as the contract sees it. */
interface Other {
  send(frame: Uint8Array): void
  /** Resolves to the next frame that came. */
  next(): Promise<Uint8Array>
  /** An orderly end with a reason, as far as the medium has one. */
  end(): void
  /** The network breaks. */
  cut(): void
  /** Something that is no frame. */
  rubbish(): void
  readonly closed: Promise<unknown>
}

interface Medium {
  readonly name: string
  readonly dial: Dial
  /** A dial to where nobody listens. */
  readonly nowhere: Dial
  accepted(): Promise<Other>
  close(): void
  readonly orderly: { readonly code: number; readonly reason: string }
}

class Queue<T> {
  readonly #items: T[] = []
  readonly #waiting: ((item: T) => void)[] = []

  put(item: T): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#items.push(item)
    else waiting(item)
  }

  take(): Promise<T> {
    const item = this.#items.shift()
    if (item !== undefined) return Promise.resolve(item)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}

function tcpOther(socket: Socket): Other {
  const frames = new Queue<Uint8Array>()
  const reader = new TcpFrameReader()
  socket.on('data', (chunk) => {
    for (const frame of reader.push(chunk)) frames.put(frame.slice())
  })
  socket.on('error', () => undefined)
  return {
    send: (frame) => socket.write(encodeTcpFrame(frame)),
    next: () => frames.take(),
    end: () => socket.end(),
    cut: () => socket.resetAndDestroy(),
    rubbish: () => socket.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff)),
    closed: once(socket, 'close'),
  }
}

/** A port where nobody listens: it was free a moment ago. */
async function steadyPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function tcp(): Promise<Medium> {
  const others = new Queue<Other>()
  const server = createServer((socket) => others.put(tcpOther(socket)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    name: 'TCP',
    dial: dialTcp('127.0.0.1', port),
    nowhere: dialTcp('127.0.0.1', await steadyPort()),
    accepted: () => others.take(),
    close: () => server.close(),
    orderly: { code: 1000, reason: '' },
  }
}

function webSocketOther(socket: Accepted): Other {
  const frames = new Queue<Uint8Array>()
  socket.on('message', (data) => frames.put(new Uint8Array(data as Buffer)))
  return {
    send: (frame) => socket.send(frame),
    next: () => frames.take(),
    end: () => socket.close(4001, 'The relay is restarting.'),
    cut: () => socket.terminate(),
    rubbish: () => socket.send('text'),
    closed: once(socket, 'close'),
  }
}

async function webSocket(): Promise<Medium> {
  const others = new Queue<Other>()
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', (socket) => others.put(webSocketOther(socket)))
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    name: 'WebSocket',
    dial: dialWebSocket(`ws://127.0.0.1:${port}/ws`),
    nowhere: dialWebSocket(`ws://127.0.0.1:${await steadyPort()}/ws`),
    accepted: () => others.take(),
    close: () => server.close(),
    orderly: { code: 4001, reason: 'The relay is restarting.' },
  }
}

for (const make of [tcp, webSocket]) {
  const medium = await make()
  describe(`Transport: ${medium.name}`, () => {
    let transport: Transport
    let other: Other

    after(() => medium.close())

    const connect = async () => {
      transport = await medium.dial(new AbortController().signal)
      other = await medium.accepted()
    }
    const all = async () => {
      const frames: number[][] = []
      for await (const frame of transport) frames.push([...frame])
      return frames
    }

    it('carries frames both ways, each once and in order', async () => {
      await connect()
      for (let i = 1; i <= 200; i++) {
        transport.send(new Uint8Array(i).fill(i))
        other.send(new Uint8Array(i).fill(i))
      }
      for (let i = 1; i <= 200; i++) assert.deepEqual(await other.next(), new Uint8Array(i).fill(i))
      other.end()
      const frames = await all()
      assert.lengthOf(frames, 200)
      assert.deepEqual(frames[199], Array(200).fill(200))
    })

    it('says how the other side ended it, after all its frames', async () => {
      await connect()
      other.send(Uint8Array.of(1))
      other.end()
      assert.deepEqual(await all(), [[1]])
      assert.deepEqual(await transport.closed, medium.orderly)
    })

    it('tells a broken connection from an ended one', async () => {
      await connect()
      other.cut()
      await all()
      assert.equal((await transport.closed).code, 1006)
    })

    it('delivers what was queued before it was closed', async () => {
      await connect()
      for (let i = 0; i < 50; i++) transport.send(Uint8Array.of(i))
      transport.close()
      for (let i = 0; i < 50; i++) assert.deepEqual(await other.next(), Uint8Array.of(i))
      await other.closed
      transport.send(Uint8Array.of(9))
    })

    it('ends at what is no frame', async () => {
      await connect()
      other.rubbish()
      assert.deepEqual(await all(), [])
      await other.closed
    })

    it('can’t be had where nobody listens, and says so', async () => {
      const error = await fails('unavailable', () => medium.nowhere(new AbortController().signal))
      assert.notEqual(error.message, '')
    })

    it('is given up when nobody wants it any more', async () => {
      const gone = AbortSignal.abort()
      await fails('unavailable', () => medium.dial(gone))
    })
  })
}
