import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SottoError } from '../../web/protocol/errors.ts'
import { makePrivate } from './data_files.ts'
import { unusable } from './disk_errors.ts'

const FILE = 'sotto.lock'
const BUSY = 5

/**
 * One endpoint for a data directory. The lock is SQLite's own on an empty database, since Node has
 * no file locks; the system lets go of it when the process ends, however that happens. Throws
 * SottoError `unavailable` when it is taken or the directory can't be written.
 */
export function lockDirectory(dir: string): { close(): void } {
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(join(dir, FILE))
    makePrivate(dir, FILE)
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    lock?.close()
    if ((cause as { errcode?: number }).errcode !== BUSY) throw unusable(cause, dir)
    throw new SottoError(
      'unavailable',
      `Another endpoint is running on ${dir}. End it, or name another directory with SOTTO_DATA.`,
      { cause },
    )
  }
}
