import { Away } from '../support/away.ts'
import type { Figure } from './figure.ts'

const COUNT = 10_000
const LOOK_MS = 50

/** A member comes back to ten thousand messages: how long until it shows them all, in what memory. */
export async function bench(): Promise<readonly Figure[]> {
  const away = await Away.start()
  try {
    await away.write(COUNT)
    globalThis.gc?.()
    const before = process.memoryUsage().rss
    let most = before
    const looking = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss)
    }, LOOK_MS)
    const start = performance.now()
    away.reader.chat.connect()
    await away.until(() => away.shown >= COUNT)
    const seconds = (performance.now() - start) / 1000
    clearInterval(looking)
    return [
      {
        name: `${COUNT} messages to a member who was away, until all are shown`,
        value: seconds,
        unit: 's',
      },
      {
        name: 'memory that its process takes for that',
        value: (most - before) / 2 ** 20,
        unit: 'MB',
      },
    ]
  } finally {
    await away.close()
  }
}
