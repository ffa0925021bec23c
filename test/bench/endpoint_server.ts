/**
 * An endpoint by itself, for what is measured from outside: `endpoint_server DIR`. It says its
 * trunk port, and its memory after every message.
 */
import { ENDPOINT_LIMITS, startEndpoint } from '../../relay/endpoint/endpoint.ts'

const MANY = { burst: 100_000, perSecond: 100_000 }

const endpoint = await startEndpoint({
  dataDir: process.argv[2] ?? '',
  host: 'localhost',
  port: 0,
  trunkPort: 0,
  limits: { ...ENDPOINT_LIMITS, begun: MANY, proofs: MANY, registrations: MANY },
})
process.on('disconnect', () => process.exit())
process.on('message', async () => {
  for (let i = 0; i < 5; i++) {
    // As when nothing is left to do: sparse pages are emptied and given back.
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  process.send?.({ rss, heapUsed, external, sessions: endpoint.sessions })
})
process.send?.({ trunk: endpoint.trunkPort })
