import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { foundInMemory } from '../support/memory.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'

/** Words that occur nowhere else, so that finding one is proof. */
const USERS = ['quokkazebra', 'wombatlemur'] as const
const LOBBY_TEXT = 'canary-lobby-7f3a1c marmalade'
const PRIVATE_TEXT = 'canary-private-91be44 rhubarb'
const PASSPHRASE = 'canary-passphrase-55d0 gooseberry'

describe('who must not read', () => {
  let stack: Stack
  let browser: Browser
  let tabs: [Tab, Tab]

  before(async () => {
    stack = await startStack({ record: true })
    browser = await Browser.start()
    const first = await browser.join(stack.pageUrl, USERS[0])
    const second = await browser.join(stack.pageUrl, USERS[1])
    tabs = [first, second]
    await first.say(LOBBY_TEXT)
    await second.sees(LOBBY_TEXT)
    await first.say(`/pm ${USERS[1]} ${PRIVATE_TEXT}`)
    await first.sees(PRIVATE_TEXT)
    await second.people.getByText(USERS[0], { exact: true }).click()
    await second.sees(PRIVATE_TEXT)
    await first.openPanel('Identity')
    await first.page.getByRole('textbox', { name: 'Passphrase' }).fill(PASSPHRASE)
    const download = first.page.waitForEvent('download')
    await first.page.getByRole('button', { name: 'Export' }).click()
    await download
  })
  after(async () => {
    await browser?.close()
    await stack?.stop()
  })

  const nobody = [LOBBY_TEXT, PRIVATE_TEXT, PASSPHRASE]

  it('the relay finds no text, name or passphrase in its memory, its log or any byte it carries', async () => {
    // Nor the key of the invitation with which both came (W6).
    const [, invitation = ''] = /k=([\w-]{43})/.exec(new URL(stack.pageUrl).hash) ?? []
    assert.lengthOf(invitation, 43)
    const secrets = [...nobody, ...USERS, invitation]
    assert.deepEqual(await foundInMemory(stack.pid('relay'), secrets), [])
    const log = stack.logs('relay')
    assert.isAbove(log.length, 0)
    assert.deepEqual(
      secrets.filter((secret) => log.includes(secret)),
      [],
    )
    const carried = stack.recorded()
    assert.isAbove(carried.length, 10_000)
    assert.deepEqual(
      secrets.filter((secret) => carried.includes(secret)),
      [],
    )
  })

  it('the endpoint finds no text or passphrase in its memory, its log or its files', async () => {
    assert.deepEqual(await foundInMemory(stack.pid('endpoint'), nobody), [])
    const log = stack.logs('endpoint')
    assert.isAbove(log.length, 0)
    assert.deepEqual(
      nobody.filter((secret) => log.includes(secret)),
      [],
    )
    for (const file of await readdir(stack.dataDir)) {
      const bytes = await readFile(join(stack.dataDir, file))
      assert.deepEqual(
        nobody.filter((secret) => bytes.includes(secret)),
        [],
        file,
      )
    }
  })

  it('the page leaks nothing through its address or its title', async () => {
    for (const tab of tabs) {
      const shown = `${tab.page.url()} ${await tab.page.title()}`
      assert.deepEqual(
        [...nobody, ...USERS].filter((secret) => shown.includes(secret)),
        [],
      )
      assert.deepEqual(tab.complaints, [])
    }
  })
})
