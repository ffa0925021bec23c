import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'

const CLI = fileURLToPath(new URL('../../relay/cli.ts', import.meta.url))
const run = promisify(execFile)

describe('an endpoint that is restored from a backup (F14, E6)', () => {
  let stack: Stack
  let browser: Browser
  let directory: string
  let alice: Tab
  let bob: Tab

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sotto-restored-'))
    stack = await startStack()
    browser = await Browser.start()
    alice = await browser.join(stack.pageUrl, 'alice')
    bob = await browser.join(stack.pageUrl, 'bob')
  })
  after(async () => {
    await browser?.close()
    await stack?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  /** `sotto backup` or `restore`, as whoever runs the server types it. */
  function sotto(...args: readonly string[]): Promise<unknown> {
    const node = ['--disable-warning=ExperimentalWarning', CLI]
    return run(process.execPath, [...node, ...args, '--data', stack.dataDir])
  }

  /** What the open conversation is saved as. */
  async function saved(tab: Tab): Promise<string> {
    await tab.front()
    await tab.page.getByRole('button', { name: /can read this/ }).click()
    const download = tab.page.waitForEvent('download')
    await tab.press('Save as text')
    const file = join(directory, 'saved.txt')
    await (await download).saveAs(file)
    await tab.page.keyboard.press('Escape')
    return readFile(file, 'utf8')
  }

  it('is noticed by everyone, nothing can be written until that is decided, and all keys are fresh', async () => {
    const copy = join(directory, 'copy')
    await alice.say('kept by the backup')
    await bob.sees('kept by the backup')
    await sotto('backup', copy)
    await bob.say('lost with the disk')
    await alice.sees('lost with the disk')
    await stack.kill('endpoint', 'SIGTERM')
    const before = await stack.sealedUnder()
    await sotto('restore', copy, '--force')
    await stack.restart('endpoint')

    for (const tab of [alice, bob]) {
      await tab.front()
      await tab.says('The server has gone back in time')
      await tab.sees('lost with the disk')
      assert.isTrue(await tab.box.isDisabled())
      // What the server has lost is on this device, and can be taken elsewhere.
      assert.match(await saved(tab), /Z bob: lost with the disk\n/)
    }
    for (const tab of [bob, alice]) await tab.press('Go on with the server’s history')
    await alice.say('we go on')
    await alice.sent('we go on')
    await bob.front()
    await bob.sees('we go on')
    await bob.say('and we talk again')
    await alice.front()
    await alice.sees('and we talk again')

    const since = (await stack.sealedUnder()).slice(before.length)
    assert.isNotEmpty(since)
    assert.isEmpty(since.filter((key) => before.includes(key)))
    for (const { complaints } of [alice, bob])
      assert.isEmpty(complaints.filter((text) => text.includes('nonce')))
  })
})
