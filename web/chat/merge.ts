import type { Bytes } from '../protocol/bytes.ts'

/** One place of a room's log as casts and fetches bring it. */
export interface LogEntry {
  readonly seq: number
  readonly chain: Bytes
  readonly mls: Bytes
}

/** Entries that wait for a gap before them to be filled; more are dropped and fetched later. */
const MOST_WAITING = 1_000

/**
 * Brings entries that come twice, late or in any order into the log's order. It knows numbers
 * only: whether an entry belongs there is decided by its chain value when its turn comes.
 */
export class Merge {
  readonly #waiting = new Map<number, LogEntry>()
  #head = 0

  /** The highest sequence number that anything has spoken of. */
  get head(): number {
    return this.#head
  }

  /** Somebody says that the log goes at least this far. */
  hear(seq: number): void {
    this.#head = Math.max(this.#head, seq)
  }

  /** Takes one entry, unless it stands at or before `cursor` or has come already. */
  offer(entry: LogEntry, cursor: number): void {
    this.hear(entry.seq)
    if (entry.seq <= cursor || this.#waiting.has(entry.seq)) return
    if (this.#waiting.size >= MOST_WAITING) this.#forget(cursor)
    if (this.#waiting.size < MOST_WAITING || entry.seq === cursor + 1)
      this.#waiting.set(entry.seq, entry)
  }

  /** Removes and returns up to `most` entries that follow `cursor` without a gap. */
  take(cursor: number, most: number): LogEntry[] {
    const run: LogEntry[] = []
    for (let seq = cursor + 1; run.length < most; seq++) {
      const entry = this.#waiting.get(seq)
      if (entry === undefined) break
      run.push(entry)
      this.#waiting.delete(seq)
    }
    return run
  }

  /** The cursor may pass entries that nobody took: by joining anew, or where none are kept. */
  #forget(cursor: number): void {
    for (const seq of this.#waiting.keys()) if (seq <= cursor) this.#waiting.delete(seq)
  }

  /** Whether the entry after `cursor` is here. */
  ready(cursor: number): boolean {
    return this.#waiting.has(cursor + 1)
  }

  /** Forgets everything: another connection tells its own heads. */
  clear(): void {
    this.#waiting.clear()
    this.#head = 0
  }
}
