import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser } from '../support/tabs.ts'

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

  const linkAt = (origin: string): string => {
    const key = new URL(stack.pageUrl).hash.slice(1)
    return `${origin}/#${key}&r=http://localhost:${stack.relayPort}/`
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

  it('is turned away unless its origin is one that the relay was told of', async () => {
    const eve = await browser.open(linkAt(stranger.origin))
    await eve.start('eve')
    await eve.says('The server can’t be reached.')
  })
})
