import { randomBytes } from 'node:crypto'
import { existsSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Bytes, equal } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { makeDirectory, syncDirectory } from '../private_files.ts'
import { MARK, MarkFile, readMark } from './commit_mark.ts'
import { makePrivate } from './data_files.ts'
import { unusable } from './disk_errors.ts'
import { APPLICATION_ID, type Row, SCHEMA, SCHEMA_VERSION } from './sqlite_schema.ts'
import { Tables } from './sqlite_tables.ts'
import type { Damage } from './store.ts'
import { verify } from './verify.ts'

export const DATABASE = 'sotto.db'

/** A database up to this many bytes is read whole at each start. */
const READ_WHOLE = 64 * 2 ** 20
/** With less space than this left no new start is made after a full disk. */
const LEAST_SPACE = 2 ** 20
const BUSY_MS = 5000
/** Pages that the writer keeps: the index of message ids is hit all over. */
const CACHE_KIB = 16_384
/** What the file of the write-ahead log is cut to after it was longer. */
const LOG_BYTES = 16 * 2 ** 20

/** A database that was found sound and has just taken a commit. */
export interface Recovered {
  readonly db: DatabaseSync
  readonly mark: MarkFile
  readonly id: Bytes
  readonly restored: number
  readonly commits: number
  /** The store's time at its last commit before this one. */
  readonly clock: number
  readonly damages: readonly Damage[]
  readonly notes: readonly string[]
}

interface RecoveryOptions {
  readonly now: number
  readonly acceptLoss: boolean
  /** Commits that this process has acknowledged; fewer than that is loss. */
  readonly acknowledged: number
}

/**
 * Opens the database in `dir`, or makes it. The same at the first start, after a crash and after a
 * failed disk: always on a fresh connection, from what the files say, never by trying a failed
 * commit or sync again.
 *
 * Takes the log's sound transactions as SQLite does, compares their number with the mark and with
 * what was acknowledged, looks for damage, then writes everything that is still in the write-ahead
 * log into the database, syncs it, and makes one commit to see that the disk takes it.
 * Throws SottoError `unavailable` or `rolled_back`, whose text says what to do, or SQLite's error.
 */
export function recover(dir: string, options: RecoveryOptions): Recovered {
  const notes: string[] = []
  const db = openChecked(dir)
  let mark: MarkFile | undefined
  try {
    const store = storeRow(db)
    const id = store.store_id as Bytes
    checkNothingLost(dir, store, options, notes)
    const whole = sizeOf(dir) <= READ_WHOLE
    const damages = verify(db, { whole, mend: true })
    if (!whole) notes.push('The database is large: only its newest part was checked.')
    if (statfsSync(dir).bavail * statfsSync(dir).bsize < LEAST_SPACE)
      throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    const commits = firstCommit(db, store, options)
    mark = new MarkFile(dir, id)
    mark.set(commits)
    mark.sync()
    syncDirectory(dir)
    const { restored, clock } = store as { restored: number; clock: number }
    return { db, mark, id, restored, commits, clock, damages, notes }
  } catch (error) {
    mark?.close()
    closeUnchanged(db, dir)
    throw error
  }
}

/**
 * Closes a connection without the checkpoint that SQLite makes at the last one's end: it would
 * sync again after a sync that failed, and would write over what a person may still save. A
 * connection that only reads is the last one instead, and makes none.
 */
export function closeUnchanged(db: DatabaseSync, dir: string): void {
  let last: DatabaseSync | undefined
  try {
    last = openForReading(dir)
  } finally {
    db.close()
    last?.close()
  }
}

/** A connection that only reads. It holds the files so that nobody else's close changes them. */
export function openForReading(dir: string): DatabaseSync {
  const db = new DatabaseSync(join(dir, DATABASE), { readOnly: true, timeout: BUSY_MS })
  try {
    db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get()
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function sizeOf(dir: string): number {
  return statSync(join(dir, DATABASE)).size
}

/** Throws SottoError `unavailable` unless it is a database of ours that this version knows. */
function openChecked(dir: string): DatabaseSync {
  const path = join(dir, DATABASE)
  const made = existsSync(path) && statSync(path).size > 0
  if (!made && readMark(dir) !== undefined)
    throw new SottoError(
      'rolled_back',
      `The endpoint's database (${path}) is missing or empty, although there was one. Put it back, bring back a backup with "sotto restore", or remove the whole data directory to begin anew.`,
    )
  const db = new DatabaseSync(path, { timeout: BUSY_MS })
  try {
    // What SQLite makes beside it gets the same mode.
    makePrivate(dir, DATABASE, `${DATABASE}-wal`, `${DATABASE}-shm`, MARK)
    if (made) checkVersion(db, path)
    const [mode] = db.prepare('PRAGMA journal_mode = WAL').all()
    if (mode?.journal_mode !== 'wal')
      throw new SottoError(
        'unavailable',
        `The file system of ${dir} can't hold a database in WAL mode.`,
      )
    // FULL: every commit syncs the write-ahead log before it returns.
    db.exec('PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON')
    // The writer makes its checkpoints itself: SQLite passes over the errors of its own.
    db.exec(`PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -${CACHE_KIB}`)
    db.exec(`PRAGMA journal_size_limit = ${LOG_BYTES}`)
    if (!hasTables(db)) create(db, dir)
    return db
  } catch (error) {
    closeUnchanged(db, dir)
    throw error
  }
}

/** Opens a database file as it is. Throws SottoError `unavailable` unless this version knows it. */
export function openKnown(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_MS })
  try {
    checkVersion(db, path)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function hasTables(db: DatabaseSync): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() !== undefined
}

function checkVersion(db: DatabaseSync, path: string): void {
  const pragma = (name: string): number =>
    Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0] as number
  if (!hasTables(db) && pragma('application_id') === 0) return
  if (pragma('application_id') !== APPLICATION_ID)
    throw new SottoError(
      'unavailable',
      `${path} is not a database of Sotto's, or its beginning is damaged. Name another directory with SOTTO_DATA or bring back a backup with "sotto restore".`,
    )
  const version = pragma('user_version')
  if (version > SCHEMA_VERSION || version < 1)
    throw new SottoError(
      'unavailable',
      `${path} was made by a newer Sotto (format ${version}, this one knows ${SCHEMA_VERSION}). Start that version, or bring back a backup that this one made.`,
    )
}

function create(db: DatabaseSync, dir: string): void {
  db.exec('BEGIN IMMEDIATE')
  db.exec(SCHEMA)
  new Tables(db).add('store', {
    id: 1,
    store_id: new Uint8Array(randomBytes(16)),
    restored: 0,
    commits: 0,
    clock: 0,
  })
  db.exec('COMMIT')
  syncDirectory(dir)
}

export function storeRow(db: DatabaseSync): Row {
  const row = new Tables(db).one('store', 'WHERE id = 1')
  if (row !== undefined) return row
  throw new SottoError(
    'unavailable',
    `The endpoint's database is damaged (its own record is missing). Bring back a backup with "sotto restore".`,
  )
}

function checkNothingLost(
  dir: string,
  store: Row,
  options: RecoveryOptions,
  notes: string[],
): void {
  const mark = readMark(dir)
  const commits = store.commits as number
  if (mark === undefined && commits > 0)
    notes.push('There was no mark of the last commit: loss at the end could not be looked for.')
  const same = mark === undefined || equal(mark.id, store.store_id as Bytes)
  const lost = Math.max(mark?.commits ?? 0, options.acknowledged) - commits
  if (same && lost <= 0) return
  const text = same
    ? `The endpoint's database has lost its last ${lost} commits, which were acknowledged: its write-ahead log is damaged or files were put back by hand.`
    : `The endpoint's database is another one than the data directory's mark says: files were put back by hand.`
  if (!options.acceptLoss)
    throw new SottoError(
      'rolled_back',
      `${text} Bring back a backup with "sotto restore", or start it once with --accept-loss to go on without them; members will be told that the history was rolled back.`,
    )
  notes.push(`${text} It was accepted.`)
}

/** Shows that the disk takes a commit, before anybody is told that the store works. */
function firstCommit(db: DatabaseSync, store: Row, options: RecoveryOptions): number {
  // An accepted loss must not leave the mark ahead of the commits for ever.
  const commits = Math.max(store.commits as number, options.acknowledged) + 1
  db.exec('BEGIN IMMEDIATE')
  const clock = Math.max(store.clock as number, options.now)
  new Tables(db).update('store', { ...store, commits, clock })
  db.exec('COMMIT')
  return commits
}

/** Makes the data directory (mode 700). Throws SottoError `unavailable` when it can't be. */
export function makeDataDirectory(dir: string): void {
  try {
    makeDirectory(dir)
  } catch (cause) {
    throw unusable(cause, dir)
  }
}
