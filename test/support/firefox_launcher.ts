import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserLauncher } from '@web/test-runner-core'
import { firefox } from './browsers.ts'

/** Nothing on the network but the page under test, and no first-run pages. */
const PREFERENCES = {
  'app.normandy.enabled': false,
  'app.update.enabled': false,
  'browser.aboutwelcome.enabled': false,
  'browser.newtabpage.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'captivedetect.canonicalURL': '',
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.enabled': false,
  'toolkit.telemetry.reportingpolicy.firstRun': false,
}

/**
 * Firefox needs no driver here: a suite's page reports its own results to the runner, so a
 * fresh headless Firefox is opened on each suite and ended when it has reported.
 */
export function firefoxLauncher(): BrowserLauncher {
  const sessions = new Map<string, { process: ChildProcess; profile: string }>()

  async function end(id: string): Promise<void> {
    const session = sessions.get(id)
    if (session === undefined) return
    sessions.delete(id)
    if (session.process.exitCode === null && session.process.signalCode === null) {
      const exited = once(session.process, 'exit')
      session.process.kill('SIGKILL')
      await exited
    }
    await rm(session.profile, { recursive: true, force: true, maxRetries: 5 })
  }

  return {
    name: 'Firefox',
    type: 'firefox',
    concurrency: 1,
    isActive: (id) => sessions.has(id),
    getBrowserUrl: () => undefined as never,
    async startSession(id, url) {
      const profile = await mkdtemp(join(tmpdir(), 'sotto-firefox-'))
      const lines = Object.entries(PREFERENCES).map(
        ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
      )
      await writeFile(join(profile, 'user.js'), lines.join('\n'))
      const process = spawn(firefox(), ['--headless', '--no-remote', '--profile', profile, url], {
        stdio: 'ignore',
      })
      sessions.set(id, { process, profile })
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
