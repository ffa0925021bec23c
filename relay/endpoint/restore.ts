import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Bytes, equal } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { MarkFile, readMark } from './commit_mark.ts'
import { copyKeys, syncFile } from './data_files.ts'
import { lockDirectory } from './data_lock.ts'
import { unavailable } from './disk_errors.ts'
import { DATABASE, makeDataDirectory, openKnown, storeRow, syncDirectory } from './recovery.ts'
import { Tables } from './sqlite_tables.ts'
import { type StoreReport, verifyStore } from './store_report.ts'

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
  try {
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
  } catch (error) {
    throw unavailable(error)
  }
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
