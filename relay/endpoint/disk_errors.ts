import { SottoError } from '../../web/protocol/errors.ts'

/** SQLite's primary result codes (sqlite.org/rescode.html). */
const BUSY = 5
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const NOTADB = 26
/** There is no room for the index of the write-ahead log. */
const IOERR_SHMSIZE = 4874

const RESTORE = 'bring back a backup with "sotto restore"'
const ANOTHER_DATA = 'name another with --data'

/** SQLite's have an `errcode`, the file system's a `code`. */
type SystemError = Error & { readonly errcode?: number; readonly code?: string }

type Trouble = 'full' | 'failing' | 'no right' | 'busy' | 'damaged' | 'no directory' | 'other'

interface DiskError {
  /** What happened and what to do, for people. */
  readonly text: string
  /** Whether the store may come back without a person changing its files. */
  readonly passing: boolean
}

function troubleOf({ errcode = 0, code = '' }: SystemError): Trouble {
  if (errcode === IOERR_SHMSIZE) return 'full'
  switch (errcode & 0xff) {
    case FULL:
      return 'full'
    case IOERR:
      return 'failing'
    case READONLY:
    case CANTOPEN:
      return 'no right'
    case BUSY:
      return 'busy'
    case CORRUPT:
    case NOTADB:
      return 'damaged'
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'full'
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return 'no right'
  if (code === 'EEXIST' || code === 'ENOTDIR') return 'no directory'
  return 'other'
}

const saidBy = (error: unknown): string => (error as { message?: string }).message ?? String(error)

/** What an error of SQLite or of the file system means for people while the endpoint runs. */
export function explainDiskError(error: unknown): DiskError {
  if (error instanceof SottoError) return { text: error.message, passing: false }
  const said = saidBy(error)
  switch (troubleOf(error as SystemError)) {
    case 'full':
      return {
        text: "The endpoint's disk is full. Nothing is taken until there is space again; then it goes on by itself.",
        passing: true,
      }
    case 'failing':
      return {
        text: `The endpoint's disk fails (${said}). Nothing is taken until it works again; look at the disk and the system's log.`,
        passing: true,
      }
    case 'no right':
      return {
        text: `The endpoint can't write in its data directory (${said}). Give its user the right to write there, or name another one with SOTTO_DATA.`,
        passing: true,
      }
    case 'busy':
      return {
        text: "Another program holds the endpoint's database. End it; the endpoint then goes on by itself.",
        passing: true,
      }
    case 'damaged':
      return {
        text: `The endpoint's database is damaged (${said}). Keep a copy of the data directory, then ${RESTORE}.`,
        passing: false,
      }
    default:
      return {
        text: `The endpoint's store failed (${said}). Restart the endpoint.`,
        passing: false,
      }
  }
}

/**
 * The same for who has given a command that ends with it: `sotto endpoint` at its start among them.
 * `another` says how to do without `path`.
 */
export function explainToCommand(error: unknown, path: string, another = ANOTHER_DATA): string {
  if (error instanceof SottoError) return error.message
  const said = saidBy(error)
  switch (troubleOf(error as SystemError)) {
    case 'full':
      return `There is no room on the disk of ${path}. Make room and run this again.`
    case 'failing':
      return `The disk of ${path} fails (${said}). Look at the disk and the system's log.`
    case 'no right':
      return `${path} can't be opened or written (${said}). Give this user the right to it, or ${another}.`
    case 'busy':
      return `Another program holds the database in ${path}. End it and run this again.`
    case 'damaged':
      return `The database in ${path} is damaged (${said}). Keep a copy of the directory, then ${RESTORE}.`
    case 'no directory':
      return `${(error as { path?: string }).path ?? path} is no directory: ${another}.`
    case 'other':
      return `${path} can't be used (${said}).`
  }
}

/** An error of the disk for who has given a command; see {@link explainToCommand}. */
export function unusable(cause: unknown, path: string, another = ANOTHER_DATA): SottoError {
  if (cause instanceof SottoError) return cause
  return new SottoError('unavailable', explainToCommand(cause, path, another), { cause })
}

/** An error of the disk as the running store's callers get it. */
export function unavailable(cause: unknown): SottoError {
  if (cause instanceof SottoError) return cause
  return new SottoError('unavailable', explainDiskError(cause).text, { cause })
}
