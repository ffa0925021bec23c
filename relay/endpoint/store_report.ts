import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { SottoError } from '../../web/protocol/errors.ts'
import { readMark } from './commit_mark.ts'
import { unusable } from './disk_errors.ts'
import { DATABASE, openForReading, storeRow } from './recovery.ts'
import type { Damage } from './store.ts'
import { verify } from './verify.ts'

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

/**
 * Reads everything in the store, also while an endpoint runs on it, and changes nothing. Throws
 * SottoError `unavailable` when the database as a whole is damaged or can't be read.
 */
export function verifyStore(dir: string): StoreReport {
  try {
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
  } catch (error) {
    throw unusable(error, dir)
  }
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
