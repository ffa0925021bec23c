import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

/** A headless Firefox with a profile of its own. */
export class Firefox {
  readonly process: ChildProcess
  readonly #profile: string

  private constructor(process: ChildProcess, profile: string) {
    this.process = process
    this.#profile = profile
  }

  static async start(args: readonly string[]): Promise<Firefox> {
    const profile = await mkdtemp(join(tmpdir(), 'sotto-firefox-'))
    const lines = Object.entries(PREFERENCES).map(
      ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
    )
    await writeFile(join(profile, 'user.js'), lines.join('\n'))
    const all = ['--headless', '--no-remote', '--profile', profile, ...args]
    return new Firefox(spawn(firefox(), all, { stdio: ['ignore', 'ignore', 'pipe'] }), profile)
  }

  async end(): Promise<void> {
    const { process } = this
    if (process.exitCode === null && process.signalCode === null) {
      const exited = once(process, 'exit')
      process.kill('SIGKILL')
      await exited
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 })
  }
}
