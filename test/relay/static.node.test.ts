import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { type Relay, startRelay } from '../../relay/relay.ts'
import { type LogLine, logInto } from '../support/relay_stand.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'

const INDEX = '<!doctype html><title>Sotto</title>'
const SCRIPT = 'export const much = 1\n'.repeat(50_000)

interface Got {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

describe('what the relay serves', () => {
  let directory: string
  let relay: Relay

  async function ask(path: string, headers: Record<string, string> = {}, method = 'GET') {
    const asked = request({ port: relay.port, host: '127.0.0.1', path, method, headers }).end()
    const [answer] = (await Promise.race([once(asked, 'response'), once(asked, 'upgrade')])) as [
      IncomingMessage,
    ]
    const body: Buffer[] = []
    if (answer.statusCode === 101) answer.socket.destroy()
    else for await (const part of answer) body.push(part as Buffer)
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(body) }
  }

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sotto-page-'))
    mkdirSync(join(directory, 'assets'))
    const put = (name: string, text: string) => {
      writeFileSync(join(directory, name), text)
      writeFileSync(join(directory, `${name}.br`), brotliCompressSync(text))
      writeFileSync(join(directory, `${name}.gz`), gzipSync(text))
    }
    put('index.html', INDEX)
    put('assets/main-DeadBe3f.js', SCRIPT)
    writeFileSync(join(directory, 'icon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>')
    writeFileSync(join(directory, 'empty.txt'), '')
    relay = await startRelay({
      port: 0,
      host: 'home.example',
      version: '1.2.3',
      page: directory,
      origins: ['https://elsewhere.example'],
      trunk: () => new Promise(() => undefined),
    })
  })
  after(async () => {
    await relay.close()
    rmSync(directory, { recursive: true })
  })

  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  const evil = { ...upgrade, origin: 'https://evil.example' }

  it('carries the same security headers on every route, errors and redirects included', async () => {
    const host = `localhost:${relay.port}`
    const etag = (await ask('/')).headers.etag ?? ''
    const routes: readonly (readonly [number, Promise<Got>])[] = [
      [200, ask('/', { host })],
      [304, ask('/', { host, 'if-none-match': etag })],
      [200, ask('/', { host }, 'HEAD')],
      [308, ask('/index.html', { host })],
      [200, ask('/assets/main-DeadBe3f.js', { host })],
      [200, ask('/sotto.json', { host })],
      [404, ask('/nothing', { host })],
      [404, ask('/../package.json', { host })],
      [404, ask('/%2e%2e/package.json', { host })],
      [405, ask('/', { host }, 'POST')],
      [405, ask('/sotto.json', { host }, 'DELETE')],
      [426, ask('/ws', { host })],
      [403, ask('/ws', { ...evil, host })],
      [101, ask('/ws', { ...upgrade, host })],
    ]
    const expected = {
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; " +
        `connect-src 'self' wss://${host} ws://${host}; frame-ancestors 'none'; base-uri 'none'; ` +
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'strict-transport-security': 'max-age=31536000',
    }
    for (const [status, asked] of routes) {
      const { status: got, headers } = await asked
      assert.equal(got, status)
      for (const [name, value] of Object.entries(expected))
        assert.equal(String(headers[name]), value)
      assert.match(String(headers['permissions-policy']), /camera=\(\).*microphone=\(\)/)
      assert.isUndefined(headers['set-cookie'])
    }
  })

  it('names only wss outside this machine, and nothing that a forged Host tries to add', async () => {
    const policy = async (host: string) =>
      (await ask('/', { host })).headers['content-security-policy'] ?? ''
    assert.include(await policy('chat.example'), "connect-src 'self' wss://chat.example;")
    for (const host of ["x; script-src 'unsafe-inline'", 'a b', 'x,y', '*', 'x/y'])
      assert.include(await policy(host), "connect-src 'self'; frame-ancestors")
  })

  it('sends each file in the smallest form that the browser takes', async () => {
    const path = '/assets/main-DeadBe3f.js'
    const plain = await ask(path)
    assert.equal(plain.body.toString(), SCRIPT)
    assert.isUndefined(plain.headers['content-encoding'])
    const br = await ask(path, { 'accept-encoding': 'gzip, deflate, br' })
    assert.equal(br.headers['content-encoding'], 'br')
    assert.equal(brotliDecompressSync(br.body).toString(), SCRIPT)
    const gzip = await ask(path, { 'accept-encoding': 'br;q=0, gzip;q=0.5' })
    assert.equal(gzip.headers['content-encoding'], 'gzip')
    assert.equal(gunzipSync(gzip.body).toString(), SCRIPT)
    for (const { headers } of [plain, br, gzip]) {
      assert.equal(headers.vary, 'Accept-Encoding')
      assert.equal(headers['content-type'], 'text/javascript; charset=utf-8')
    }
    assert.equal(new Set([plain, br, gzip].map(({ headers }) => headers.etag)).size, 3)
  })

  it('lets hashed files be kept for ever, and everything else be asked for again', async () => {
    const cached = async (path: string) => (await ask(path)).headers['cache-control']
    assert.equal(await cached('/assets/main-DeadBe3f.js'), 'public, max-age=31536000, immutable')
    for (const path of ['/', '/icon.svg', '/sotto.json'])
      assert.equal(await cached(path), 'no-cache')
    assert.equal(await cached('/nothing'), 'no-store')
  })

  it('gives a whole file to a reader that reads slowly', async () => {
    const asked = request({ port: relay.port, host: '127.0.0.1', path: '/assets/main-DeadBe3f.js' })
    const [answer] = (await once(asked.end(), 'response')) as [IncomingMessage]
    answer.socket.pause()
    await new Promise(setImmediate)
    let length = 0
    answer.socket.resume()
    for await (const part of answer) length += (part as Buffer).length
    assert.equal(length, SCRIPT.length)
    assert.equal((await ask('/empty.txt')).body.length, 0)
  })

  it('redirects index.html and knows the types of what it serves', async () => {
    assert.equal((await ask('/index.html')).headers.location, '/')
    assert.equal((await ask('/')).headers['content-type'], 'text/html; charset=utf-8')
    assert.equal((await ask('/icon.svg')).headers['content-type'], 'image/svg+xml')
    assert.equal((await ask('/assets/main-DeadBe3f.js.br')).status, 404)
  })

  it('tells the endpoint’s name, to pages of configured origins too and to no others', async () => {
    const { body } = await ask('/sotto.json')
    assert.deepEqual(JSON.parse(body.toString()), { host: 'home.example', version: '1.2.3' })
    const shared = async (origin: string) =>
      (await ask('/sotto.json', { origin })).headers['access-control-allow-origin']
    assert.equal(await shared('https://elsewhere.example'), 'https://elsewhere.example')
    assert.isUndefined(await shared('https://evil.example'))
  })

  it('opens a WebSocket for its own page and configured ones; any other origin gets 403', async () => {
    const host = `localhost:${relay.port}`
    const status = async (origin: string, at = host) =>
      (await ask('/ws', { ...upgrade, host: at, origin })).status
    assert.equal(await status(`http://${host}`), 101)
    assert.equal(await status(`https://${host}`), 101)
    assert.equal(await status('https://elsewhere.example'), 101)
    assert.equal(await status('https://chat.example', 'chat.example'), 101)
    const refused: readonly (readonly [string, string?])[] = [
      ['https://evil.example'],
      ['null'],
      [`http://${host}.evil.example`],
      [`http://localhost:${relay.port + 1}`],
      ['http://chat.example', 'chat.example'],
      ['file://'],
      [`HTTP://${host}`],
    ]
    for (const [origin, at] of refused) assert.equal(await status(origin, at), 403, origin)
    const { body } = await ask('/ws', { ...upgrade, host, origin: 'https://evil.example' })
    assert.match(body.toString(), /proxy .* must pass on the browser’s Host.* --origin/s)
    assert.equal((await ask('/ws', upgrade)).status, 101, 'no browser, no origin')
  })

  it('says each page that it refused once, with the Host that came, and a few of them only', async () => {
    const lines: LogLine[] = []
    const other = await startRelay({
      ...{ port: 0, host: 'localhost', version: '0.0.0', log: logInto(lines) },
      trunk: () => new Promise(() => undefined),
    })
    const ended = async (origin: string) => {
      const { port } = other
      const asked = request({
        port,
        host: '127.0.0.1',
        path: '/ws',
        headers: { ...upgrade, host: 'localhost', origin },
      })
      const [answer] = (await once(asked.end(), 'response')) as [IncomingMessage]
      answer.resume()
      await once(answer, 'end')
    }
    await ended('https://chat.example')
    await ended('https://chat.example')
    for (let i = 0; i < 20; i++) await ended(`https://${i}.example`)
    const warnings = lines.filter(({ level }) => level === 'warn')
    assert.lengthOf(warnings, 10)
    assert.deepInclude(warnings[0]?.fields, { origin: 'https://chat.example', host: 'localhost' })
    assert.match(warnings[0]?.text ?? '', /pass on the browser’s Host/)
    await other.close()
  })

  it('declines compression of WebSocket messages', async () => {
    const extensions = { ...upgrade, 'sec-websocket-extensions': 'permessage-deflate' }
    const { status, headers } = await ask('/ws', extensions)
    assert.equal(status, 101)
    assert.isUndefined(headers['sec-websocket-extensions'])
  })
})
