import { Backoff } from '../../web/chat/reconnect.ts'
import { assert, describe, it } from '../support/suite.ts'

describe('reconnecting', () => {
  it('waits longer after each failure, 2 s at first and never more than 30, and begins anew after success', () => {
    const backoff = new Backoff(() => 0.999)
    const waits = Array.from({ length: 20 }, () => backoff.next(false))
    assert.isBelow(waits[0] ?? 0, 600)
    for (const [i, wait] of waits.entries()) assert.isAtLeast(wait, waits[i - 1] ?? 0)
    assert.isAtMost(Math.max(...waits), 2_000)
    for (let n = 0; n < 10; n++) assert.isAtMost(backoff.next(false), 30_000)
    assert.isAbove(backoff.next(false), 14_000)
    backoff.reset()
    assert.isBelow(backoff.next(false), 600)
  })

  it('keeps to 2 s where the server is there and only sessions end early', () => {
    const backoff = new Backoff(() => 0.999)
    for (let n = 0; n < 50; n++) assert.isAtMost(backoff.next(n % 10 === 9), 2_000)
  })

  it('spreads peers that lost one relay at the same moment', () => {
    const waits = Array.from({ length: 100 }, (_, i) => {
      const backoff = new Backoff(() => i / 100)
      for (let n = 0; n < 5; n++) backoff.next(false)
      return backoff.next(false)
    })
    assert.isAbove(Math.max(...waits) - Math.min(...waits), 900)
    assert.isAbove(Math.min(...waits), 0)
  })
})
