import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type Page } from 'playwright-core'
import { build } from 'vite'
import { chromiumFlags, chromium as chromiumPath } from '../support/browsers.ts'
import { type Figure, median } from './figure.ts'
import type { HistoryBench } from './history_page.ts'

const MESSAGES = 100_000
const ROUNDS = 5
const OPEN_MS = 200
const SEARCH_MS = 100

/** What is searched for, and how many of the 100,000 messages hold it. */
const QUERIES: readonly (readonly [name: string, query: string])[] = [
  ['a word that is there once', 'xylophone'],
  ['a word that is nowhere', 'zzzzzz'],
  ['a word of 50 messages, spread over all', 'seldom'],
  ['a word of every 20th message', 'marmalade'],
  ['its first letter', 'm'],
  ['two common words that never meet', 'bicycle marmalade'],
]

/** The page's script in one piece. */
async function script(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      target: 'chrome137',
      rollupOptions: {
        input: fileURLToPath(new URL('history_page.ts', import.meta.url)),
        output: { format: 'es' },
      },
    },
  })
  const outputs = Array.isArray(result) ? result : [result]
  const chunk = outputs.flatMap((one) => ('output' in one ? one.output : [])).at(0)
  if (chunk?.type !== 'chunk') throw new Error('nothing was built')
  return chunk.code
}

async function serve(code: string): Promise<{ url: string; stop: () => void }> {
  const server = createServer(({ url }, response) => {
    const wanted = url === '/page.js'
    response.setHeader('content-type', wanted ? 'text/javascript' : 'text/html')
    response.end(wanted ? code : '<!doctype html><script type="module" src="page.js"></script>')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { url: `http://127.0.0.1:${port}/`, stop: () => server.close() }
}

/** A fresh page in a freshly started browser over the same files. */
async function visit<T>(directory: string, url: string, work: (page: Page) => Promise<T>) {
  const options = { executablePath: chromiumPath(), args: chromiumFlags, chromiumSandbox: false }
  const context = await chromium.launchPersistentContext(directory, options)
  try {
    const page = await context.newPage()
    await page.goto(url)
    await page.waitForFunction('globalThis.bench')
    return await work(page)
  } finally {
    await context.close()
  }
}

function call<K extends keyof HistoryBench>(
  page: Page,
  name: K,
  ...args: Parameters<HistoryBench[K]>
): Promise<Awaited<ReturnType<HistoryBench[K]>>> {
  return page.evaluate(`bench.${name}(${args.map((one) => JSON.stringify(one)).join()})`)
}

/** Opening a room of 100,000 messages and searching it, in real Chromium with IndexedDB on disk. */
export async function bench(): Promise<readonly Figure[]> {
  const { url, stop } = await serve(await script())
  const directory = await mkdtemp(join(tmpdir(), 'sotto-bench-'))
  try {
    await visit(directory, url, (page) => call(page, 'fill', MESSAGES))
    const opening: number[] = []
    const cold = QUERIES.map((): number[] => [])
    const warm = QUERIES.map((): number[] => [])
    for (let round = 0; round < ROUNDS; round++)
      for (const [i, [, query]] of QUERIES.entries())
        await visit(directory, url, async (page) => {
          opening.push(await call(page, 'open'))
          cold[i]?.push((await call(page, 'search', query)).ms)
          for (let n = 0; n < ROUNDS; n++) warm[i]?.push((await call(page, 'search', query)).ms)
        })
    const { index, log } = await visit(directory, url, (page) => call(page, 'size'))
    return [
      figure('opening a room of 100,000 messages', opening, OPEN_MS),
      ...QUERIES.flatMap(([name], i) => [
        figure(`searching these for ${name}, first time`, cold[i] ?? [], SEARCH_MS),
        figure(`searching these for ${name}, again`, warm[i] ?? [], SEARCH_MS),
      ]),
      { name: 'size of the search index to that of the messages', value: index / log, unit: '' },
    ]
  } finally {
    stop()
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

function figure(name: string, times: readonly number[], atMost: number): Figure {
  return { name, value: median(times), unit: 'ms', goal: { atMost } }
}
