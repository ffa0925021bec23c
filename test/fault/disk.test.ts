import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Disk } from '../support/disk.ts'
import { type Random, seeded } from '../support/random.ts'
import { inScratch, open } from '../support/store_fixture.ts'
import { Burst, checkBurst } from '../support/store_process.ts'
import { assert, describe, it } from '../support/suite.ts'

const EIO = 5
const EACCES = 13
const ENOSPC = 28
const EROFS = 30

interface Rig {
  readonly dir: string
  readonly disk: Disk
  readonly chance: Random
  start(messages: number): Burst
}

function withDisk(work: (rig: Rig) => Promise<void>): () => Promise<void> {
  return () =>
    seeded((chance) =>
      inScratch(async (scratch) => {
        const dir = join(scratch, 'data')
        mkdirSync(dir)
        const disk = new Disk(dir, scratch)
        const start = (messages: number): Burst =>
          new Burst({ dir, senders: 5, messages, witness: false }, disk.env)
        await work({ dir, disk, chance, start })
      }),
    )
}

/** The disk begins to fail in the middle of a burst. Resolves to what people are told. */
async function failDuring(burst: Burst, fail: () => void): Promise<string> {
  await burst.until(() => burst.acked.length > 50)
  fail()
  await burst.until(() => burst.said('state The') && burst.said('refused'))
  return burst.lines.find((line) => line.startsWith('state The')) ?? ''
}

async function comesBack(burst: Burst): Promise<void> {
  const acked = burst.acked.length
  const before = burst.lines.length
  await burst.until(() => burst.lines.lastIndexOf('state ok') >= before)
  await burst.until(() => burst.acked.length > acked + 50)
}

describe('a disk that fails (F4)', () => {
  for (const { name, what, errno, says } of [
    { name: 'is full', what: 'write', errno: ENOSPC, says: /disk is full.*goes on by itself/ },
    { name: "can't be written", what: 'write', errno: EIO, says: /disk fails/ },
    { name: 'fails to sync', what: 'sync', errno: EIO, says: /disk fails/ },
    {
      name: 'fails to sync the database at a checkpoint',
      what: 'checkpoint',
      errno: EIO,
      says: /disk fails/,
    },
    { name: 'is full at a sync', what: 'sync', errno: ENOSPC, says: /disk/ },
  ] as const)
    it(
      `that ${name} stops acknowledgements, says so, loses nothing and is used again when it works`,
      withDisk(async ({ dir, disk, chance, start }) => {
        const burst = start(100_000)
        const said = await failDuring(burst, () => disk.fail(what, errno, chance.below(8)))
        assert.match(said, says)
        const acked = burst.acked.length
        disk.heal()
        await comesBack(burst)
        assert.isAbove(burst.acked.length, acked)
        await burst.end()
        assert.equal(burst.errors, '')
        const store = await open(dir)
        checkBurst(store, burst.acked)
        await store.close()
      }),
    )

  it(
    'and is killed while it fails has every acknowledged message',
    withDisk(async ({ dir, disk, chance, start }) => {
      for (const what of ['write', 'sync'] as const) {
        const burst = start(100_000)
        await failDuring(burst, () => disk.fail(what, EIO, chance.below(8)))
        await burst.kill()
        disk.heal()
        const store = await open(dir)
        checkBurst(store, burst.acked)
        await store.close()
      }
    }),
  )

  it(
    'or a data directory that is read-only is said at start, with what to do',
    withDisk(async ({ disk, start }) => {
      for (const errno of [EACCES, EROFS]) {
        disk.fail('open', errno)
        const refused = start(1)
        await refused.ended
        assert.match(refused.errors, /data can't be opened or written .*name another with --data/s)
        disk.heal()
      }
      const burst = start(1)
      await burst.until(() => burst.said('done'))
      await burst.end()
    }),
  )
})
