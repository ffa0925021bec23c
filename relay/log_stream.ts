import { write, writeSync } from 'node:fs'

const STANDARD_ERROR = 2
/** A log that nobody reads must not fill the memory: past this (UTF-16 units), lines are dropped. */
const MOST_WAITING = 4 * 1024 * 1024
/** Bytes that are written at once. */
const MOST_WRITTEN = 64 * 1024
/** A reader that is busy is left alone so long, and at the end gets this much time in all. */
const PAUSE_MS = 50
const MOST_FLUSHING_MS = 1_000

/**
 * Standard error for pino. Its own destination tries for ever to get rid of the last lines
 * when their reader is gone, so that the process never ends.
 */
export class LogStream {
  #lines: string[] = []
  #length = 0
  /** Of the lines that are being written, what is left. */
  #rest: Buffer = Buffer.alloc(0)
  /** A write is under way or will be. */
  #writing = false
  /** Nobody reads it any more: there is nobody to tell. */
  #gone = false

  write(line: string): void {
    if (this.#gone || this.#length > MOST_WAITING) return
    this.#lines.push(line)
    this.#length += line.length
    if (this.#writing) return
    this.#writing = true
    // What is said in the last moment of a process is still here then, for flush().
    setImmediate(() => this.#next())
  }

  /** Writes what is still waiting, for the last moment of a process. */
  flush(): void {
    const until = performance.now() + MOST_FLUSHING_MS
    while (this.#take() > 0 && performance.now() < until)
      try {
        this.#rest = this.#rest.subarray(writeSync(STANDARD_ERROR, this.#rest))
      } catch (error) {
        if (!isBusy(error)) return
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
      }
  }

  #next(): void {
    if (this.#take() === 0) {
      this.#writing = false
      return
    }
    const part = this.#rest.subarray(0, MOST_WRITTEN)
    // While it is under way it is not flush() who writes it.
    this.#rest = this.#rest.subarray(part.length)
    write(STANDARD_ERROR, part, (error, written) => {
      const left = part.subarray(error === null ? written : 0)
      this.#rest = Buffer.concat([left, this.#rest])
      if (error === null) this.#next()
      else if (isBusy(error)) setTimeout(() => this.#next(), PAUSE_MS)
      else {
        this.#gone = true
        this.#rest = Buffer.alloc(0)
        this.#lines = []
      }
    })
  }

  /** Turns waiting lines into bytes once those before them are written. Says how many there are. */
  #take(): number {
    if (this.#rest.length === 0 && this.#lines.length > 0) {
      this.#rest = Buffer.from(this.#lines.join(''))
      this.#lines = []
      this.#length = 0
    }
    return this.#rest.length
  }
}

function isBusy(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN'
}
