import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { LoginLimits } from '../../relay/endpoint/login_limits.ts'
import { assert, describe, it } from '../support/suite.ts'

const MINUTE = 60_000

setFlagsFromString('--expose_gc')
const collect = runInNewContext('gc') as () => void

/** Limits on a clock that moves only by waiting or by hand, and the delays that were waited. */
function rig() {
  const delays: number[] = []
  const clock = { now: 1000 }
  const limits = new LoginLimits(
    () => clock.now,
    async (ms) => {
      delays.push(ms)
      clock.now += ms
    },
  )
  let checked = 0
  const attempt = (account: string, origin: string, right = false) =>
    limits.attempt(account, origin, async () => {
      checked += 1
      return right
    })
  return { limits, clock, delays, attempt, checked: () => checked }
}

describe('guessing passwords (D1)', () => {
  it('is answered more slowly with each failure', async () => {
    const { attempt, delays } = rig()
    for (let i = 0; i < 7; i++) assert.isFalse((await attempt('alice', 'here')).ok)
    assert.deepEqual(delays, [250, 500, 1000, 2000, 4000, 8000, 8000])
  })

  it('gets five tries in fifteen minutes, and the right password does not count after them', async () => {
    const { attempt, checked, clock } = rig()
    for (let i = 0; i < 5; i++) await attempt('alice', 'here')
    const answer = await attempt('alice', 'here', true)
    assert.isFalse(answer.ok)
    assert.equal(checked(), 5)
    assert.isTrue(!answer.ok && answer.retryAfter > 14 * MINUTE && answer.retryAfter < 15 * MINUTE)
    if (!answer.ok) clock.now += answer.retryAfter
    assert.isTrue((await attempt('alice', 'here', true)).ok)
  })

  it('counts no try in which nobody could look at the password', async () => {
    const { limits, attempt } = rig()
    const busy = () => limits.attempt('alice', 'here', () => Promise.reject(new Error('busy')))
    for (let i = 0; i < 60; i++) assert.equal(await busy().catch((error) => error.message), 'busy')
    assert.isTrue((await attempt('alice', 'here', true)).ok)
  })

  it('of one account leaves the others alone', async () => {
    const { attempt } = rig()
    for (let i = 0; i < 8; i++) await attempt('alice', 'here')
    assert.isTrue((await attempt('bob', 'here', true)).ok)
  })

  it('of many accounts from one place gets fifty tries an hour', async () => {
    const { attempt, checked, clock } = rig()
    for (let i = 0; i < 60; i++) await attempt(`name ${i}`, 'here')
    assert.equal(checked(), 50)
    assert.isTrue((await attempt('bob', 'elsewhere', true)).ok)
    clock.now += 60 * MINUTE
    assert.isTrue((await attempt('bob', 'here', true)).ok)
  })

  it('with many tries at once is counted before the first is answered', async () => {
    const { attempt, checked } = rig()
    await Promise.all(Array.from({ length: 100 }, () => attempt('alice', 'here')))
    assert.equal(checked(), 5)
  })

  it('stays within the budget over 10,000 tries in a day', async () => {
    const { limits, clock } = rig()
    let checked = 0
    const start = clock.now
    const check = async () => {
      checked += 1
      return false
    }
    for (let i = 0; i < 10_000; i++) await limits.attempt('alice', `origin ${i % 300}`, check)
    const windows = Math.ceil((clock.now - start) / (15 * MINUTE))
    assert.isAtMost(checked, 5 * windows)
  })

  it('is forgiven to whoever knows the password', async () => {
    const { attempt, delays } = rig()
    for (let i = 0; i < 200; i++) {
      await attempt('alice', 'office')
      assert.isTrue((await attempt('alice', 'office', true)).ok)
      if (i === 48) break
    }
    assert.isTrue(delays.every((ms) => ms === 250))
  })

  it('of endless names keeps no more than a bounded memory', async () => {
    const limits = new LoginLimits(
      () => 0,
      async () => undefined,
    )
    collect()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < 50_000; i++)
      await limits.attempt(`name ${i}`, `origin ${i}`, async () => false)
    collect()
    assert.isBelow(process.memoryUsage().heapUsed - before, 10e6)
  })
})
