import { full, seeded } from '../support/random.ts'
import { inScratch, open } from '../support/store_fixture.ts'
import { Burst, checkBurst } from '../support/store_process.ts'
import { assert, describe, it } from '../support/suite.ts'

const KILLS = full ? 300 : 8

describe('the store under kill -9 (F1)', () => {
  it('has every acknowledged message after being killed at any point of a burst, again and again', () =>
    seeded((random) =>
      inScratch(async (dir) => {
        const acked: { sender: number; number: number; seq: number }[] = []
        for (let kill = 0; kill < KILLS; kill++) {
          // A store that has already seen some kills, and now and then a new one.
          const path = `${dir}/${Math.floor(kill / 4)}`
          if (kill % 4 === 0) acked.length = 0
          const burst = new Burst({ dir: path, senders: 5, messages: 100_000, witness: false })
          const enough = random.below(400)
          await burst.until(() => burst.said('started') && burst.acked.length >= enough)
          await burst.kill()
          assert.equal(burst.errors, '')
          acked.push(...burst.acked)
          const store = await open(path)
          assert.deepEqual(store.damages, [])
          checkBurst(store, acked)
          await store.close()
        }
      }),
    ))
})
