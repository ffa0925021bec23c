import type { BrowserLauncher } from '@web/test-runner-core'
import { Firefox } from './firefox.ts'

/**
 * Firefox needs no driver here: a suite's page reports its own results to the runner, so a
 * fresh headless Firefox is opened on each suite and ended when it has reported.
 */
export function firefoxLauncher(): BrowserLauncher {
  const sessions = new Map<string, Firefox>()

  async function end(id: string): Promise<void> {
    const session = sessions.get(id)
    sessions.delete(id)
    await session?.end()
  }

  return {
    name: 'Firefox',
    type: 'firefox',
    concurrency: 1,
    isActive: (id) => sessions.has(id),
    getBrowserUrl: () => undefined as never,
    async startSession(id, url) {
      const session = await Firefox.start([url])
      // Nobody reads what it says of itself, and it must not wait for that.
      session.process.stderr?.resume()
      sessions.set(id, session)
    },
    startDebugSession() {
      throw new Error('Debug in Chromium, or open the suite by hand.')
    },
    async stopSession(id) {
      await end(id)
      return {}
    },
    async stop() {
      await Promise.all([...sessions.keys()].map(end))
    },
  }
}
