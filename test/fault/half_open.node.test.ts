import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from '../support/browsers.ts'
import { Island } from '../support/island.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'
import { TerminalProcess } from '../support/terminal.ts'

/** F7, I7: a dead connection is noticed within so long, and after it everybody has everything. */
const NOTICED_MS = 30_000
const CONVERGES_MS = 10_000
/** What a tab says that takes itself for connected. Any other state means that it has noticed. */
const CONNECTED = /^\s*Connected/

const { missing } = Island
if (missing !== undefined) console.log(`F7 with lost packets was not run: it ${missing}.`)
const where = missing === undefined ? describe : describe.skip

where('a network that loses every packet without a word (F7)', () => {
  let island: Island
  let stack: Stack
  let browser: Browser
  let directory: string
  let alice: Tab
  let bob: TerminalProcess
  let said = 0

  before(async () => {
    island = await Island.start()
    stack = await startStack({ enter: island.enter })
    directory = await mkdtemp(join(tmpdir(), 'sotto-island-'))
    const executablePath = join(directory, 'chromium')
    await writeFile(
      executablePath,
      `#!/bin/sh\nexec ${island.enter.join(' ')} ${chromium()} "$@"\n`,
    )
    await chmod(executablePath, 0o755)
    browser = await Browser.start({ executablePath })
    alice = await browser.join(stack.pageUrl, 'alice')
    bob = new TerminalProcess('bob', stack, island.enter)
    await bob.prints('* Connected')
  })
  after(async () => {
    await bob?.quit()
    await browser?.close()
    await stack?.stop()
    await island?.close()
    if (directory) await rm(directory, { recursive: true, force: true })
  })

  /** Packets of this port are lost until `noticed`; both sides write meanwhile. */
  async function loses(port: number, noticed: () => Promise<unknown>): Promise<void> {
    await alice.connection.filter({ hasText: CONNECTED }).waitFor()
    const [one, other] = [`#${said++}`, `#${said++}`]
    const seen = noticed()
    const lost = performance.now()
    island.lose(port)
    await alice.say(one)
    bob.type(other)
    await Promise.all([seen, alice.connection.filter({ hasNotText: CONNECTED }).waitFor()])
    assert.isAtMost(performance.now() - lost, NOTICED_MS)
    assert.isAbove(island.lost, 0)
    island.heal()
    const healed = performance.now()
    await Promise.all([alice.sent(one), alice.sees(other), bob.prints(one)])
    assert.isAtMost(performance.now() - healed, CONVERGES_MS)
    const all = await alice.shown(/#\d/)
    assert.lengthOf(new Set(all), said)
    assert.lengthOf(all, said)
    assert.deepEqual(bob.shown(/#\d/), all)
  }

  it('between a tab and the relay is noticed by both and by the endpoint', () =>
    loses(stack.relayPort, () =>
      stack.logged('endpoint', /"session_over".*"alice".*"(silent|closed by the relay: 1006)"/),
    ))

  it('between relay and endpoint is noticed by both, and the tabs are told', () =>
    loses(stack.trunkPort, () =>
      Promise.all([
        stack.logged('endpoint', /"trunk_down".*silent/),
        stack.logged('relay', /silent for too long/),
      ]),
    ))
})
