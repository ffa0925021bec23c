import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { deserialize, serialize } from 'node:v8'
import type { Storage } from '../../web/chat/storage.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { makeDirectory } from '../private_files.ts'

const DATABASE = 'profile.db'
const HOLDER = 'profile.lock'
/** Above every character that a key of ours ends with. */
const LAST = '\u{10ffff}'

/**
 * The exclusive lock is the operating system's on the database: it dies with the process. The
 * file beside it only says who holds it.
 */
const SETTINGS = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
  BEGIN EXCLUSIVE; COMMIT;
`

function unavailable(cause: unknown, directory: string): SottoError {
  const text = `The profile in ${directory} could not be read or written. Is the disk full or read-only?`
  return new SottoError('unavailable', text, { cause })
}

function holder(directory: string): string {
  try {
    return readFileSync(join(directory, HOLDER), 'utf8')
  } catch {
    return 'another process'
  }
}

function open(directory: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    makeDirectory(directory)
    const path = join(directory, DATABASE)
    database = new DatabaseSync(path)
    chmodSync(path, 0o600)
    database.exec(SETTINGS)
    writeFileSync(join(directory, HOLDER), `process ${process.pid}`, { mode: 0o600 })
    return database
  } catch (cause) {
    database?.close()
    if (cause instanceof Error && cause.message.includes('locked')) {
      const text = `The profile in ${directory} is in use by ${holder(directory)}. End that one first, or take another name.`
      throw new SottoError('unavailable', text, { cause })
    }
    throw unavailable(cause, directory)
  }
}

/** Whether a value can rest on disk: keys that live in memory only (tickets) can't. */
function restable(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return typeof value !== 'function'
  if (value instanceof Uint8Array) return true
  if (Array.isArray(value)) return value.every(restable)
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(restable)
}

/**
 * The store of one profile in a directory (mode 700), in SQLite: one process at a time, every
 * write synced to disk. Throws SottoError `unavailable`, naming the holder, when another process
 * has it open.
 */
export function fileStorage(directory: string): Storage {
  const database = open(directory)
  const memory = new Map<string, unknown>()
  const get = database.prepare('SELECT value FROM kv WHERE key = ?')
  const list = database.prepare('SELECT key FROM kv WHERE key >= ? AND key < ? ORDER BY key')
  const put = database.prepare('INSERT OR REPLACE INTO kv (key, value) VALUES (?, ?)')
  const remove = database.prepare('DELETE FROM kv WHERE key = ?')

  const read = (key: string): unknown => {
    if (memory.has(key)) return memory.get(key)
    const row = get.get(key)
    return row === undefined ? undefined : deserialize(row.value as Uint8Array)
  }
  const write = (changes: ReadonlyMap<string, unknown>): void => {
    database.exec('BEGIN IMMEDIATE')
    try {
      for (const [key, value] of changes) {
        if (value === undefined || !restable(value)) remove.run(key)
        else put.run(key, serialize(value))
      }
      database.exec('COMMIT')
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
    for (const [key, value] of changes)
      if (value === undefined || restable(value)) memory.delete(key)
      else memory.set(key, value)
  }
  /** SQLite answers at once; promises are the interface's. */
  const settle = async <T>(work: () => T): Promise<T> => {
    try {
      return work()
    } catch (cause) {
      throw unavailable(cause, directory)
    }
  }
  const close = () => {
    if (database.isOpen) database.close()
  }
  return {
    read: (key) => settle(() => read(key)),
    readMany: (keys) => settle(() => keys.map(read)),
    keys: (prefix) =>
      settle(() => {
        const onDisk = list.all(prefix, prefix + LAST).map((row) => row.key as string)
        const inMemory = [...memory.keys()].filter((key) => key.startsWith(prefix))
        return [...onDisk, ...inMemory].sort()
      }),
    write: (changes) => settle(() => write(changes)),
    destroy: () =>
      settle(() => {
        close()
        rmSync(directory, { recursive: true, force: true })
      }),
    close,
  }
}
