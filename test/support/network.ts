import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/**
 * One device's way to a server: bytes go through as they are until it is cut, or frozen (both
 * sides believe that the other is there, and nothing arrives).
 */
export class Network {
  readonly port: number
  readonly #server: Server
  readonly #target: () => number
  readonly #sockets = new Set<Socket>()
  #frozen = false

  private constructor(server: Server, target: () => number) {
    this.#server = server
    this.#target = target
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (socket) => this.#join(socket))
  }

  /** A way to `127.0.0.1`, to the port that `target` says at each connection. */
  static async open(target: () => number): Promise<Network> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Network(server, target)
  }

  /** How many connections there are (each has two ends here). */
  get connections(): number {
    return this.#sockets.size / 2
  }

  /** Ends every connection without a goodbye, at both of its ends. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** What is connected now hears nothing more; later connections are not touched. */
  freeze(): void {
    this.#frozen = true
    for (const socket of this.#sockets) socket.pause()
  }

  /** What had to wait arrives. */
  thaw(): void {
    if (!this.#frozen) return
    this.#frozen = false
    for (const socket of this.#sockets) socket.resume()
  }

  async close(): Promise<void> {
    this.#server.close()
    this.cut()
    await once(this.#server, 'close')
  }

  #join(near: Socket): void {
    const far = connect({ host: '127.0.0.1', port: this.#target(), noDelay: true })
    near.setNoDelay(true)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from)
      from.on('data', (chunk) => to.writable && to.write(chunk))
      from.on('end', () => to.end())
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroySoon()
      })
    }
  }
}
