import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { type ClearAlert, clearAlert } from '../../web/protocol/alerts.ts'
import { encodeTcpFrame } from '../../web/protocol/envelope.ts'

export interface Stranger {
  readonly port: number
  /** Resolves once so many connections have come since the start. */
  came(count: number): Promise<void>
  close(): void
}

/** Answers whatever comes over TCP with a clear alert, as an endpoint that wants none of it does. */
export async function stranger(alert: ClearAlert): Promise<Stranger> {
  let count = 0
  const looks = new Set<() => void>()
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(encodeTcpFrame(clearAlert(alert))))
    count++
    for (const look of looks) look()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    came: (wanted) =>
      new Promise((resolve) => {
        const look = () => {
          if (count >= wanted) resolve()
        }
        looks.add(look)
        look()
      }),
    close: () => server.close(),
  }
}
