import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { startStack } from '../support/stack.ts'
import { Browser, type Tab } from '../support/tabs.ts'
import { type Figure, median, quantile } from './figure.ts'

const MESSAGES = 200
const KIB = 1000

/** When Enter goes down in this tab, by the clock that all tabs of one machine share. */
function listenForEnter(tab: Tab): Promise<void> {
  return tab.page.evaluate(() => {
    addEventListener(
      'keydown',
      (event) => {
        if (event.key === 'Enter')
          Object.assign(globalThis, { pressedAt: performance.timeOrigin + event.timeStamp })
      },
      { capture: true },
    )
  })
}

/** Resolves, in the page, with the time at which a frame with `text` in the log was painted. */
async function whenPainted(tab: Tab, text: string): Promise<Promise<number>> {
  const log = await tab.log.elementHandle()
  if (log === null) throw new Error('no message list')
  await log.evaluate((list, wanted) => {
    const shows = (node: Element | ShadowRoot): boolean =>
      [...node.children].some(
        (child) =>
          (child.shadowRoot !== null && shows(child.shadowRoot)) ||
          (child.children.length === 0
            ? child.textContent?.includes(wanted) === true
            : shows(child)),
      )
    const painted = new Promise<number>((resolve) => {
      const look = (): void => {
        if (!shows(list)) requestAnimationFrame(look)
        // A task after a frame's callbacks runs once that frame has been handed to the screen.
        else setTimeout(() => resolve(performance.timeOrigin + performance.now()))
      }
      requestAnimationFrame(look)
    })
    Object.assign(globalThis, { painted })
  }, text)
  return tab.page.evaluate(() => (globalThis as unknown as { painted: Promise<number> }).painted)
}

/** Milliseconds from Enter in one tab to the message painted in the other, one at a time. */
async function delays(from: Tab, to: Tab): Promise<number[]> {
  await listenForEnter(from)
  const all: number[] = []
  for (let i = 0; i < MESSAGES; i++) {
    const text = `a message of usual length, number ${i}.`
    await to.page.bringToFront()
    const painted = whenPainted(to, text)
    await from.box.fill(text)
    await from.box.press('Enter')
    const at = await painted
    const pressed = await from.page.evaluate(
      () => (globalThis as unknown as { pressedAt: number }).pressedAt,
    )
    if (i >= 20) all.push(at - pressed) // the first are to warm up
  }
  return all
}

/** Gzipped sizes of the built scripts: all of them, and those that the first paint waits for. */
function sizes(): { all: number; first: number } {
  const page = fileURLToPath(new URL('../../.build/page/', import.meta.url))
  const gzip = (file: string): number => gzipSync(readFileSync(page + file), { level: 9 }).length
  const all = globSync('**/*.js', { cwd: page }).reduce((sum, file) => sum + gzip(file), 0)
  const seen = new Set<string>()
  const follow = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    const text = readFileSync(page + file, 'utf8')
    for (const [, name] of text.matchAll(/(?:\bfrom|\bimport)\s*["']\.\/([^"']+\.js)["']/g))
      follow(`assets/${name}`)
  }
  for (const [, name] of readFileSync(`${page}index.html`, 'utf8').matchAll(
    /src="\.\/([^"]+\.js)"/g,
  ))
    follow(name ?? '')
  return { all, first: [...seen].reduce((sum, file) => sum + gzip(file), 0) }
}

/** The page as people meet it: how fast a message is there, and how much has to be loaded. */
export async function bench(): Promise<readonly Figure[]> {
  const stack = await startStack({ unwatched: true })
  const browser = await Browser.start()
  let measured: number[]
  try {
    const alice = await browser.join(stack.pageUrl, 'alice')
    // A window of its own: a tab in the background paints nothing.
    const other = await Browser.start()
    const bob = await other.join(stack.pageUrl, 'bob')
    measured = await delays(alice, bob)
    await other.close()
  } finally {
    await browser.close()
    await stack.stop()
  }
  const { all, first } = sizes()
  return [
    { name: 'Enter to painted in the other tab, median', value: median(measured), unit: 'ms' },
    {
      name: 'Enter to painted in the other tab, 99th percentile',
      value: quantile(measured, 0.99),
      unit: 'ms',
    },
    { name: 'JavaScript of the page, gzip', value: all / KIB, unit: 'kB', goal: { atMost: 100 } },
    {
      name: 'JavaScript before the first paint, gzip',
      value: first / KIB,
      unit: 'kB',
      goal: { atMost: 40 },
    },
  ]
}
