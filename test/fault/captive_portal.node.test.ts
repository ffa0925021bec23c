import { once } from 'node:events'
import { createServer } from 'node:http'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'
import { TerminalProcess } from '../support/terminal.ts'

/** What a hotel's network answers to everything until somebody has paid. */
class Portal {
  readonly #server = createServer((request, response) => {
    this.#asked.resolve(request.url ?? '')
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Welcome! Please log in.</h1>')
  })
  #asked = Promise.withResolvers<string>()

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** Resolves with the path that is asked for next. */
  next(): Promise<string> {
    this.#asked = Promise.withResolvers()
    return this.#asked.promise
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }
}

describe('a captive portal in the place of the relay (F13)', () => {
  let stack: Stack
  let browser: Browser
  let alice: Tab
  let bob: TerminalProcess

  before(async () => {
    stack = await startStack()
    browser = await Browser.start()
    alice = await browser.join(stack.pageUrl, 'alice')
    bob = new TerminalProcess('bob', stack)
    await bob.prints('* Connected')
  })
  after(async () => {
    await bob?.quit()
    await browser?.close()
    await stack?.stop()
  })

  it('alarms nobody, and what is written behind it is sent once the network is another', async () => {
    const portal = new Portal()
    await stack.kill('relay')
    await portal.listen(stack.relayPort)
    assert.equal(await portal.next(), '/ws')
    await alice.say('written behind the portal')
    // The page tries on after an answer that is no relay's.
    assert.equal(await portal.next(), '/ws')
    await alice
      .message('written behind the portal')
      .getByText('Waiting for the connection')
      .waitFor()
    await portal.close()

    await browser.context.setOffline(true)
    await stack.restart('relay')
    await browser.context.setOffline(false)
    await alice.sent('written behind the portal')
    await bob.prints('written behind the portal')
    bob.type('and answered')
    await alice.sees('and answered')
    assert.lengthOf(await alice.shown(/written behind the portal/), 1)
    assert.equal(await alice.page.getByRole('alertdialog').count(), 0)
    assert.equal(await alice.page.locator('.notice').count(), 0)
  })
})
