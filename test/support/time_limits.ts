import type { Page } from 'playwright-core'

/**
 * Holds the page's time limits still, from its next load on: none is over before the test lets so
 * much time pass with the function that this resolves to.
 */
export async function holdTimeLimits(page: Page): Promise<(ms: number) => Promise<void>> {
  await page.addInitScript(() => {
    let now = 0
    const limits: { readonly at: number; readonly late: AbortController }[] = []
    AbortSignal.timeout = (ms) => {
      const late = new AbortController()
      limits.push({ at: now + ms, late })
      return late.signal
    }
    addEventListener('time passes', (event) => {
      now += (event as CustomEvent<number>).detail
      const over = new DOMException('too late', 'TimeoutError')
      for (const { at, late } of limits) if (at <= now) late.abort(over)
    })
  })
  return (ms) =>
    page.evaluate((detail) => {
      dispatchEvent(new CustomEvent('time passes', { detail }))
    }, ms)
}
