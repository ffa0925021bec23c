import type { Socket } from 'node:net'

/** Handshakes that may be under way at once where trunks are taken in. */
const MOST_HANDSHAKES = 64

/**
 * The sockets that have come in and have not proved themselves yet. The oldest gives way to one too
 * many: the true other end is done in two round trips, so it is those who only hold a place that
 * lose it.
 */
export class TrunkHandshakes {
  readonly #sockets = new Set<Socket>()

  /** Rejects as `handshake` does, which sees its socket destroyed when it has to give way. */
  async run<T>(socket: Socket, handshake: (socket: Socket) => Promise<T>): Promise<T> {
    const [oldest] = this.#sockets
    if (oldest !== undefined && this.#sockets.size >= MOST_HANDSHAKES) this.#giveUp(oldest)
    this.#sockets.add(socket)
    try {
      return await handshake(socket)
    } finally {
      this.#sockets.delete(socket)
    }
  }

  close(): void {
    for (const socket of this.#sockets) this.#giveUp(socket)
  }

  #giveUp(socket: Socket): void {
    this.#sockets.delete(socket)
    socket.destroy()
  }
}
