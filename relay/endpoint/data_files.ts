import {
  chmodSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  openSync,
  readdirSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'

const KEY_FILE = /_key\.pem$/

export function syncFile(path: string): void {
  const fd = openSync(path, 'r+')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Copies the key files (mode 600) and returns their names. */
export function copyKeys(from: string, to: string): string[] {
  const keys = readdirSync(from).filter((name) => KEY_FILE.test(name))
  for (const name of keys) {
    const path = join(to, name)
    rmSync(path, { force: true })
    copyFileSync(join(from, name), path)
    chmodSync(path, 0o600)
    syncFile(path)
  }
  return keys
}
