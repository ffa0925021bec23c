import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'

const SERVER = 'open sesame, please'
const ACCOUNT = 'only alice knows this'
const LOCK = 'several words that nobody guesses'

describe('passwords', () => {
  let stack: Stack
  let browser: Browser
  let directory: string
  let alice: Tab

  before(async () => {
    stack = await startStack({ env: { SOTTO_SERVER_PASSWORD: SERVER } })
    browser = await Browser.start()
    directory = await mkdtemp(join(tmpdir(), 'sotto-doors-'))
  })
  after(async () => {
    await browser?.close()
    await stack?.stop()
    if (directory) await rm(directory, { recursive: true, force: true })
  })

  async function answer(tab: Tab, label: string, password: string): Promise<void> {
    await tab.page.getByLabel(label).fill(password)
    await tab.press('Come in')
  }

  it('of the server: newcomers are asked for it, a wrong one is said to be wrong', async () => {
    alice = await browser.open(stack.pageUrl)
    await alice.start('alice')
    await alice.says('This server asks newcomers for its password.')
    await answer(alice, 'Server password', 'a guess')
    await alice.says('The password is wrong')
    await answer(alice, 'Server password', SERVER)
    await alice.online()
    assert.deepEqual(alice.complaints, [])
  })

  it('of the account: set in Identity, asked for in another browser, changed and removed', async () => {
    const file = join(directory, 'sotto-alice.pem')
    await alice.exportKey(file, LOCK)
    await alice.openPanel('Identity')
    await alice.press('Set, change or remove…')
    await alice.page.getByLabel('New password').fill(ACCOUNT)
    await alice.press('Set password')
    await alice.says('The password is set.')

    const second = await Browser.start()
    try {
      const other = await second.open(stack.pageUrl)
      await other.readKey(file, LOCK)
      await other.press('Start chatting')
      await other.says('Your name has a password on this server.')
      await answer(other, 'Account password', 'not this one')
      await other.says('The password is wrong')
      await answer(other, 'Account password', ACCOUNT)
      await other.online()
    } finally {
      await second.close()
    }

    await alice.press('Set, change or remove…')
    await alice.page.getByLabel('Present password').fill('not this one')
    await alice.press('Remove password')
    await alice.says('The password is wrong')
    await alice.page.getByLabel('Present password').fill(ACCOUNT)
    await alice.press('Remove password')
    await alice.says('Your name has no password now.')
    await alice.closePanel()
  })

  it('slow down whoever guesses: the page says when the next try is taken', async () => {
    const mallory = await browser.open(stack.pageUrl)
    await mallory.start('mallory')
    await mallory.says('This server asks newcomers for its password.')
    for (let i = 0; i < 4; i++) {
      const asked = mallory.page.getByRole('button', { name: 'Come in', exact: true })
      await answer(mallory, 'Server password', `guess ${i}`)
      if (i < 3) await asked.and(mallory.page.locator(':enabled')).waitFor()
    }
    await mallory.page
      .getByRole('timer')
      .filter({ hasText: /in 1[45]:\d\d/ })
      .waitFor()
    assert.isTrue(await mallory.page.getByRole('button', { name: 'Come in' }).isDisabled())
    await mallory.press('Not now')
    await mallory.connection.filter({ hasText: /^Offline/ }).waitFor()
    await mallory.page.close()
  })

  it('of the app lock: nothing opens without it, and everything is there with it', async () => {
    await alice.say('before the lock')
    await alice.sent('before the lock')
    await alice.openPanel('Identity')
    await alice.press('Set app lock…')
    await alice.page.getByLabel('New lock passphrase').fill(LOCK)
    await alice.page.getByLabel('The same once more').fill('something else')
    await alice.press('Set app lock')
    await alice.says('The two are not the same.')
    await alice.page.getByLabel('The same once more').fill(LOCK)
    await alice.press('Set app lock')
    await alice.says('The app lock is set.')
    await alice.press('Lock now')
    await alice.says('alice is locked')
    await alice.page.reload()
    await alice.says('alice is locked')
    assert.notInclude(await alice.page.locator('body').innerText(), 'before the lock')

    const unlock = async (passphrase: string): Promise<void> => {
      await alice.page.getByLabel('Lock passphrase').fill(passphrase)
      await alice.press('Unlock')
    }
    await unlock('not the passphrase')
    await alice.says('The passphrase is wrong.')
    await unlock(LOCK)
    await alice.online()
    await alice.sees('before the lock')

    await alice.openPanel('Identity')
    await alice.press('Take off…')
    await alice.page.getByLabel('Present lock passphrase').fill(LOCK)
    await alice.press('Take it off')
    await alice.says('The app lock is off.')
    await alice.page.reload()
    await alice.online()
    await alice.sees('before the lock')
    assert.deepEqual(alice.complaints, [])
  })
})
