import { chmodSync, existsSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { SottoError } from '../../web/protocol/errors.ts'
import { makeDirectory, syncDirectory } from '../private_files.ts'
import { placeKeys, prepareKeys, removeUnfinished, syncFile, unfinished } from './data_files.ts'
import { unusable } from './disk_errors.ts'
import { DATABASE, openForReading } from './recovery.ts'
import { type StoreReport, verifyStore } from './store_report.ts'

/** A step of the copy takes this many pages: all of them, so that it is of one moment. */
const ALL_PAGES = 2 ** 31 - 1

export interface BackupReport extends StoreReport {
  /** The key files that are in the backup. Whoever has them can pose as this endpoint. */
  readonly keys: readonly string[]
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
    makeDirectory(target)
    chmodSync(target, 0o700)
    return await copyInto(target, dir, keys)
  } catch (error) {
    throw unusable(error, target, 'name another directory')
  }
}

async function copyInto(target: string, dir: string, keys: boolean): Promise<BackupReport> {
  try {
    const database = join(target, DATABASE)
    const source = openForReading(dir)
    try {
      await backup(source, unfinished(database), { rate: ALL_PAGES })
    } finally {
      source.close()
    }
    makeOneFile(unfinished(database))
    const copied = keys ? prepareKeys(dir, target) : []
    placeKeys(target, copied)
    renameSync(unfinished(database), database)
    syncDirectory(target)
    return { ...verifyStore(target), keys: copied }
  } catch (error) {
    removeUnfinished(target)
    throw error
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
