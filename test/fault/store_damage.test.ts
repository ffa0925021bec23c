import { cpSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Store } from '../../relay/endpoint/store.ts'
import { type Bytes, equal } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { full, seeded } from '../support/random.ts'
import {
  damageCopies,
  inMemory,
  inScratch,
  message,
  open,
  people,
  roomOf,
} from '../support/store_fixture.ts'
import { Burst, checkBurst } from '../support/store_process.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

/** Bytes of one of SQLite’s pages. */
const PAGE = 4096
const FLIPS = full ? 10_000 : 40
const ROOMS = [
  ['ann', 'bob'],
  ['ann', 'cyn'],
  ['bob', 'cyn'],
] as const
const MESSAGES = 60

/** A store of three rooms, closed properly, and what is in it. */
async function makeStore(dir: string): Promise<Map<Bytes, Bytes[]>> {
  const store = await open(dir)
  await people(store, 'ann', 'bob', 'cyn')
  const logs = new Map<Bytes, Bytes[]>()
  for (const [a, b] of ROOMS) logs.set(await roomOf(store, a, b), [])
  for (let n = 0; n < MESSAGES; n++) {
    let i = 0
    for (const [room, log] of logs) {
      const entry = message(room, ROOMS[i]?.[0] ?? '', `${i} ${n}`)
      await store.append(entry)
      log.push(entry.mls)
      i += 1
    }
  }
  await store.close()
  return logs
}

function flipBit(file: string, at: number, bit: number): void {
  const bytes = readFileSync(file)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
  writeFileSync(file, bytes)
}

/** Runs a statement of which the table's indexes are not told. */
function behindTheIndex(dir: string, table: string, statement: string): void {
  const edit = (work: (db: DatabaseSync) => void): void => {
    const db = new DatabaseSync(join(dir, 'sotto.db'))
    db.exec('PRAGMA writable_schema = ON')
    work(db)
    db.close()
  }
  edit((db) => {
    db.exec('CREATE TABLE kept AS SELECT * FROM sqlite_schema')
    db.exec(`DELETE FROM sqlite_schema WHERE tbl_name = '${table}' AND type = 'index'`)
    const found = db.prepare(`SELECT sql FROM kept WHERE name = '${table}'`).get()
    const bare = String(found?.sql).replace(/,\s*UNIQUE \([^)]*\)| UNIQUE/g, '')
    db.prepare(`UPDATE sqlite_schema SET sql = ? WHERE name = '${table}'`).run(bare)
  })
  edit((db) => db.exec(statement))
  edit((db) => {
    db.exec(`DELETE FROM sqlite_schema WHERE name = '${table}'`)
    db.exec(`INSERT INTO sqlite_schema SELECT * FROM kept WHERE tbl_name = '${table}'`)
    db.exec('DROP TABLE kept')
  })
}

/** Whether the room reads as it was written; if not, that it says so and takes nothing. */
async function whole(store: Store, room: Bytes, log: readonly Bytes[]): Promise<boolean> {
  try {
    const found = store.room(room)
    assert.isDefined(found, 'the room is gone without a word')
    const entries = store.entries(room, 0, 1000, 2 ** 24)
    assert.equal(entries.length, log.length, 'the log is shorter without a word')
    entries.forEach((entry, i) => {
      assert.isTrue(equal(entry.mls, log[i] as Bytes), 'an entry was changed without a word')
    })
    return true
  } catch (error) {
    if (!(error instanceof SottoError)) throw error
    assert.match(error.message, /damaged.*sotto restore/s)
    await fails('unavailable', () => store.append(message(room, 'ann', 'one more')))
    return false
  }
}

/** Opens what was damaged. Resolves to how it went; throws when something is silently wrong. */
async function outcome(
  dir: string,
  logs: ReadonlyMap<Bytes, Bytes[]>,
): Promise<'refused' | 'stopped' | 'whole'> {
  let store: Store
  try {
    store = await open(dir)
  } catch (error) {
    if (!(error instanceof SottoError)) throw error
    assert.match(error.message, /sotto restore|was made by a newer Sotto|is not a database/)
    return 'refused'
  }
  try {
    let good = 0
    for (const [room, log] of logs) if (await whole(store, room, log)) good += 1
    if (good < logs.size) assert.isAbove(store.damages.length, 0)
    return good === logs.size ? 'whole' : 'stopped'
  } finally {
    await store.close()
  }
}

describe('a damaged database (F5)', () => {
  it('is never silently shorter or different, whichever bit of it was flipped', () =>
    seeded((random) =>
      inScratch(async (scratch) => {
        const made = join(scratch, 'made')
        const logs = await makeStore(made)
        const size = statSync(join(made, 'sotto.db')).size
        const outcomes = { refused: 0, stopped: 0, whole: 0 }
        for (let i = 0; i < FLIPS; i++) {
          const dir = join(scratch, 'damaged')
          cpSync(made, dir, { recursive: true })
          const [at, bit] = [random.below(size), random.below(8)]
          flipBit(join(dir, 'sotto.db'), at, bit)
          try {
            outcomes[await outcome(dir, logs)] += 1
          } catch (cause) {
            throw new Error(`bit ${bit} of byte ${at}: ${(cause as Error).message}`, { cause })
          }
        }
        // A flip in space that nothing uses changes nothing; the others are noticed.
        assert.isAbove(outcomes.stopped, 0)
        assert.isAbove(outcomes.refused, 0)
      }, inMemory),
    ))

  it('stops the room whose entry was changed, and the others go on', () =>
    seeded((random) =>
      inScratch(async (dir) => {
        const logs = await makeStore(dir)
        const [room, log] = [...logs][random.below(logs.size)] as [Bytes, Bytes[]]
        const mls = log[random.below(log.length)] as Bytes
        damageCopies(join(dir, 'sotto.db'), mls, random.below(320))

        const notes: string[] = []
        const store = await open(dir, { onNote: (text) => notes.push(text) })
        assert.match(
          notes.join(),
          /of this conversation is damaged .* stopped; the others go on.*sotto restore/,
        )
        assert.match((await fails('unavailable', () => store.room(room))).message, /damaged/)
        for (const [one, entries] of logs) {
          const running = await whole(store, one, entries)
          assert.equal(running, one !== room)
          if (running) await store.append(message(one, 'ann', 'after')).catch(() => undefined)
        }
        await store.close()
      }, inMemory),
    ))

  it('stops the rooms of a person whose record was changed, and the others go on', () =>
    inScratch(async (dir) => {
      const logs = await makeStore(dir)
      const db = new DatabaseSync(join(dir, 'sotto.db'))
      db.exec("UPDATE account SET created_at = created_at + 1 WHERE skeleton = 'cyn'")
      db.close()
      const store = await open(dir)
      const running: boolean[] = []
      for (const [room, entries] of logs) running.push(await whole(store, room, entries))
      assert.deepEqual(
        running,
        ROOMS.map((members) => !members.includes('cyn' as never)),
      )
      await store.close()
    }, inMemory))

  it('stops the room whose own record was changed, which is still known for whose it is', () =>
    inScratch(async (dir) => {
      const logs = await makeStore(dir)
      const before = await open(dir)
      const whose = new Map(['ann', 'bob', 'cyn'].map((one) => [one, before.roomsOf(one)]))
      await before.close()
      const db = new DatabaseSync(join(dir, 'sotto.db'))
      db.exec('UPDATE room SET seq = seq - 1 WHERE id = 1')
      db.close()
      const store = await open(dir)
      const running: boolean[] = []
      for (const [room, entries] of logs) running.push(await whole(store, room, entries))
      assert.deepEqual(running, [false, ...Array(ROOMS.length - 1).fill(true)])
      for (const [one, rooms] of whose) assert.deepEqual(store.roomsOf(one), rooms)
      await store.close()
    }, inMemory))

  it('is refused when a name was changed, and not opened as one in which nobody has that name', () =>
    inScratch(async (dir) => {
      await makeStore(dir)
      const renamed = "UPDATE account SET skeleton = 'eve' WHERE skeleton = 'ann'"
      behindTheIndex(dir, 'account', renamed)
      for (const _ of ['at once', 'and at the next start']) {
        const error = await fails('unavailable', () => open(dir))
        assert.match(error.message, /database is damaged .*sotto restore/)
      }
    }, inMemory))

  it('is refused when two rows have one key by now', () =>
    inScratch(async (dir) => {
      await makeStore(dir)
      behindTheIndex(dir, 'entry', 'UPDATE entry SET seq = 7 WHERE room = 1 AND seq = 8')
      const error = await fails('unavailable', () => open(dir))
      assert.match(error.message, /database is damaged .*sotto restore/)
    }, inMemory))

  it('that was cut off is noticed, wherever it was cut', () =>
    seeded((random) =>
      inScratch(async (scratch) => {
        const made = join(scratch, 'made')
        const logs = await makeStore(made)
        const file = readFileSync(join(made, 'sotto.db'))
        const size = file.length
        // SQLite reads the missing end of the last page as zeros.
        const harmless = (length: number) =>
          size - length < PAGE && file.subarray(length).every((byte) => byte === 0)
        for (const length of [
          0,
          1,
          99,
          PAGE,
          size - 1,
          ...Array.from({ length: full ? 2000 : 8 }, () => random.below(size)),
        ]) {
          const dir = join(scratch, 'damaged')
          cpSync(made, dir, { recursive: true })
          truncateSync(join(dir, 'sotto.db'), length)
          if (!harmless(length))
            assert.notEqual(await outcome(dir, logs), 'whole', `cut to ${length}`)
        }
      }, inMemory),
    ))

  it('whose write-ahead log was changed or cut after a kill is refused until the loss is accepted', () =>
    seeded((random) =>
      inScratch(async (scratch) => {
        const made = join(scratch, 'made')
        const burst = new Burst({ dir: made, senders: 5, messages: 100_000, witness: false })
        await burst.until(() => burst.acked.length > 100)
        await burst.kill()
        const wal = statSync(join(made, 'sotto.db-wal')).size
        const dir = join(scratch, 'damaged')
        const refused = { flipped: 0, cut: 0 }
        for (let i = 0; i < (full ? 2000 : 5); i++) {
          for (const how of ['flipped', 'cut'] as const) {
            cpSync(made, dir, { recursive: true })
            const file = join(dir, 'sotto.db-wal')
            // What is at its end may be of a transaction that nobody was told of.
            const at = random.below(wal)
            if (how === 'cut') truncateSync(file, at)
            else flipBit(file, at, random.below(8))
            const before = readFileSync(file)
            try {
              const store = await open(dir)
              checkBurst(store, burst.acked)
              await store.close()
            } catch (error) {
              if (!(error instanceof SottoError)) throw error
              refused[how] += 1
              assert.match(error.message, /lost its last \d+ commits.*sotto restore/)
              assert.isTrue(
                equal(readFileSync(file), before),
                'what could be saved was overwritten',
              )
              const store = await open(dir, { acceptLoss: true })
              await store.close()
              await (await open(dir)).close()
            }
          }
        }
        assert.isAbove(refused.flipped, 0)
        assert.isAbove(refused.cut, 0)
      }, inMemory),
    ))
})
