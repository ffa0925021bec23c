import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { type Bytes, concat, Reader, u32, u64 } from '../../web/protocol/bytes.ts'

/**
 * A second witness of how far the database got: store id[16] ‖ u64 commits ‖ u32 CRC-32, in a file
 * of its own, written over in place after each commit is on disk and not synced itself. So it is
 * never ahead of what was acknowledged, and after a killed process it is exactly there. SQLite
 * alone takes a damaged write-ahead log for one that simply ends earlier.
 */
export interface CommitMark {
  readonly id: Bytes
  readonly commits: number
}

const ID_LENGTH = 16
export const MARK = 'sotto.mark'

/** Undefined when there is none or it can't be read: then nothing can be said. */
export function readMark(dir: string): CommitMark | undefined {
  try {
    const reader = new Reader(readFileSync(join(dir, MARK)))
    const id = reader.take(ID_LENGTH)
    const commits = reader.u64()
    if (reader.u32() !== crc32(concat(id, u64(commits)))) return undefined
    return { id, commits }
  } catch {
    return undefined
  }
}

export class MarkFile {
  readonly #fd: number
  readonly #id: Bytes

  /** Makes the file where there is none. Throws the file system's error. */
  constructor(dir: string, id: Bytes) {
    this.#id = id
    this.#fd = openSync(join(dir, MARK), 'a+', 0o600)
    closeSync(this.#fd)
    this.#fd = openSync(join(dir, MARK), 'r+')
  }

  /** Never throws: without it less damage is noticed, but nothing is lost. */
  set(commits: number): void {
    const body = concat(this.#id, u64(commits))
    try {
      writeSync(this.#fd, concat(body, u32(crc32(body))), 0, undefined, 0)
    } catch {}
  }

  sync(): void {
    fsyncSync(this.#fd)
  }

  close(): void {
    closeSync(this.#fd)
  }
}
