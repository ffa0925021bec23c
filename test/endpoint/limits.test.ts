import { BoundedQueue } from '../../relay/endpoint/bounded_queue.ts'
import { TokenBucket, TokenBuckets } from '../../relay/endpoint/token_bucket.ts'
import { Unhurried } from '../../relay/endpoint/unhurried.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

describe('costly work', () => {
  it('runs so many at once, lets so many wait in order, and tells the rest `busy`', async () => {
    const queue = new BoundedQueue(2, 3, 'Too much.')
    const done: number[] = []
    const finish: (() => void)[] = []
    let running = 0
    let most = 0
    const work = (n: number) =>
      queue.run(async () => {
        running += 1
        most = Math.max(most, running)
        await new Promise<void>((resolve) => finish.push(resolve))
        running -= 1
        done.push(n)
      })
    const taken = [0, 1, 2, 3, 4].map(work)
    let ran = false
    await fails('busy', () =>
      queue.run(async () => {
        ran = true
      }),
    )
    assert.isFalse(ran)
    assert.equal(queue.waiting, 3)
    while (done.length < 5) {
      finish.shift()?.()
      await Promise.resolve()
    }
    await Promise.all(taken)
    assert.deepEqual(done, [0, 1, 2, 3, 4])
    assert.equal(most, 2)
  })

  it('that fails gives its place to the next', async () => {
    const queue = new BoundedQueue(1, 1, 'Too much.')
    const failing = queue.run(() => Promise.reject(new Error('bad')))
    const next = queue.run(() => Promise.resolve('next'))
    assert.equal(await failing.catch((error: Error) => error.message), 'bad')
    assert.equal(await next, 'next')
    assert.equal(await queue.run(() => Promise.resolve('free')), 'free')
  })
})

describe('a rate', () => {
  const rate = { burst: 3, perSecond: 2 }

  it('gives a burst at once, then so many a second, and says how long to wait', () => {
    const bucket = new TokenBucket(rate, 100)
    assert.deepEqual(
      [1, 2, 3].map(() => bucket.take(rate, 100)),
      [0, 0, 0],
    )
    assert.equal(bucket.take(rate, 100), 0.5)
    assert.equal(bucket.take(rate, 100.5), 0)
    assert.equal(bucket.take(rate, 1000), 0)
    assert.equal(bucket.take(rate, 1000), 0)
    assert.equal(bucket.take(rate, 1000), 0)
    assert.isAbove(bucket.take(rate, 1000), 0)
  })

  it('is kept by origin, and forgets those who have been quiet', () => {
    const clock = { now: 0 }
    const buckets = new TokenBuckets(rate, () => clock.now)
    for (let i = 0; i < 3; i++) assert.equal(buckets.take('here'), 0)
    assert.isAbove(buckets.take('here'), 0)
    assert.equal(buckets.take('there'), 0)
    for (let i = 0; i < 50_000; i++) {
      clock.now += 0.01
      buckets.take(`origin ${i}`)
    }
    assert.isBelow(buckets.size, 2_000)
  })
})

describe('large answers', () => {
  it('are made one after the other, each when the one before was taken', async () => {
    const calm: (() => void)[] = []
    const unhurried = new Unhurried(() => new Promise((resolve) => calm.push(resolve)))
    const made: number[] = []
    const all = [1, 2, 3].map((n) =>
      unhurried.run(async () => {
        made.push(n)
        if (n === 2) throw new Error('two')
      }),
    )
    for (let n = 1; n <= 3; n++) {
      while (calm.length === 0) await Promise.resolve()
      assert.lengthOf(made, n - 1)
      calm.shift()?.()
      await all[n - 1]?.catch(() => undefined)
    }
    assert.deepEqual(made, [1, 2, 3])
  })
})
