import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser } from '../support/tabs.ts'
import { holdTimeLimits } from '../support/time_limits.ts'

const PAGE = fileURLToPath(new URL('../../.build/page/', import.meta.url))
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}

/** Any server of files, which knows nothing of the relay. */
async function servePage(): Promise<{ readonly server: Server; readonly origin: string }> {
  const server = createServer((request, response) => {
    const path = request.url === '/' ? 'index.html' : (request.url ?? '').slice(1)
    readFile(join(PAGE, path)).then(
      (body) => response.writeHead(200, { 'content-type': TYPES[extname(path)] }).end(body),
      () => response.writeHead(404).end(),
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const bound = server.address()
  if (typeof bound !== 'object' || bound === null) throw new Error('not a TCP server')
  return { server, origin: `http://localhost:${bound.port}` }
}

describe('a page that comes from somewhere else than the relay', () => {
  let stack: Stack
  let browser: Browser
  let trusted: Awaited<ReturnType<typeof servePage>>
  let stranger: Awaited<ReturnType<typeof servePage>>

  before(async () => {
    ;[trusted, stranger] = await Promise.all([servePage(), servePage()])
    stack = await startStack({ relayArgs: ['--origin', trusted.origin] })
    browser = await Browser.start()
  })
  after(async () => {
    await browser?.close()
    await stack?.stop()
    for (const one of [trusted, stranger]) one?.server.close()
  })

  const linkAt = (origin: string, relayPort = stack.relayPort): string => {
    const key = new URL(stack.pageUrl).hash.slice(1)
    return `${origin}/#${key}&r=http://localhost:${relayPort}/`
  }

  it('talks with people who have it from the relay', async () => {
    const asked: string[] = []
    const alice = await browser.open('about:blank')
    alice.page.on('request', (request) => asked.push(new URL(request.url()).origin))
    await alice.page.goto(linkAt(trusted.origin))
    await alice.start('alice')
    await alice.online()
    const bob = await browser.join(stack.pageUrl, 'bob')
    await alice.front()
    await alice.say('from elsewhere')
    await bob.front()
    await bob.sees('from elsewhere')
    await bob.say('from the relay')
    await alice.front()
    await alice.sees('from the relay')
    assert.deepEqual(alice.complaints, [])
    // Of the relay it has asked for the endpoint's name alone, and no code.
    const relay = `http://localhost:${stack.relayPort}`
    assert.lengthOf(
      asked.filter((origin) => origin === relay),
      1,
    )
    assert.sameMembers([...new Set(asked)], [trusted.origin, relay])
  })

  it('opens what is stored also where the network swallows everything', async () => {
    const alice = await browser.join(linkAt(trusted.origin), 'amelia')
    await alice.say('kept here')
    await alice.sent('kept here')
    await browser.context.route(`http://localhost:${stack.relayPort}/**`, () => undefined)
    await alice.page.reload()
    await alice.sees('kept here')
    await browser.context.unrouteAll()
  })

  it('says so when a relay that it never saw accepts and does not answer for ten seconds', async () => {
    const silent = createServer()
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    const { port } = silent.address() as AddressInfo
    const failed = 'The server can’t be reached. Try again in a moment.'
    try {
      const finn = await browser.open('about:blank')
      const pass = await holdTimeLimits(finn.page)
      await finn.page.goto(linkAt(trusted.origin, port))
      // Once as somebody new, and once as the person who was made and kept then.
      for (const as of [() => finn.start('finn'), () => finn.press('Continue as finn')]) {
        const asked = once(silent, 'request')
        await as()
        const [{ url }] = (await asked) as [IncomingMessage]
        assert.equal(url, '/sotto.json')
        await pass(9_999)
        assert.equal(await finn.page.getByText(failed).count(), 0)
        await pass(1)
        await finn.says(failed)
      }
      await finn.page.close()
    } finally {
      silent.close()
      silent.closeAllConnections()
    }
  })

  it('is turned away unless its origin is one that the relay was told of', async () => {
    const eve = await browser.open(linkAt(stranger.origin))
    await eve.start('eve')
    await eve.says('The server can’t be reached.')
  })
})
