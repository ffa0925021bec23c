import { once } from 'node:events'
import { createServer } from 'node:net'

const LOWEST = 15_000
const HIGHEST = 32_000

/**
 * A free port that stays free while what listens there is down for a moment: it lies below the
 * range from which the system gives ports to everybody who asks for any (32768 and up on Linux).
 */
export async function steadyPort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    const server = createServer()
    const free = once(server, 'listening').then(
      () => true,
      () => false,
    )
    server.listen(port, '127.0.0.1')
    if (!(await free)) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
