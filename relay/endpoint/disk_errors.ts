import { SottoError } from '../../web/protocol/errors.ts'

/** SQLite's primary result codes (sqlite.org/rescode.html). */
const BUSY = 5
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const NOTADB = 26

const RESTORE = 'bring back a backup with "sotto restore"'

interface DiskError {
  /** What happened and what to do, for people. */
  readonly text: string
  /** Whether the store may come back without a person changing its files. */
  readonly passing: boolean
}

/** What an error of SQLite or of the file system means for people. */
export function explainDiskError(error: unknown): DiskError {
  if (error instanceof SottoError) return { text: error.message, passing: false }
  const { errcode, code, message } = error as { errcode?: number; code?: string; message?: string }
  const said = message ?? String(error)
  switch ((errcode ?? 0) & 0xff) {
    case FULL:
      return full()
    case IOERR:
      return {
        text: `The endpoint's disk fails (${said}). Nothing is taken until it works again; look at the disk and the system's log.`,
        passing: true,
      }
    case READONLY:
    case CANTOPEN:
      return unwritable(said)
    case BUSY:
      return {
        text: "Another program holds the endpoint's database. End it; the endpoint then goes on by itself.",
        passing: true,
      }
    case CORRUPT:
    case NOTADB:
      return {
        text: `The endpoint's database is damaged (${said}). Keep a copy of the data directory, then ${RESTORE}.`,
        passing: false,
      }
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') return full()
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return unwritable(said)
  return { text: `The endpoint's store failed (${said}). Restart the endpoint.`, passing: false }
}

function full(): DiskError {
  return {
    text: "The endpoint's disk is full. Nothing is taken until there is space again; then it goes on by itself.",
    passing: true,
  }
}

function unwritable(said: string): DiskError {
  return {
    text: `The endpoint can't write in its data directory (${said}). Give its user the right to write there, or name another one with SOTTO_DATA.`,
    passing: true,
  }
}

/** An error of the disk as the store's callers get it. */
export function unavailable(cause: unknown): SottoError {
  if (cause instanceof SottoError) return cause
  return new SottoError('unavailable', explainDiskError(cause).text, { cause })
}
