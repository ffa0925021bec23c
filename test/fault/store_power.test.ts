import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { recover } from '../../relay/endpoint/recovery.ts'
import { SqliteReader } from '../../relay/endpoint/sqlite_reader.ts'
import { Disk, PowerLoss, readDiskLog } from '../support/disk.ts'
import { full, type Random, random, seeded } from '../support/random.ts'
import { inMemory, inScratch } from '../support/store_fixture.ts'
import { Burst, checkBurst, readAcked } from '../support/store_process.ts'
import { assert, describe, it } from '../support/suite.ts'

const EIO = 5
const MOMENTS = full ? 20_000 : 500

/** Loses power at many moments of one run and looks at what is left each time. */
async function losePowerAlong(work: string, log: string, chance: Random, moments: number) {
  const operations = readDiskLog(log)
  // Before the first acknowledgement there is little to lose.
  const first = operations.findIndex(({ name }) => name === 'witness')
  const loss = new PowerLoss(chance)
  let acked = ''
  let tried = 0
  for (const [i, operation] of operations.entries()) {
    loss.do(operation)
    if (operation.name === 'witness') acked += operation.data
    const spread = i < first ? first * 10 : operations.length - first
    // What is lost at one moment is another part each time.
    const times = Math.floor((moments + chance.below(spread)) / spread)
    tried += times
    for (let time = 0; time < times; time++) {
      const dir = join(work, 'left')
      loss.leave(dir)
      const where = `power lost after operation ${i} of ${operations.length}`
      try {
        const found = recover(dir, { now: 0, acceptLoss: false, acknowledged: 0 })
        assert.deepEqual(found.damages, [])
        checkBurst(new SqliteReader(found.db), readAcked(acked))
        found.db.close()
        found.mark.close()
      } catch (error) {
        throw new Error(`${where}: ${error instanceof Error ? error.stack : error}`)
      }
    }
  }
  return tried
}

describe('the store under power loss (F3)', () => {
  it('has every acknowledged message whatever part of the unsynced writes is lost', () =>
    seeded((chance) =>
      inScratch(async (work) => {
        const dir = join(work, 'data')
        mkdirSync(dir)
        const disk = new Disk(dir, work)
        const burst = new Burst({ dir, senders: 5, messages: 60, witness: true }, disk.env)
        await burst.until(() => burst.said('done'))
        await burst.end()
        const tried = await losePowerAlong(work, disk.log, chance, MOMENTS)
        assert.isAbove(tried, MOMENTS / 2)
      }, inMemory),
    ))

  it('has them also when a sync had failed before and the store came back by itself', () =>
    seeded((chance) =>
      inScratch(async (work) => {
        const dir = join(work, 'data')
        mkdirSync(dir)
        const disk = new Disk(dir, work)
        const burst = new Burst({ dir, senders: 5, messages: 100_000, witness: true }, disk.env)
        const heard = (line: string) => burst.lines.filter((one) => one.startsWith(line)).length
        for (const what of ['sync', 'checkpoint', 'sync', 'sync'] as const) {
          const [acked, failed, again] = [burst.acked.length, heard('state The'), heard('state ok')]
          await burst.until(() => burst.acked.length > acked + 30)
          disk.fail(what, EIO, what === 'sync' ? chance.below(6) : 0)
          await burst.until(() => heard('state The') > failed)
          disk.heal()
          await burst.until(() => heard('state ok') > again)
        }
        await burst.end()
        const tried = await losePowerAlong(work, disk.log, random(chance.u32()), MOMENTS / 2)
        assert.isAbove(tried, MOMENTS / 4)
      }, inMemory),
    ))
})
