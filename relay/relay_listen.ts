import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js'
import { createServer } from 'node:net'

/** `LIBUS_LISTEN_EXCLUSIVE_PORT`: without it two relays could share one port and not know. */
const EXCLUSIVE = 1
const TRIES = 5

/** What uWebSockets takes and its types leave out: an address together with options. */
interface Listens {
  listen(
    address: string,
    port: number,
    options: number,
    done: (socket: us_listen_socket | false) => void,
  ): unknown
}

/**
 * Listens on `port` of `address`; 0 takes a free one. Rejects with an error of code EADDRINUSE:
 * uWebSockets does not say why it can't listen, and this is nearly always it.
 */
export async function listen(
  app: TemplatedApp,
  address: string,
  port: number,
): Promise<us_listen_socket> {
  // Chosen here and not by uWebSockets: of a port that it chose, closed connections would keep a
  // relay away that is started again on the same one.
  for (let attempt = 0; port === 0 && attempt < TRIES; attempt++) {
    const socket = await tryListen(app, address, await freePort(address))
    if (socket) return socket
  }
  const socket = await tryListen(app, address, port)
  if (socket) return socket
  throw Object.assign(new Error(`port ${port} of ${address} is not free`), {
    code: 'EADDRINUSE',
    address,
    port,
  })
}

function tryListen(
  app: TemplatedApp,
  address: string,
  port: number,
): Promise<us_listen_socket | false> {
  return new Promise((resolve) => {
    const listens = app as unknown as Listens
    listens.listen(address, port, EXCLUSIVE, resolve)
  })
}

function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, address, () => {
      const bound = server.address()
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0))
    })
  })
}
