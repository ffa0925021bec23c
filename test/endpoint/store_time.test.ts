import { BelievedClock } from '../../relay/endpoint/believed_clock.ts'
import { inScratch, message, open, people, roomOf } from '../support/store_fixture.ts'
import { assert, describe, it } from '../support/suite.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const START = Date.UTC(2026, 0, 1)
const ALL = 2 ** 30

/** A system's clock and a steady one that a test moves. */
function clocks() {
  const time = { wall: START, steady: 0 }
  return {
    time,
    pass(ms: number) {
      time.wall += ms
      time.steady += ms
    },
    wallClock: () => time.wall,
    steadyClock: () => time.steady,
  }
}

describe("the store's time (F8)", () => {
  const make = (last = 0) => {
    const all = clocks()
    return { ...all, clock: new BelievedClock(all.wallClock, all.steadyClock, last) }
  }

  it('follows the system, small steps included, and never goes back', () => {
    const { clock, time, pass } = make()
    assert.equal(clock.now(), START)
    pass(HOUR)
    assert.equal(clock.now(), START + HOUR)
    time.wall += HOUR
    assert.equal(clock.now(), START + 2 * HOUR)
    time.wall -= 2 * HOUR
    assert.equal(clock.now(), START + 2 * HOUR)
    pass(3 * HOUR)
    assert.equal(clock.now(), START + 3 * HOUR)
  })

  it('does not follow a jump of a year until it has lasted for a day', () => {
    const { clock, time, pass } = make()
    time.wall += 365 * DAY
    assert.equal(clock.now(), START)
    pass(23 * HOUR)
    assert.equal(clock.now(), START + 23 * HOUR)
    pass(HOUR)
    assert.equal(clock.now(), time.wall)
  })

  it('forgets a jump that was taken back', () => {
    const { clock, time, pass } = make()
    for (let i = 0; i < 5; i++) {
      time.wall += 365 * DAY
      clock.now()
      pass(20 * HOUR)
      clock.now()
      time.wall -= 365 * DAY
      assert.equal(clock.now(), time.wall)
    }
  })

  it('stands still on a clock that was set back for good', () => {
    const { clock, time, pass } = make()
    time.wall -= 365 * DAY
    pass(2 * DAY)
    const stood = clock.now()
    pass(2 * DAY)
    assert.isAtLeast(clock.now(), stood)
    assert.isBelow(clock.now(), START + 5 * DAY)
  })

  it('goes on from the last commit when the endpoint starts with an unlikely clock', () => {
    const last = START - 40 * DAY
    const { clock, pass } = make(last)
    assert.equal(clock.now(), last)
    pass(DAY)
    clock.now()
    pass(DAY)
    assert.equal(clock.now(), START + 2 * DAY)
    assert.equal(make(START + 100 * DAY).clock.now(), START + 100 * DAY)
    assert.equal(make(START - 20 * DAY).clock.now(), START)
  })
})

describe('limits on what is kept', () => {
  const setUp = async (dir: string) => {
    const all = clocks()
    const store = await open(dir, all)
    await people(store, 'ann', 'bob')
    const room = await roomOf(store, 'ann', 'bob')
    const say = (id: string) => store.append(message(room, 'ann', id))
    const kept = () => store.entries(room, 0, 1000, ALL).map(({ seq }) => seq)
    return { ...all, store, room, say, kept }
  }

  it('let go of what is older than so many days, but of no last entry', () =>
    inScratch(async (dir) => {
      const { store, room, say, kept, pass } = await setUp(dir)
      for (const id of ['a', 'b', 'c', 'd']) {
        await say(id)
        pass(10 * HOUR)
        store.now()
      }
      await store.prune({ days: 1, roomBytes: 0 })
      assert.deepEqual(kept(), [3, 4])
      assert.equal(store.room(room)?.oldest, 3)
      for (let i = 0; i < 100; i++) {
        pass(10 * HOUR)
        store.now()
      }
      await store.prune({ days: 1, roomBytes: 0 })
      assert.deepEqual(kept(), [4])
      assert.deepInclude(await say('e'), { seq: 5 })
      await store.close()
      const again = await open(dir)
      assert.deepEqual(again.damages, [])
      assert.lengthOf(again.entries(room, 0, 10, ALL), 2)
      await again.close()
    }))

  it('keep everything when they say so', () =>
    inScratch(async (dir) => {
      const { store, say, kept, pass } = await setUp(dir)
      for (let i = 0; i < 5; i++) await say(`${i}`)
      for (let i = 0; i < 1000; i++) {
        pass(12 * HOUR)
        store.now()
      }
      await store.prune({ days: 0, roomBytes: 0 })
      assert.lengthOf(kept(), 5)
      await store.close()
    }))

  it('let go of the oldest beyond so many bytes', () =>
    inScratch(async (dir) => {
      const { store, room, kept } = await setUp(dir)
      for (let i = 0; i < 10; i++)
        await store.append({ ...message(room, 'ann', `${i}`), mls: new Uint8Array(1000).fill(i) })
      await store.prune({ days: 0, roomBytes: 3500 })
      assert.deepEqual(kept(), [8, 9, 10])
      await store.close()
    }))

  it('delete nothing because a clock jumped forwards', () =>
    inScratch(async (dir) => {
      const { store, say, kept, time, pass } = await setUp(dir)
      for (let i = 0; i < 5; i++) await say(`${i}`)
      time.wall += 365 * DAY
      await store.prune({ days: 1, roomBytes: 0 })
      pass(HOUR)
      await store.prune({ days: 1, roomBytes: 0 })
      assert.lengthOf(kept(), 5)
      await store.close()
      const late = clocks()
      late.time.wall = START + 365 * DAY
      const again = await open(dir, late)
      await again.prune({ days: 1, roomBytes: 0 })
      assert.equal(again.privateRoom('ann', 'bob')?.oldest, 1)
      await again.close()
    }))

  it('and order by number only, while the clock jumps about', () =>
    inScratch(async (dir) => {
      const { say, store, time } = await setUp(dir)
      const jumps = [0, DAY, -DAY, HOUR, -HOUR, -2 * DAY, 3 * DAY, -400 * DAY, 800 * DAY]
      for (const [i, jump] of jumps.entries()) {
        time.wall += jump
        assert.deepInclude(await say(`${i}`), { seq: i + 1 })
      }
      await store.close()
    }))
})
