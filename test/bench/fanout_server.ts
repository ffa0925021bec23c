/**
 * One server of the comparisons of fan-out and idle connections, in a process of its own: `relay PORT`, `uws` or `ws`.
 * The bare ones publish K messages for every four bytes (u32 K) on their feed.
 */

import { App, us_socket_local_port } from 'uWebSockets.js'
import { connect, createServer, type Socket } from 'node:net'
import { WebSocketServer } from 'ws'
import { startRelay } from '../../relay/relay.ts'

const MESSAGE = 300
const [kind, argument] = process.argv.slice(2)
const message = new Uint8Array(MESSAGE).fill(7)

function say(ports: { port: number; feed?: number }): void {
  process.send?.(ports)
}

/** Calls `publish(K)` for each u32 that comes in; never two at once, whatever the chunking. */
function listenToFeed(publish: (count: number) => void): Promise<number> {
  const server = createServer((socket: Socket) => {
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      for (let at = 0; at + 4 <= chunk.length; at += 4) publish(chunk.readUInt32BE(at))
    })
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}

async function relay(): Promise<void> {
  const { port } = await startRelay({
    port: 0,
    host: 'localhost',
    version: 'bench',
    limits: { connectionsPerOrigin: 100_000, silence: 3600, idle: 3600 },
    trunk: () =>
      new Promise((resolve, reject) => {
        const socket = connect({ port: Number(argument), host: '127.0.0.1', noDelay: true })
        socket.once('connect', () => resolve(socket)).once('error', reject)
      }),
  })
  say({ port })
}

async function bareUws(): Promise<void> {
  const app = App()
  app.ws('/ws', {
    maxBackpressure: 4 * 2 ** 20,
    open: (ws) => void ws.subscribe('1'),
  })
  const feed = await listenToFeed((count) => {
    for (let i = 0; i < count; i++) app.publish('1', message, true, false)
  })
  app.listen('127.0.0.1', 0, (socket) => {
    if (socket) say({ port: us_socket_local_port(socket), feed })
  })
}

async function bareWs(): Promise<void> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
  const feed = await listenToFeed((count) => {
    for (let i = 0; i < count; i++) for (const client of server.clients) client.send(message)
  })
  const address = server.address()
  say({ port: typeof address === 'object' && address !== null ? address.port : 0, feed })
}

process.on('message', () => {
  globalThis.gc?.()
  process.send?.({ cpu: process.cpuUsage(), rss: process.memoryUsage().rss })
})
process.on('disconnect', () => process.exit())
await (kind === 'relay' ? relay() : kind === 'uws' ? bareUws() : bareWs())
