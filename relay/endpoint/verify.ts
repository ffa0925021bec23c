import type { DatabaseSync } from 'node:sqlite'
import { type Bytes, equal, hex } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { firstChain, nextChain } from './log_chain.ts'
import { type Row, TABLES, type Table } from './sqlite_schema.ts'
import { soundRow } from './sqlite_tables.ts'
import { type Damage, RoomStopped } from './store.ts'

/** Entries that a quick look goes back, over all rooms. */
const RECENT = 20_000

/** SQLite's primary result code (sqlite.org/rescode.html). */
const CONSTRAINT = 19

const RESTORE = 'Bring back a backup with "sotto restore".'

interface Look {
  /**
   * Everything: SQLite's own structure, the sum of every row and every room's chain from its
   * oldest entry on. Otherwise all small tables, the structure when one of their rows is damaged,
   * the head of every room and the newest entries; older ones are checked whenever they are read.
   */
  readonly whole: boolean
  /** Whether damaged indexes may be made anew. */
  readonly mend: boolean
}

/**
 * Looks for damage. Returns what is stopped; throws SottoError `unavailable` when the database as
 * a whole can't be trusted.
 */
export function verify(db: DatabaseSync, { whole, mend }: Look): Damage[] {
  // By the indexes a damaged record is still found as whose it is, so they have to be sound.
  if (whole || !damagedRows(db).next().done) checkStructure(db, mend)
  const damages = new Map<string, Damage>()
  const add = (damage: Damage): void => {
    damages.set(damage.room === undefined ? damage.text : hex(damage.room), damage)
  }
  const rooms = new Map<number, Row>()
  for (const row of db.prepare('SELECT * FROM room').iterate() as Iterable<Row>)
    rooms.set(row.id as number, row)
  for (const [table, row] of damagedRows(db))
    for (const damage of stoppedBy(table, row, rooms.values())) add(damage)
  const from = whole ? undefined : recentEntries(db)
  for (const [id, room] of rooms) {
    const seq =
      from === undefined ? (room.oldest as number) : (from.get(id) ?? (room.seq as number))
    const problem = chainProblem(db, room, seq)
    if (problem !== undefined) add(roomDamage(room, problem))
  }
  return [...damages.values()]
}

function roomDamage(room: Row, problem: string): Damage {
  return { room: room.room as Bytes, text: damaged(problem).message }
}

export function damaged(problem: string): RoomStopped {
  return new RoomStopped(
    `What the server keeps of this conversation is damaged (${problem}), so it was stopped; the others go on. The server’s administrator can bring back a backup with "sotto restore".`,
  )
}

/**
 * SQLite's own check. Indexes hold nothing of their own and are made anew, unless a row is damaged as
 * well: it may be its key that was changed, and without the old index nobody would be found by it.
 */
function checkStructure(db: DatabaseSync, mend: boolean): void {
  const check = (): string[] =>
    db
      .prepare('PRAGMA integrity_check(20)')
      .all()
      .map((row) => String(row.integrity_check))
  let problems = check()
  const indexes = problems.every((problem) => /index/i.test(problem))
  if (mend && indexes && damagedRows(db).next().done && reindex(db)) problems = check()
  if (problems.length === 1 && problems[0] === 'ok') return
  throw new SottoError(
    'unavailable',
    `The endpoint's database is damaged (${problems[0]}). Keep a copy of the data directory. ${RESTORE}`,
  )
}

/** False when two rows have one key by now: it was a row that was changed, and not its index. */
function reindex(db: DatabaseSync): boolean {
  try {
    db.exec('REINDEX')
    return true
  } catch (error) {
    if (((error as { errcode?: number }).errcode ?? 0) % 256 !== CONSTRAINT) throw error
    return false
  }
}

/** Which rooms a row of a small table belongs to: they are stopped when it is damaged. */
const OF_ROOM: Partial<Record<Table, (row: Row, room: Row) => boolean>> = {
  // Without its accounts nobody can tell whose a private room is.
  account: ({ id }, { first, second }) => id === first || id === second,
  group_info: (row, room) => row.id === room.id,
  group_device: (row, room) => row.room === room.id,
  welcome: (row, room) => row.room === room.id,
}

/** Rows of the small tables that don't fit their sum. */
function* damagedRows(db: DatabaseSync): Generator<readonly [Table, Row]> {
  for (const table of Object.keys(TABLES) as Table[]) {
    if (table === 'entry') continue
    for (const row of db.prepare(`SELECT * FROM ${table}`).iterate() as Iterable<Row>)
      if (!soundRow(table, row)) yield [table, row]
  }
}

/** What a damaged row of a small table stops. */
function* stoppedBy(table: Table, row: Row, rooms: Iterable<Row>): Iterable<Damage> {
  if (table === 'room') return yield roomDamage(row, 'its record was changed')
  if (table === 'store')
    throw new SottoError(
      'unavailable',
      `The endpoint's database is damaged (its own record). ${RESTORE}`,
    )
  yield {
    room: undefined,
    text: `A record on the endpoint's disk is damaged (${table} ${row.id}); what needs it is refused. ${RESTORE}`,
  }
  for (const room of rooms)
    if (OF_ROOM[table]?.(row, room)) yield roomDamage(room, `a record of ${table}`)
}

/** By room, the first of its entries that is among the newest. */
function recentEntries(db: DatabaseSync): Map<number, number> {
  const rows = db
    .prepare(
      `SELECT room, min(seq) AS seq FROM entry
        WHERE id > (SELECT coalesce(max(id), 0) FROM entry) - ${RECENT} GROUP BY room`,
    )
    .all() as Row[]
  return new Map(rows.map((row) => [row.room as number, row.seq as number]))
}

/** What is wrong with a room's log from `from` on, or undefined. */
function chainProblem(db: DatabaseSync, room: Row, from: number): string | undefined {
  const { id, seq, oldest } = room as { id: number; seq: number; oldest: number }
  const start = Math.max(from, oldest)
  let chain = chainBefore(db, room, start)
  if (chain === undefined) return `entry ${start - 1} is missing`
  let next = start
  const entries = db.prepare('SELECT * FROM entry WHERE room = ? AND seq >= ? ORDER BY seq')
  for (const entry of entries.iterate(id, start) as Iterable<Row>) {
    if (entry.seq !== next) return `entry ${next} is missing`
    chain = nextChain(chain, next, entry.mls as Bytes)
    if (!soundRow('entry', entry) || !equal(chain, entry.chain as Bytes))
      return `entry ${next} was changed`
    next += 1
  }
  if (next !== seq + 1) return `it has ${next - 1} entries and should have ${seq}`
  return equal(chain, room.chain as Bytes) ? undefined : 'its end does not fit its head'
}

function chainBefore(db: DatabaseSync, room: Row, start: number): Bytes | undefined {
  if (start === room.oldest)
    return start === 1 ? firstChain(room.room as Bytes) : (room.base as Bytes)
  const row = db
    .prepare('SELECT chain FROM entry WHERE room = ? AND seq = ?')
    .get(room.id as number, start - 1) as Row | undefined
  return row?.chain as Bytes | undefined
}
