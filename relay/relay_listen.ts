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
 * Listens on `port` of `address`; 0 takes a free one. Rejects with the system's error, such as
 * EADDRINUSE.
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
  // uWebSockets does not say why. Node does, unless the port has become free meanwhile.
  await freePort(address, port)
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

/** `port` when it is free, any free one for 0. Rejects with the system's error. */
function freePort(address: string, port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(port, address, () => {
      const bound = server.address()
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0))
    })
  })
}
