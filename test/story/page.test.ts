import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { faultsOf } from '../support/axe.ts'
import { chromiumFlags } from '../support/browsers.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'

const PHONE = { width: 390, height: 844 }
const HOSTILE = [
  '<img src=x onerror=alert(1)><script>alert(2)</script>',
  '"><svg/onload=alert(3)> javascript:alert(4) https://example.org/"onclick="alert(5)',
]

let stack: Stack
let browser: Browser
let directory: string

before(async () => {
  stack = await startStack()
  browser = await Browser.start({ viewport: { width: 1180, height: 760 } })
  directory = await mkdtemp(join(tmpdir(), 'sotto-page-'))
  // Whatever the policy refuses is a complaint, also what a browser does not print.
  await browser.context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      console.error(`policy: ${violatedDirective} ${blockedURI}`),
    )
  })
})
after(async () => {
  await browser?.close()
  await stack?.stop()
  if (directory) await rm(directory, { recursive: true, force: true })
})

describe('the built page under its real headers', () => {
  it('runs a whole session without one complaint, and no markup can be written into it', async () => {
    const dialogs: string[] = []
    const alice = await browser.join(stack.pageUrl, 'alice')
    const bob = await browser.join(stack.pageUrl, 'bob')
    for (const { page } of [alice, bob])
      page.on('dialog', (dialog) => {
        dialogs.push(dialog.message())
        void dialog.dismiss()
      })
    for (const text of HOSTILE) {
      await alice.say(text)
      await bob.log.getByText(text.slice(0, 12)).first().waitFor()
    }
    await alice.openPrivate('bob')
    await alice.say('in private')
    await alice.sent('in private')
    await bob.openRoom('alice')
    await bob.sees('in private')
    await alice.press('End-to-end encrypted. Only bob and you can read this')
    await alice.press('I compared these digits with bob')
    await alice.says('Verified by you')
    await alice.press('Not verified after all')
    await alice.press('I compared these digits with bob')
    await alice.exportKey(join(directory, 'alice.pem'), 'correct horse battery')
    await alice.openPanel('Handshake')
    await alice.says('Full handshake')
    await alice.closePanel()
    await alice.press('Search')
    await alice.page.getByRole('searchbox', { name: 'Words to find' }).fill('private')
    await alice.page.getByRole('list', { name: 'Found' }).getByRole('button').click()
    await alice.press('Leave')
    await alice.connection.filter({ hasText: 'Offline' }).waitFor()
    await alice.press('Reconnect')
    await alice.online()
    await alice.page.reload()
    await alice.online()
    for (const tab of [alice, bob]) assert.deepEqual(tab.complaints, [])
    assert.deepEqual(dialogs, [])

    const canary = await alice.page.evaluate(() => {
      try {
        document.body.innerHTML = '<b>written</b>'
        return 'written'
      } catch (error) {
        return (error as Error).name
      }
    })
    assert.equal(canary, 'TypeError')
    assert.isNotEmpty(alice.complaints, 'the canary itself is reported')
    await Promise.all([alice.page.close(), bob.page.close()])
  })

  it('says over plain HTTP on a network that it needs HTTPS', async () => {
    const network = '--host-resolver-rules=MAP chat.example 127.0.0.1'
    const visitor = await Browser.start({ args: [...chromiumFlags, network] })
    try {
      const tab = await visitor.open(stack.pageUrl.replace('localhost', 'chat.example'))
      await tab.says('This page came over plain HTTP')
      await tab.says('put an HTTPS proxy before it')
      assert.equal(await tab.page.getByRole('button').count(), 0)
      assert.deepEqual(await faultsOf(tab.page), [])
    } finally {
      await visitor.close()
    }
  })

  it('says that it is starting, and what it needs if it does not start', async () => {
    const tab = await browser.open('about:blank')
    const going = Promise.withResolvers<void>()
    await tab.page.route('**/assets/index-*.js', async (route) => {
      await going.promise
      await route.continue()
    })
    await tab.page.goto(stack.pageUrl, { waitUntil: 'commit' })
    await tab.says('If that does not help, this browser is too old for it')
    going.resolve()
    await tab.page.getByRole('textbox', { name: 'Name' }).waitFor()
    assert.notInclude(await tab.page.locator('body').innerText(), 'starting')
    await tab.page.close()
  })

  it('says that a part of it did not load, and goes on after a reload', async () => {
    const tab = await browser.open('about:blank')
    await tab.page.route('**/assets/chat-*.js', (route) => route.fulfill({ status: 404 }))
    await tab.page.goto(stack.pageUrl)
    await tab.start('nora')
    await tab.says('A part of this page did not load')
    await tab.page.unroute('**/assets/chat-*.js')
    await tab.page.reload()
    await tab.start('nora')
    await tab.online()
    await tab.page.close()
  })

  it('is not shown in a frame of another site, which gets no WebSocket either', async () => {
    const server = createServer((_, answer) => {
      answer.setHeader('content-type', 'text/html')
      answer.end(`<title>elsewhere</title><iframe src="${stack.pageUrl}"></iframe>`)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const tab = await browser.open(`http://127.0.0.1:${port}/`)
    try {
      const frame = tab.page.frames()[1] ?? assert.fail('there is no frame')
      // Chromium's own page, in place of what the policy forbids.
      await frame.waitForURL('chrome-error://chromewebdata/', { waitUntil: 'commit' })
      assert.equal(await frame.locator('sotto-app').count(), 0)
      assert.match(tab.complaints.join(), /frame-ancestors/)
      const opened = await tab.page.evaluate(
        (address) =>
          new Promise((resolve) => {
            const socket = new WebSocket(address)
            socket.onopen = () => resolve('opened')
            socket.onerror = () => resolve('refused')
          }),
        `ws://localhost:${stack.relayPort}/ws`,
      )
      assert.equal(opened, 'refused')
    } finally {
      await tab.page.close()
      server.close()
    }
  })
})

describe('somebody without a mouse', () => {
  it('comes in, writes to all, finds a person and writes in private, by keys alone', async () => {
    const lea = await browser.join(stack.pageUrl, 'lea')
    const tab = await browser.open(stack.pageUrl)
    const { keyboard } = tab.page
    const focus = (): Promise<string> =>
      tab.page.evaluate(() => {
        const at = document.activeElement
        return at?.getAttribute('aria-label') ?? at?.textContent?.replace(/\s+/g, ' ').trim() ?? ''
      })
    const tabTo = async (name: RegExp, key = 'Tab'): Promise<void> => {
      for (let i = 0; i < 30; i++) {
        if (name.test(await focus())) return
        await keyboard.press(key)
      }
      assert.fail(`${key} does not reach ${name}`)
    }
    await tab.page.getByRole('textbox', { name: 'Name' }).waitFor()
    // Others are in this browser's list before the box, which has the focus all the same.
    await tab.page.waitForFunction(() => document.activeElement?.id === 'name')
    await keyboard.type('kim')
    await keyboard.press('Enter')
    await tab.online()
    await tab.page.waitForFunction(() => document.activeElement?.id === 'message')
    await keyboard.type('hello by keys')
    await keyboard.press('Enter')
    await lea.sees('hello by keys')
    await tabTo(/(Online|Away)$/, 'Shift+Tab')
    for (let i = 0; i < 10 && !/lea/.test(await focus()); i++) await keyboard.press('ArrowDown')
    await keyboard.press('Enter')
    await tab.says('Only lea and you can read this')
    await tabTo(/^Message$/)
    await keyboard.type('in private by keys')
    await keyboard.press('Enter')
    await tab.sent('in private by keys')
    await tabTo(/^Identity$/, 'Shift+Tab')
    await keyboard.press('Enter')
    await tab.page.getByRole('heading', { name: 'Identity' }).waitFor()
    await keyboard.press('Escape')
    await tab.page.getByRole('heading', { name: 'Identity' }).waitFor({ state: 'detached' })
    assert.equal(await focus(), 'Identity')
    await lea.openRoom('kim')
    await lea.sees('in private by keys')
    assert.deepEqual(tab.complaints, [])
    await Promise.all([tab.page.close(), lea.page.close()])
  })
})

describe('a phone', () => {
  it('shows one thing at a time, all of it within the screen, large enough to touch', async () => {
    const phone = await Browser.start({
      viewport: PHONE,
      isMobile: true,
      hasTouch: true,
      deviceScaleFactor: 2,
    })
    try {
      const mia = await browser.join(stack.pageUrl, 'mia')
      const tab = await phone.open(stack.pageUrl)
      await fits(tab)
      await tab.start('noa')
      await tab.online()
      await tab.say('from a phone')
      await mia.sees('from a phone')
      assert.isFalse(await tab.people.isVisible())
      await fits(tab)
      await tab.page.getByRole('button', { name: 'Back to the list' }).tap()
      await tab.people.waitFor()
      assert.isFalse(await tab.box.isVisible())
      await fits(tab)
      await tab.people.getByText('mia', { exact: true }).tap()
      await tab.says('Only mia and you can read this')
      // The button that was tapped is gone: without raising the phone's keys, the messages are next.
      assert.isTrue(await tab.log.evaluate((log) => log === document.activeElement))
      await tab.page.locator('.claim').tap()
      await tab.says('Who can read this')
      await fits(tab)
      await tab.page.locator('.claim').tap()
      await tab.say('privately from a phone')
      await tab.sent('privately from a phone')
      await fits(tab)
      await tab.openPanel('Identity')
      await tab.says('You are using it now')
      await fits(tab)
      await tab.closePanel()
      await tab.openPanel('Handshake')
      await tab.says('Full handshake')
      await fits(tab)
      await tab.closePanel()
      await tab.openPanel('Identity')
      // Back, as the phone has it: out of the panel, out of the conversation, over a reload too.
      const address = tab.page.url()
      await tab.page.goBack()
      await tab.page.getByRole('heading', { name: 'Identity' }).waitFor({ state: 'detached' })
      assert.isTrue(await tab.box.isVisible())
      await tab.page.reload()
      await tab.online()
      await tab.page.goBack()
      await tab.people.waitFor()
      assert.isFalse(await tab.box.isVisible())
      assert.equal(tab.page.url(), address)
      assert.deepEqual(tab.complaints, [])
      await mia.page.close()
    } finally {
      await phone.close()
    }
  })

  /** Nothing is wider than the screen, and every button can be hit with a thumb. */
  async function fits({ page }: Tab): Promise<void> {
    await page.getByRole('button').first().waitFor()
    const problems = await page.evaluate(({ width }) => {
      for (const animation of document.getAnimations()) animation.finish()
      const found: string[] = []
      if (document.documentElement.scrollWidth > width) found.push('the page is too wide')
      const touched = 'button, summary, label:has(> [type=checkbox])'
      for (const button of document.querySelectorAll(touched)) {
        const box = button.getBoundingClientRect()
        if (box.width === 0 || !button.checkVisibility()) continue
        const name = button.getAttribute('aria-label') ?? button.textContent
        if (box.right > width + 1 || box.left < -1) found.push(`${name} is outside`)
        if (Math.round(box.height) < 44 || Math.round(box.width) < 44)
          found.push(`${name} is too small`)
      }
      return found
    }, PHONE)
    assert.deepEqual(problems, [])
  }
})

describe('each screen', () => {
  it('has no fault that axe finds, wide and narrow, by day and by night', async () => {
    const tab = await browser.open(stack.pageUrl)
    const check = async (what: string): Promise<void> => {
      for (const colorScheme of ['light', 'dark'] as const) {
        await tab.page.emulateMedia({ colorScheme })
        assert.deepEqual(await faultsOf(tab.page), [], `${what}, ${colorScheme}`)
      }
    }
    await tab.page
      .getByRole('button', { name: /^Continue as/ })
      .first()
      .waitFor()
    await check('the first screen')
    await tab.start('vera')
    await tab.online()
    await tab.say('a message')
    await tab.sent('a message')
    await check('the lobby')
    await tab.page.getByRole('button', { name: /^End-to-end encrypted/ }).click()
    await check('who can read')
    for (const panel of ['Identity', 'Handshake'] as const) {
      await tab.openPanel(panel)
      if (panel === 'Identity') {
        await tab.says('You are using it now')
        await tab.press('Set, change or remove…')
        await tab.press('Set app lock…')
      }
      await check(panel)
      await tab.closePanel()
    }
    await tab.page.setViewportSize(PHONE)
    await check('the lobby, narrow')
    await tab.press('Back to the list')
    await check('the list, narrow')
    await tab.page.close()
  })
})
