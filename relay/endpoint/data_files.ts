import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'

const KEY_FILE = /_key\.pem$/
/** What a copy is called until it is whole; SQLite has its own beside a database. */
const UNFINISHED = '.part'
const UNFINISHED_FILE = /^(?:sotto\.db|.*_key\.pem)\.part(?:-journal|-wal|-shm)?$/

export const unfinished = (path: string): string => `${path}${UNFINISHED}`

/**
 * Makes files that are there already their owner's alone. Where that is not allowed (somebody
 * else's file, a file system without modes) they stay as they are: keys are refused there anyway.
 */
export function makePrivate(dir: string, ...names: readonly string[]): void {
  for (const name of names)
    try {
      chmodSync(join(dir, name), 0o600)
    } catch {}
}

/** Removes what a copy that failed has left in a directory. */
export function removeUnfinished(dir: string): void {
  if (!existsSync(dir)) return
  for (const name of readdirSync(dir))
    if (UNFINISHED_FILE.test(name)) rmSync(join(dir, name), { force: true })
}

export function syncFile(path: string): void {
  const fd = openSync(path, 'r+')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function keysIn(dir: string): string[] {
  return readdirSync(dir).filter((name) => KEY_FILE.test(name))
}

/** Copies the key files (mode 600) beside where {@link placeKeys} puts them, and names them. */
export function prepareKeys(from: string, to: string): string[] {
  const keys = keysIn(from)
  for (const name of keys) {
    const path = unfinished(join(to, name))
    copyFileSync(join(from, name), path)
    chmodSync(path, 0o600)
    syncFile(path)
  }
  return keys
}

export function placeKeys(dir: string, keys: readonly string[]): void {
  for (const name of keys) renameSync(unfinished(join(dir, name)), join(dir, name))
}

/** Key files of `from` that are other ones in `to`. */
export function otherKeys(from: string, to: string): string[] {
  return keysIn(from).filter((name) => {
    const there = join(to, name)
    return existsSync(there) && !readFileSync(there).equals(readFileSync(join(from, name)))
  })
}
