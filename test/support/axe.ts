import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * What axe finds wrong with a real page, in words. The page's policy takes no script from elsewhere,
 * and axe must not meddle with it either: it runs in a world of its own beside the page's.
 */
export async function faultsOf(page: Page): Promise<string[]> {
  const devtools = await page.context().newCDPSession(page)
  try {
    const { frameTree } = await devtools.send('Page.getFrameTree')
    const { executionContextId: contextId } = await devtools.send('Page.createIsolatedWorld', {
      frameId: frameTree.frame.id,
      worldName: 'axe',
    })
    await settle(page)
    await devtools.send('Runtime.evaluate', { expression: source, contextId })
    const { result } = await devtools.send('Runtime.evaluate', {
      expression: 'axe.run(document).then(JSON.stringify)',
      contextId,
      awaitPromise: true,
      returnByValue: true,
    })
    const { violations } = JSON.parse(result.value as string) as AxeResults
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
  } finally {
    await devtools.detach()
  }
}

/** Half-way through an animation colours are not what they will be. */
async function settle(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const animation of document.getAnimations())
      if (animation.effect?.getComputedTiming().endTime === Number.POSITIVE_INFINITY)
        animation.cancel()
      else animation.finish()
  })
}
