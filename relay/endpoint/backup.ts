import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { type Bytes, equal } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { MarkFile, readMark } from './commit_mark.ts'
import { lockDirectory } from './data_lock.ts'
import { unavailable } from './disk_errors.ts'
import {
  DATABASE,
  makeDataDirectory,
  openForReading,
  openKnown,
  storeRow,
  syncDirectory,
} from './recovery.ts'
import { Tables } from './sqlite_tables.ts'
import type { Damage } from './store.ts'
import { verify } from './verify.ts'

/** A step of the copy takes this many pages: all of them, so that it is of one moment. */
const ALL_PAGES = 2 ** 31 - 1
const KEY_FILE = /_key\.pem$/

/** What a store holds and in which state it is. */
export interface StoreReport {
  readonly bytes: number
  readonly accounts: number
  readonly rooms: number
  readonly entries: number
  readonly commits: number
  /** Acknowledged commits that are missing at the end. */
  readonly lost: number
  readonly damages: readonly Damage[]
}

export interface BackupReport extends StoreReport {
  /** The key files that are in the backup. Whoever has them can pose as this endpoint. */
  readonly keys: readonly string[]
}

/**
 * Reads everything in the store, also while an endpoint runs on it, and changes nothing. Throws
 * SottoError `unavailable` when the database as a whole is damaged or can't be read.
 */
export function verifyStore(dir: string): StoreReport {
  return explained(() => {
    if (!existsSync(join(dir, DATABASE)))
      throw new SottoError('unavailable', `There is no database in ${dir}.`)
    // Before the database, which may only have more commits than this by the time it is read.
    const mark = readMark(dir)
    const db = openForReading(dir)
    try {
      db.exec('BEGIN')
      return report(db, dir, mark?.commits ?? 0)
    } finally {
      db.close()
    }
  })
}

function report(db: DatabaseSync, dir: string, marked: number): StoreReport {
  const damages = verify(db, { whole: true, mend: false })
  const commits = storeRow(db).commits as number
  const count = (table: string): number =>
    db.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count as number
  return {
    bytes: statSync(join(dir, DATABASE)).size,
    accounts: count('account'),
    rooms: count('room'),
    entries: count('entry'),
    commits,
    lost: Math.max(0, marked - commits),
    damages,
  }
}

/**
 * Copies the store in `dir` into the new directory `target` (mode 700), also while the endpoint
 * runs: the database as it was at one moment, read whole once it is copied, and, unless `keys` is
 * false, the endpoint's keys (mode 600). Without endpoint_key.pem what is restored is another
 * endpoint, of which everyone is warned; so a backup without keys needs a copy of that file
 * elsewhere. Rejects with SottoError `unavailable` when there is something at `target`, or the
 * database is damaged.
 */
export async function backupStore(
  dir: string,
  target: string,
  { keys = true }: { readonly keys?: boolean } = {},
): Promise<BackupReport> {
  try {
    if (existsSync(target) && readdirSync(target).length > 0)
      throw new SottoError(
        'unavailable',
        `There is something in ${target} already. Name a new directory.`,
      )
    if (!existsSync(join(dir, DATABASE)))
      throw new SottoError('unavailable', `There is no database in ${dir}.`)
    mkdirSync(target, { recursive: true, mode: 0o700 })
    chmodSync(target, 0o700)
    const unfinished = join(target, `${DATABASE}.part`)
    const source = openForReading(dir)
    try {
      await backup(source, unfinished, { rate: ALL_PAGES })
    } finally {
      source.close()
    }
    makeOneFile(unfinished)
    const copied = keys ? copyKeys(dir, target) : []
    renameSync(unfinished, join(target, DATABASE))
    syncDirectory(target)
    return { ...verifyStore(target), keys: copied }
  } catch (error) {
    throw unavailable(error)
  }
}

/** The copy without a write-ahead log beside it, on disk. */
function makeOneFile(path: string): void {
  const db = new DatabaseSync(path)
  try {
    db.exec('PRAGMA journal_mode = DELETE')
  } finally {
    db.close()
  }
  chmodSync(path, 0o600)
  syncFile(path)
}

function syncFile(path: string): void {
  const fd = openSync(path, 'r+')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function copyKeys(from: string, to: string): string[] {
  const keys = readdirSync(from).filter((name) => KEY_FILE.test(name))
  for (const name of keys) {
    const path = join(to, name)
    rmSync(path, { force: true })
    copyFileSync(join(from, name), path)
    chmodSync(path, 0o600)
    syncFile(path)
  }
  return keys
}

/**
 * Puts the backup in `target` in the place of what is in `dir`. The backup is read whole first;
 * nothing is changed when it is damaged, when an endpoint runs on `dir`, or, without `force`,
 * when there is a store already. With `force` what was there is kept in a directory beside it,
 * whose path is returned. Rejects with SottoError `unavailable`.
 *
 * A power loss in between leaves a store that doesn't start and says so; restoring again helps.
 */
export function restoreStore(
  target: string,
  dir: string,
  { force = false, now = Date.now() }: { readonly force?: boolean; readonly now?: number } = {},
): { report: StoreReport; replaced: string | undefined } {
  return explained(() => {
    checkBackup(target)
    makeDataDirectory(dir)
    const lock = lockDirectory(dir)
    try {
      const there = existsSync(join(dir, DATABASE)) || readMark(dir) !== undefined
      if (there && !force)
        throw new SottoError(
          'unavailable',
          `There is a store in ${dir} already. To replace it, say --force; it is kept beside the new one.`,
        )
      const unfinished = join(dir, `${DATABASE}.part`)
      const mark = prepare(join(target, DATABASE), unfinished)
      const replaced = there ? putAside(dir, new Date(now)) : undefined
      // The old mark stays until now: a start before this finds that the database is missing.
      renameSync(unfinished, join(dir, DATABASE))
      syncDirectory(dir)
      writeMark(dir, mark)
      copyKeys(target, dir)
      syncDirectory(dir)
      return { report: verifyStore(dir), replaced }
    } finally {
      lock.close()
    }
  })
}

function checkBackup(target: string): void {
  const { damages } = verifyStore(target)
  const [first] = damages
  if (first !== undefined)
    throw new SottoError('unavailable', `The backup in ${target} is damaged: ${first.text}`)
}

/** A copy of the backup that says of itself that it was brought back once more. */
function prepare(backedUp: string, path: string): { id: Bytes; commits: number } {
  rmSync(path, { force: true })
  copyFileSync(backedUp, path)
  chmodSync(path, 0o600)
  const db = openKnown(path)
  try {
    const store = storeRow(db)
    const restored = (store.restored as number) + 1
    new Tables(db).update('store', { ...store, restored })
    return { id: store.store_id as Bytes, commits: store.commits as number }
  } finally {
    db.close()
    syncFile(path)
  }
}

/** Moves the old database (without its mark) and copies the keys to a directory of their own. */
function putAside(dir: string, now: Date): string {
  const aside = join(dir, `replaced-${now.toISOString().replaceAll(/[:.]/g, '-')}`)
  mkdirSync(aside, { mode: 0o700 })
  for (const name of [DATABASE, `${DATABASE}-wal`, `${DATABASE}-shm`])
    if (existsSync(join(dir, name))) renameSync(join(dir, name), join(aside, name))
  copyKeys(dir, aside)
  syncDirectory(aside)
  syncDirectory(dir)
  return aside
}

function writeMark(dir: string, { id, commits }: { id: Bytes; commits: number }): void {
  const mark = new MarkFile(dir, id)
  try {
    mark.set(commits)
    mark.sync()
  } finally {
    mark.close()
  }
  const written = readMark(dir)
  if (written === undefined || !equal(written.id, id) || written.commits !== commits)
    throw new Error('the mark could not be written')
}

function explained<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw unavailable(error)
  }
}
