import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { type ErrorCode, SottoError } from '../../web/protocol/errors.ts'
import type { MarkFile } from './commit_mark.ts'
import { explainDiskError, explainToCommand } from './disk_errors.ts'
import { closeUnchanged, type Recovered, recover } from './recovery.ts'
import { Records } from './sqlite_records.ts'
import { applyWrite, type Write } from './sqlite_writes.ts'

/**
 * The thread that writes: it waits for the disk so that the endpoint doesn't. One order comes at a
 * time and each has one answer; all writes of an order are one transaction.
 */
export type Order =
  | { readonly kind: 'open'; readonly now: number; readonly acceptLoss: boolean }
  | { readonly kind: 'write'; readonly now: number; readonly writes: readonly Write[] }
  | { readonly kind: 'close' }

export type Result =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: ErrorCode; readonly text: string }

export type Answer =
  | ({ readonly kind: 'opened' } & Omit<Recovered, 'db' | 'mark'>)
  | { readonly kind: 'written'; readonly results: readonly Result[] }
  | { readonly kind: 'closed' }
  /** Nothing of the order can be relied on. `passing`: the store may come back by itself. */
  | {
      readonly kind: 'failed'
      readonly code: ErrorCode
      readonly text: string
      /** The same for who has just started the endpoint, which then ends. */
      readonly atStart: string
      readonly passing: boolean
    }

/** Pages in the write-ahead log after which they are written into the database: 4 MiB. */
const LONG_LOG = 1000

interface Open {
  readonly db: DatabaseSync
  readonly mark: MarkFile
  readonly records: Records
  readonly logLength: StatementSync
}

class Writer {
  readonly #dir: string
  readonly #keptEpochs: number
  #open: Open | undefined
  /** Commits that were answered for: what any later start must find. */
  #acknowledged = 0
  /** What went wrong after the last answer. */
  #failure: unknown

  constructor(dir: string, keptEpochs: number) {
    this.#dir = dir
    this.#keptEpochs = keptEpochs
  }

  obey(order: Order): Answer {
    try {
      if (order.kind === 'open') return this.#start(order.now, order.acceptLoss)
      if (order.kind === 'write') return this.#write(order.now, order.writes)
      return this.#close()
    } catch (error) {
      this.#drop()
      const code = error instanceof SottoError ? error.code : 'unavailable'
      const atStart = explainToCommand(error, this.#dir)
      return { kind: 'failed', code, ...explainDiskError(error), atStart }
    }
  }

  /**
   * What can be done after the answer: writes a long log into the database. When that fails the
   * commits stay good, since the log has them; but the database is opened afresh before the next,
   * so that all of the log is written again and not only what SQLite thinks is missing.
   */
  tidy(): void {
    if (this.#open === undefined) return
    try {
      if (Number(this.#open.logLength.get()?.log) < LONG_LOG) return
      this.#open.db.exec('PRAGMA wal_checkpoint(PASSIVE)')
    } catch (error) {
      this.#failure = error
      this.#drop()
    }
  }

  #start(now: number, acceptLoss: boolean): Answer {
    this.#drop()
    const acknowledged = this.#acknowledged
    const { db, mark, ...found } = recover(this.#dir, { now, acceptLoss, acknowledged })
    const logLength = db.prepare('PRAGMA wal_checkpoint(NOOP)')
    this.#open = { db, mark, records: new Records(db, this.#keptEpochs), logLength }
    this.#failure = undefined
    this.#acknowledged = found.commits
    return { kind: 'opened', ...found }
  }

  #write(now: number, writes: readonly Write[]): Answer {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#open === undefined) throw new Error('written to while closed')
    const { db, mark, records } = this.#open
    db.exec('BEGIN IMMEDIATE')
    records.begin(now)
    const results = writes.map((write) => decide(records, write))
    const commits = records.end()
    db.exec('COMMIT')
    this.#acknowledged = commits
    mark.set(commits)
    return { kind: 'written', results }
  }

  #close(): Answer {
    const open = this.#open
    open?.db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    open?.mark.sync()
    this.#drop()
    return { kind: 'closed' }
  }

  /** Lets go of the database without another try at anything. */
  #drop(): void {
    const open = this.#open
    this.#open = undefined
    if (open === undefined) return
    open.mark.close()
    closeUnchanged(open.db, this.#dir)
  }
}

function decide(records: Records, write: Write): Result {
  try {
    return { ok: true, value: applyWrite(records, write) }
  } catch (error) {
    if (!(error instanceof SottoError)) throw error
    return { ok: false, code: error.code, text: error.message }
  }
}

if (parentPort !== null) {
  const port = parentPort
  const { dir, keptEpochs } = workerData as { dir: string; keptEpochs: number }
  const writer = new Writer(dir, keptEpochs)
  port.on('message', (order: Order) => {
    port.postMessage(writer.obey(order))
    writer.tidy()
    if (order.kind === 'close') port.close()
  })
}
