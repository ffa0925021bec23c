/** Pieces of work that are begun in one turn of the event loop. */
const A_TURN = 4

/**
 * Lets handshakes in a few at a time, with a look at everything else in between: when ten thousand
 * people come back at once, the thousands of first messages that one read of a trunk brings must
 * not keep those waiting who are in a session already.
 */
export class Turns {
  readonly #waiting: (() => void)[] = []
  #running = false

  /** Resolves when it is the caller's turn, in the order of the calls. */
  take(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#running) return
      this.#running = true
      setImmediate(() => this.#next())
    })
  }

  #next(): void {
    for (const go of this.#waiting.splice(0, A_TURN)) go()
    this.#running = this.#waiting.length > 0
    if (this.#running) setImmediate(() => this.#next())
  }
}
