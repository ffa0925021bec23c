import type { Clock } from '../../web/chat/clock.ts'
import { systemClock } from '../../web/chat/clock.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { Device, HostileLog } from '../support/hostile_log.ts'
import { full, random } from '../support/random.ts'
import { afterEach, assert, describe, it } from '../support/suite.ts'

const alarmed = (device: Device) =>
  device.until(() => device.room.view().phase === 'alarm', `${device.user} is alarmed`)

const logs: HostileLog[] = []
const hostileLog = () => {
  const log = new HostileLog()
  logs.push(log)
  return log
}
afterEach(() => {
  for (const log of logs.splice(0)) log.end()
})

async function two(): Promise<{ log: HostileLog; alice: Device; bob: Device }> {
  const log = hostileLog()
  const alice = await log.join('alice')
  const bob = await log.join('bob')
  await alice.until(() => alice.room.view().readers.length === 2, 'both are in')
  return { log, alice, bob }
}

describe('an endpoint that shows two histories', () => {
  it('is found out by the next message from the other one', async () => {
    const { log, alice, bob } = await two()
    // Bob is not shown what alice says now: he gets a log of his own from here on.
    log.views.set('bob', [...log.log])
    await alice.room.send('only in one history')
    await alice.shows(1)
    await bob.room.send('in another one')
    await bob.shows(1)
    assert.equal(bob.room.view().phase, 'ready')
    // The next message of alice crosses over; her view of the log goes with it.
    await alice.room.send('across')
    await alice.shows(2)
    log.views.get('bob')?.push(log.log.at(-1) as never)
    await log.tell()
    await alarmed(bob)
    assert.equal(bob.notices[0]?.kind, 'mitm')
    assert.match(bob.notices[0]?.seen ?? '', /two different histories/)
    await bob.room.send('not any more')
    const { length, outgoing } = bob.room.view()
    assert.deepEqual([length, outgoing], [2, 1], 'nothing is sent any more')
  })

  it('is found out when it puts a message before what its sender had read', async () => {
    const { log, alice, bob } = await two()
    const carol = await log.join('carol')
    log.views.set('carol', [...log.log])
    await alice.room.send('first')
    await bob.shows(1)
    await bob.room.send('second')
    await alice.shows(2)
    const [first, second] = log.log.slice(-2) as [Bytes, Bytes]
    log.views.get('carol')?.push(second, first)
    await log.tell()
    await alarmed(carol)
    assert.match(carol.notices[0]?.seen ?? '', /another order/)
  })

  it('is found out when it confirms a message and leaves it out', async () => {
    const { log, alice, bob } = await two()
    log.swallow = 'alice'
    await alice.room.send('into the void')
    const confirmed = async () => {
      const last = (await alice.room.timeline(0, 10)).at(-1)
      return last?.kind === 'text' && last.state === 'sent'
    }
    await alice.until(confirmed, 'it is confirmed')
    log.swallow = undefined
    await bob.room.send('in its place')
    await alarmed(alice)
    assert.match(alice.notices[0]?.seen ?? '', /left it out|two different/)
  })

  it('is found out when its log is not the one that it was at the last visit', async () => {
    const { log, alice, bob } = await two()
    await alice.room.send('one')
    await bob.room.send('two')
    await bob.shows(2)
    await alice.shows(2)
    log.log = log.log.slice(0, -1)
    await alice.begin()
    await alarmed(alice)
    assert.match(alice.notices[0]?.seen ?? '', /back in time/)
    assert.lengthOf(await alice.texts(), 2, 'what was there stays')
  })

  for (const depth of full ? [1, 10, 100, 1_000] : [1, 10, 50])
    it(`is found out when it goes back by ${depth} entries, and is sent nothing (E6)`, async () => {
      const { log, alice } = await two()
      for (let i = 0; i < depth; i++) {
        await alice.room.send(`number ${i}`)
        await alice.shows(i + 1)
      }
      log.log = log.log.slice(0, -depth)
      const { length } = log.log
      await alice.begin()
      await alarmed(alice)
      assert.match(alice.notices[0]?.seen ?? '', /back in time/)
      await alice.room.send('not to leave')
      await alice.room.settled()
      assert.equal(alice.room.view().outgoing, 1)
      assert.lengthOf(log.log, length)
      assert.equal((await alice.texts()).at(-1), `alice: number ${depth - 1}`, 'all of it stays')
    })
})

describe('an endpoint that withholds', () => {
  it('is named after half a minute, and asked again and again', async () => {
    const log = hostileLog()
    let ahead = 0
    const clock: Clock = { ...systemClock, steady: () => systemClock.steady() + ahead }
    const bob = await Device.make('bob', log, clock)
    log.devices.push(bob)
    await bob.begin()
    await bob.until(() => bob.room.view().phase === 'ready', 'bob is in')
    const head = await log.head('bob')
    bob.room.heads({ ...head, seq: head.seq + 1 })
    await bob.room.settled()
    ahead = 31_000
    bob.room.poke()
    await bob.until(() => {
      bob.room.poke()
      return bob.notices.length > 0
    }, 'it is named')
    assert.match(bob.notices[0]?.title ?? '', /Messages are missing/)
  })
})

describe('what a member or the endpoint puts into the log a second time', () => {
  for (let seed = 1; seed <= (full ? 100 : 10); seed++)
    it(`is shown once, seed ${seed}`, async () => {
      const r = random(seed)
      const { log, alice, bob } = await two()
      for (let i = 0; i < 4; i++) await (r.below(2) ? alice : bob).room.send(`message ${i}`)
      await bob.shows(4)
      await alice.shows(4)
      const own = log.log.slice(-4)
      log.log.push(r.pick(own))
      await (r.below(2) ? alice : bob).room.send('afterwards')
      for (const device of [alice, bob]) {
        const last = async () => (await device.texts()).some((text) => text.endsWith('afterwards'))
        await device.until(last, 'the last one is here')
        const messages = (await device.texts()).filter((text) => /message \d/.test(text))
        assert.lengthOf(messages, 4, `seed ${seed}`)
        assert.lengthOf(new Set(messages), 4, `seed ${seed}`)
      }
    })
})

describe('rubbish in the log', () => {
  it('is shown as what it is, and the room goes on for all', async () => {
    const { log, alice, bob } = await two()
    await alice.room.send('good')
    await bob.shows(1)
    const broken = new Uint8Array(log.log.at(-1) as Uint8Array<ArrayBuffer>)
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1
    log.log.push(broken)
    log.log.push(Uint8Array.of(1, 2, 3))
    await bob.room.send('still good')
    const seen = await alice.shows(3)
    assert.equal(seen.at(-1), 'bob: still good')
    assert.equal((await bob.shows(3)).at(-1), 'bob: still good')
    assert.isTrue(seen.some((text) => text.includes('could not be opened')))
    assert.equal(alice.room.view().phase, 'ready')
  })
})
