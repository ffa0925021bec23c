import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Bytes, equal } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { syncDirectory } from '../private_files.ts'
import { MarkFile, readMark } from './commit_mark.ts'
import {
  otherKeys,
  placeKeys,
  prepareKeys,
  removeUnfinished,
  syncFile,
  unfinished,
} from './data_files.ts'
import { lockDirectory } from './data_lock.ts'
import { unusable } from './disk_errors.ts'
import { DATABASE, makeDataDirectory, openKnown, storeRow } from './recovery.ts'
import { Tables } from './sqlite_tables.ts'
import { type StoreReport, verifyStore } from './store_report.ts'

/**
 * Puts the backup in `target` in the place of what is in `dir`. The backup is read whole first;
 * nothing is changed when it is damaged, when an endpoint runs on `dir`, when the disk has no room
 * for it, or, without `force`, when there is a store or another key already. With `force` what was
 * there is kept in a directory beside it, whose path is returned. Rejects with SottoError
 * `unavailable`.
 *
 * A power loss in between leaves what was there, or a store that doesn't start and says so;
 * restoring again helps.
 */
export function restoreStore(
  target: string,
  dir: string,
  { force = false, now = Date.now() }: { readonly force?: boolean; readonly now?: number } = {},
): { report: StoreReport; replaced: string | undefined } {
  try {
    checkBackup(target)
    makeDataDirectory(dir)
    const lock = lockDirectory(dir)
    try {
      const there = whatIsThere(target, dir)
      if (there !== undefined && !force)
        throw new SottoError(
          'unavailable',
          `There is ${there} in ${dir} already. To replace it, say --force; it is kept beside the new one.`,
        )
      // An old journal of SQLite's would be taken for the new copy's.
      removeUnfinished(dir)
      return put(target, dir, there === undefined ? undefined : new Date(now))
    } catch (error) {
      removeUnfinished(dir)
      throw error
    } finally {
      lock.close()
    }
  } catch (error) {
    throw unusable(error, dir)
  }
}

function whatIsThere(target: string, dir: string): string | undefined {
  if (existsSync(join(dir, DATABASE)) || readMark(dir) !== undefined) return 'a store'
  const [key] = otherKeys(target, dir)
  return key === undefined ? undefined : `another ${key}`
}

/** All that needs room on the disk comes first; what is there is put aside if `aside` says when. */
function put(
  target: string,
  dir: string,
  aside: Date | undefined,
): { report: StoreReport; replaced: string | undefined } {
  const database = join(dir, DATABASE)
  const mark = prepare(join(target, DATABASE), unfinished(database))
  const keys = prepareKeys(target, dir)
  const replaced = aside && copyAside(dir, aside)
  // From here to the last step the mark has no database, and nothing starts without it: not with a
  // new key in the place of one that is not there yet, nor anew with the right one.
  writeMark(dir, mark)
  syncDirectory(dir)
  if (replaced !== undefined) moveAside(dir, replaced)
  placeKeys(dir, keys)
  syncDirectory(dir)
  renameSync(unfinished(database), database)
  syncDirectory(dir)
  return { report: verifyStore(dir), replaced }
}

function checkBackup(target: string): void {
  const { damages } = verifyStore(target)
  const [first] = damages
  if (first !== undefined)
    throw new SottoError('unavailable', `The backup in ${target} is damaged: ${first.text}`)
}

/** A copy of the backup that says of itself that it was brought back once more. */
function prepare(backedUp: string, path: string): { id: Bytes; commits: number } {
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

/** Copies the keys to a directory of their own, to which {@link moveAside} moves the database. */
function copyAside(dir: string, now: Date): string {
  const aside = join(dir, `replaced-${now.toISOString().replaceAll(/[:.]/g, '-')}`)
  mkdirSync(aside, { mode: 0o700 })
  try {
    placeKeys(aside, prepareKeys(dir, aside))
  } catch (error) {
    rmSync(aside, { recursive: true })
    throw error
  }
  syncDirectory(aside)
  return aside
}

function moveAside(dir: string, aside: string): void {
  for (const name of [DATABASE, `${DATABASE}-wal`, `${DATABASE}-shm`])
    if (existsSync(join(dir, name))) renameSync(join(dir, name), join(aside, name))
  syncDirectory(aside)
  syncDirectory(dir)
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
