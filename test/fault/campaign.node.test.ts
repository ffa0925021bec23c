import { Campaign } from '../support/campaign.ts'
import { full, random } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

/** What CI runs has at least so many faults. */
const LEAST_FAULTS = 1_000
/** Bursts between two moments in which everything is compared. */
const BURSTS = 12
const HEAVY_EVERY = 6
const LAST_WORDS = 4
/** With SOTTO_FULL: so long, and a new Sotto after so many faults. */
const SECONDS = Number(process.env.SOTTO_SECONDS ?? 600)
const SEED = Number(process.env.SOTTO_SEED ?? 1)

/** Storms and calms until `enough`. */
async function campaign(seed: number, enough: (faults: number) => boolean) {
  const run = await Campaign.start(seed)
  try {
    for (let round = 0; !enough(run.totals.faults); round++) {
      for (let burst = 1; burst <= BURSTS; burst++) await run.storm(burst % HEAVY_EVERY === 0)
      await run.calm()
      // In a storm everybody connects anew and fetches: what was not announced is noticed only here.
      for (let i = 0; i < LAST_WORDS; i++) {
        await run.lastWords()
        await run.calm()
      }
      if (round < 4) await run.guest(`guest${round}`, round % 2 === 0 ? 'tcp' : 'websocket')
    }
    return run.totals
  } catch (error) {
    if (process.env.SOTTO_LOGS) console.error(run.logs)
    throw error
  } finally {
    await run.close()
  }
}

describe('a whole Sotto under faults of every kind', () => {
  it('loses nothing acknowledged, shows nothing twice, keeps one order, converges', async () => {
    const totals = await campaign(SEED, (faults) => faults >= LEAST_FAULTS)
    console.log(JSON.stringify(totals))
    assert.isAtLeast(totals.faults, LEAST_FAULTS)
  })

  if (full)
    it(`the same for ${SECONDS} s, with one seed after the other`, async () => {
      const end = performance.now() + SECONDS * 1000
      const sum = { seeds: 0, faults: 0, sent: 0, acked: 0, slowest: 0, calms: 0, nonces: 0 }
      for (let seed = random(SEED).u32() % 1e6; performance.now() < end; seed++) {
        const over = (faults: number) => faults >= 2_000 || performance.now() > end
        const totals = await campaign(seed, over)
        sum.seeds += 1
        sum.slowest = Math.max(sum.slowest, totals.slowest)
        for (const key of ['faults', 'sent', 'acked', 'calms', 'nonces'] as const)
          sum[key] += totals[key]
        console.log(JSON.stringify({ seed, ...totals }))
      }
      console.log(`in all: ${JSON.stringify(sum)}`)
    })
})
