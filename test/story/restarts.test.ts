import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type PartName, type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'

const OFFLINE = /^\s*Offline/
const ATTACK = 'Possible man-in-the-middle attack'

describe('tabs that are open while parts of Sotto restart', () => {
  let stack: Stack
  let browser: Browser
  let alice: Tab
  let bob: Tab

  before(async () => {
    stack = await startStack()
    browser = await Browser.start()
    alice = await browser.join(stack.pageUrl, 'alice')
    bob = await browser.join(stack.pageUrl, 'bob')
    await alice.openPrivate('bob')
    await alice.say('#0')
    await alice.sent('#0')
    await bob.openRoom('alice')
    await bob.sees('#0')
  })
  after(async () => {
    await browser?.close()
    await stack?.stop()
  })

  const cases: readonly [what: string, how: readonly (readonly [PartName, NodeJS.Signals])[]][] = [
    ['the relay is killed', [['relay', 'SIGKILL']]],
    ['the endpoint is killed', [['endpoint', 'SIGKILL']]],
    [
      'both are stopped in order',
      [
        ['endpoint', 'SIGTERM'],
        ['relay', 'SIGTERM'],
      ],
    ],
  ]

  for (const [i, [what, how]] of cases.entries())
    it(`say that they are offline when ${what}, keep what is typed, and come back by themselves`, async () => {
      const [first, second] = [`#${2 * i + 1}`, `#${2 * i + 2}`]
      for (const [part, signal] of how) await stack.kill(part, signal)
      for (const tab of [alice, bob]) await tab.connection.filter({ hasText: OFFLINE }).waitFor()
      await alice.say(first)
      await alice.message(first).getByText('Waiting for the connection').waitFor()
      await alice.say('not meant')
      await alice.message('not meant').getByRole('button', { name: 'Discard' }).click()
      await alice.message('not meant').waitFor({ state: 'detached' })
      for (const [part] of how) await stack.restart(part)
      await Promise.all([alice.online(), bob.online()])
      await Promise.all([alice.sent(first), bob.sees(first)])
      await bob.say(second)
      await Promise.all([bob.sent(second), alice.sees(second)])
      const all = Array.from({ length: 2 * i + 3 }, (_, n) => `#${n}`)
      assert.deepEqual(await alice.shown(/#\d/), all)
      assert.deepEqual(await bob.shown(/#\d/), all)
    })

  it('stop for good when the endpoint comes back with another key, until the person decides', async () => {
    await stack.kill('endpoint', 'SIGTERM')
    await rm(join(stack.dataDir, 'endpoint_key.pem'))
    await stack.restart('endpoint')
    for (const tab of [alice, bob]) {
      const notice = tab.page.getByRole('alertdialog', { name: ATTACK })
      await notice.getByText('shows another key than the one you know').waitFor()
      await notice.getByText('Nothing was sent to it.').waitFor()
    }
    // What is here can be read, and written for later; the decision stays open, also over a reload.
    await alice.press('Stay disconnected')
    await alice.connection.filter({ hasText: /^\s*Stopped/ }).waitFor()
    await alice.say('not to a stranger #7')
    await alice.message('not to a stranger #7').getByText('Waiting for the connection').waitFor()
    await alice.press('Reconnect')
    await alice.press('Stay disconnected')
    await alice.page.reload()
    await alice.press('Stay disconnected')
    await alice.openRoom('bob')
    assert.deepEqual(await alice.shown(/#\d/), ['#0', '#1', '#2', '#3', '#4', '#5', '#6', '#7'])
    const since = stack.logs('endpoint').split('with a new key').at(-1)
    assert.notInclude(since, '"user"', 'the new endpoint learns of nobody')
  })

  it('go on with the new key once the person trusts it', async () => {
    await bob.press('Trust the new key')
    await bob.online()
    await alice.press('Trust the new key')
    await alice.online()
    await Promise.all([alice.sent('not to a stranger #7'), bob.sees('not to a stranger #7')])
  })
})

describe('a link', () => {
  let stack: Stack
  let browser: Browser

  before(async () => {
    stack = await startStack()
    browser = await Browser.start()
  })
  after(async () => {
    await browser?.close()
    await stack?.stop()
  })

  it('with the pin of another endpoint stops before anything but a hello is sent', async () => {
    const wrong = Buffer.alloc(32, 7).toString('base64url')
    const tab = await browser.open(stack.pageUrl.replace(/#.*/, `#k=${wrong}`))
    let frames = 0
    tab.page.on('websocket', (socket) => socket.on('framesent', () => frames++))
    await tab.start('nora')
    const notice = tab.page.getByRole('alertdialog', { name: ATTACK })
    await notice.waitFor()
    const digits = stack.fingerprint.replace(/(.{4})(?=.)/g, '$1 ')
    await notice.getByText(digits).waitFor()
    assert.equal(frames, 1)
    assert.notInclude(stack.logs('endpoint'), 'nora')
    await tab.page.close()
  })

  it('that was damaged on the way says so, and makes nobody', async () => {
    const damaged = [
      stack.pageUrl.slice(0, -3),
      `${stack.pageUrl}&r=ws://x`,
      `${stack.pageUrl}&r=x`,
    ]
    for (const link of damaged) {
      const tab = await browser.open(link)
      await tab.start('olga')
      await tab.says('This link is damaged')
      await tab.page.close()
    }
  })
})
