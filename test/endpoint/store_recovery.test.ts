import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { recover } from '../../relay/endpoint/recovery.ts'
import { SqliteReader } from '../../relay/endpoint/sqlite_reader.ts'
import { type Bytes, equal, hex } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { full, type Random, seeded } from '../support/random.ts'
import { inMemory, inScratch, message, open, people, roomOf } from '../support/store_fixture.ts'
import { assert, describe, it } from '../support/suite.ts'

const RUNS = full ? 100_000 : 400
const SLOW_MS = 1000

interface Made {
  readonly files: ReadonlyMap<string, Buffer>
  readonly logs: ReadonlyMap<Bytes, readonly Bytes[]>
}

/** The files of a store that runs, as a kill would leave them, its log partly in the database. */
async function makeFiles(scratch: string): Promise<Made> {
  const dir = join(scratch, 'made')
  const logs = new Map<Bytes, Bytes[]>()
  const write = async (from: number, to: number): Promise<void> => {
    const store = await open(dir)
    if (from === 0) {
      await people(store, 'ann', 'bob', 'cyn')
      logs.set(await roomOf(store, 'ann', 'bob'), [])
      logs.set(await roomOf(store, 'ann', 'cyn'), [])
    }
    for (let n = from; n < to; n++)
      for (const [room, log] of logs) {
        const entry = message(room, 'ann', `${hex(room)} ${n}`)
        await store.append(entry)
        log.push(entry.mls)
      }
    if (to > 20) cpSync(dir, join(scratch, 'running'), { recursive: true })
    await store.close()
  }
  await write(0, 20)
  await write(20, 40)
  const files = new Map(
    ['sotto.db', 'sotto.db-wal', 'sotto.mark'].map((name) => [
      name,
      readFileSync(join(scratch, 'running', name)),
    ]),
  )
  return { files, logs }
}

/** A valid beginning and then whatever: noise, zeros, nothing, single bits, another place's bytes. */
function damage(file: Buffer, random: Random): Buffer {
  const at = random.below(file.length)
  const copy = Buffer.from(file)
  switch (random.below(5)) {
    case 0:
      return copy.subarray(0, at)
    case 1:
      return Buffer.concat([copy.subarray(0, at), random.bytes(random.below(9000))])
    case 2:
      copy.set(random.bytes(Math.min(1 + random.below(600), file.length - at)), at)
      return copy
    case 3:
      copy.copy(copy, at, random.below(file.length))
      return copy
    default:
      for (let flips = random.below(8); flips >= 0; flips--) {
        const place = random.below(file.length)
        copy[place] = (copy[place] ?? 0) ^ (1 << random.below(8))
      }
      return copy
  }
}

/** Everything that reads is as it was written; everything else was said to be damaged. */
function check(dir: string, logs: Made['logs']): 'refused' | 'taken' {
  let found: ReturnType<typeof recover>
  try {
    found = recover(dir, { now: 0, acceptLoss: false, acknowledged: 0 })
  } catch (error) {
    const known = error instanceof SottoError || (error as Error & { errcode?: number }).errcode
    if (!known) throw error
    return 'refused'
  }
  try {
    const reader = new SqliteReader(found.db)
    const stopped = new Set(found.damages.map(({ room }) => room && hex(room)))
    for (const [room, log] of logs) {
      if (stopped.has(hex(room))) continue
      const entries = reader.entries(room, 0, 1000, 2 ** 24)
      const same =
        entries.length === log.length && entries.every((e, i) => equal(e.mls, log[i] as Bytes))
      assert.isTrue(same, 'a room is not what it was, without a word')
    }
    return 'taken'
  } finally {
    found.db.close()
    found.mark.close()
  }
}

describe('the recovery of a store', () => {
  it('never takes anything but what was written, from whatever bytes after a valid beginning', () =>
    seeded((random) =>
      inScratch(async (scratch) => {
        const { files, logs } = await makeFiles(scratch)
        const outcomes = { refused: 0, taken: 0 }
        const dir = join(scratch, 'damaged')
        for (let run = 0; run < RUNS; run++) {
          rmSync(dir, { recursive: true, force: true })
          mkdirSync(dir)
          const target = random.pick(['sotto.db', 'sotto.db-wal', 'sotto.db-wal'])
          for (const [name, bytes] of files)
            writeFileSync(join(dir, name), name === target ? damage(bytes, random) : bytes)
          const start = performance.now()
          try {
            outcomes[check(dir, logs)] += 1
          } catch (cause) {
            throw new Error(`run ${run}, ${target}`, { cause })
          }
          assert.isBelow(performance.now() - start, SLOW_MS, `run ${run} hung`)
        }
        assert.isAbove(outcomes.refused, 0)
        assert.isAbove(outcomes.taken, 0)
      }, inMemory),
    ))
})
