/** Directories and files that only their own user can read: above all, keys. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { SottoError } from '../web/protocol/errors.ts'

const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600
const OTHERS = 0o077

/**
 * Makes the directory and those above it that are missing (mode 700); one that is there stays as it
 * is. Throws the file system's error. Not by mkdir's own `recursive`: Node tries for ever where a
 * directory can't be made though the one above it is there, as in /proc.
 */
export function makeDirectory(path: string): void {
  const above = dirname(path)
  if (above !== path && !existsSync(above)) makeDirectory(above)
  try {
    mkdirSync(path, { mode: DIRECTORY_MODE })
  } catch (error) {
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error
  }
}

/**
 * The text of a file, or undefined when there is none. Throws SottoError `bad_key` when others can
 * read it, and the file system's error.
 */
export function readPrivate(path: string): string | undefined {
  try {
    const { mode } = statSync(path)
    if ((mode & OTHERS) !== 0)
      throw new SottoError(
        'bad_key',
        `Others can read ${path} (mode ${(mode & 0o777).toString(8)}). Make it yours alone: chmod 600 ${path}`,
      )
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Writes a new file (mode 600), whole and synced before it has its name: a key that was told to
 * people must not be lost, and half of one must not stand in the way of the next start.
 */
export function writePrivate(path: string, text: string): void {
  const part = `${path}.part`
  rmSync(part, { force: true })
  writeFileSync(part, text, { mode: FILE_MODE, flag: 'wx', flush: true })
  renameSync(part, path)
  syncDirectory(dirname(path))
}

/** A new file is there after a power loss only when its directory was synced too. */
export function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Why the key in `path` can't be used, with what to do. `lost`: what to do when it is damaged. */
export function unusableKey(path: string, cause: unknown, lost: string): SottoError {
  const { code, message } = cause as Partial<SottoError>
  if (code === 'bad_passphrase')
    return new SottoError(
      'bad_key',
      `${path} is encrypted, and nothing here asks for a passphrase. Make a copy without one, and put it in its place: openssl pkey -in ${path} -out ${path}.clear`,
    )
  return new SottoError('bad_key', `${path} can’t be used. ${message ?? ''} ${lost}`)
}
