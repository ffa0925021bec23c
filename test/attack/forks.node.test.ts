/** THREATS E4, over many seeds: a log that forks somewhere, goes on in both halves, and touches again. */
import { type Device, HostileLog } from '../support/hostile_log.ts'
import { full, type Random, random, seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

const SEEDS = full ? 100 : 5

/** Two members and a log; each says a few things that both see. */
async function talked(chance: Random) {
  const log = new HostileLog()
  const alice = await log.join('alice')
  const bob = await log.join('bob')
  await alice.until(() => alice.room.view().readers.length === 2, 'both are in')
  const before = chance.below(4)
  for (let i = 0; i < before; i++) await chance.pick([alice, bob]).room.send(`before ${i}`)
  await alice.shows(before)
  await bob.shows(before)
  return { log, alice, bob, before }
}

const alarmed = (device: Device) =>
  device.until(() => device.room.view().phase === 'alarm', `${device.user} is alarmed`)

describe('a log that is shown in two ways (E4)', () => {
  it(`is found out by the next message that crosses, over ${SEEDS} seeds`, () =>
    seeded(async (chance) => {
      for (let i = 0; i < SEEDS; i++) {
        const one = random(chance.u32())
        const { log, alice, bob, before } = await talked(one)
        log.views.set('bob', [...log.log])
        // Either half goes on by its own. Who writes has read one of them then.
        const said = { alice: 1 + one.below(3), bob: 1 + one.below(3) }
        for (const device of [alice, bob])
          for (let n = 0; n < said[device.user as 'alice']; n++) {
            await device.room.send(`${device.user} ${n}`)
            await device.shows(before + n + 1)
          }
        assert.equal(alice.room.view().phase, 'ready')
        assert.equal(bob.room.view().phase, 'ready')
        const [from, to] = one.below(2) ? [alice, bob] : [bob, alice]
        await from.room.send('across')
        await from.shows(before + said[from.user as 'alice'] + 1)
        const crossing = log.viewOf(from.user).at(-1) ?? assert.fail('nothing was sent')
        log.viewOf(to.user).push(crossing)
        await log.tell()
        await alarmed(to)
        // Nothing more leaves, and nothing of the other half is shown.
        await to.room.send('not to leave')
        await to.room.settled()
        assert.isAtLeast(to.room.view().outgoing ?? 0, 1, `seed ${one.seed}`)
        assert.isFalse((await to.texts()).some((text) => text.endsWith('across')))
      }
    }))
})
