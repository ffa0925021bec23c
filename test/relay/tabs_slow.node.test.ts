import { LIMITS } from '../../relay/limits.ts'
import { SlowTabs } from '../../relay/tabs_slow.ts'
import { assert, describe, it } from '../support/suite.ts'

const MEGABYTE = 2 ** 20

/** A connection for which so many bytes wait. */
function tab(bytes: number) {
  return { getBufferedAmount: () => bytes }
}

describe('tabs that are ended because they are slow', () => {
  it('never drive out who reads, however many are ended at once: a quarter is for farewells', () => {
    let second = 0
    const slow = new SlowTabs(LIMITS, () => second)
    const over = Array.from({ length: 40 }, () => tab(LIMITS.tabBuffer + 1))
    const ended = slow.choose(over)
    assert.lengthOf(ended, over.length)
    const soft = ended.filter(({ hard }) => !hard).length
    assert.equal(soft, Math.floor(LIMITS.allTabsBuffer / 4 / (LIMITS.tabBuffer + 1)))

    // What those leave behind lingers, and others come that are slow for a moment.
    const reading = tab(MEGABYTE / 16)
    const crowd = Array.from({ length: 45 }, () => tab(3 * MEGABYTE))
    const chosen = slow.choose([reading, ...crowd]).map(({ ws }) => ws)
    assert.isAbove(chosen.length, 0, 'three quarters are taken')
    assert.notInclude(chosen, reading)

    second += 10
    assert.isEmpty(slow.choose([reading, ...crowd]), 'farewells last ten seconds')
  })
})
