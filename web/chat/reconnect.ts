const FIRST_MS = 500
const MOST_MS = 30_000

/**
 * When to try again: twice as long after each failure, up to 30 s, and each time a random part of
 * that, so that ten thousand peers that lost one relay don't come back in one wave (full jitter).
 */
export class Backoff {
  readonly #random: () => number
  #failures = 0

  /** `random` gives numbers in [0, 1). */
  constructor(random: () => number) {
    this.#random = random
  }

  /** Milliseconds to wait after one more failure. */
  next(): number {
    const ceiling = Math.min(MOST_MS, FIRST_MS * 2 ** this.#failures)
    this.#failures += 1
    // Never at once: half is certain, half is random.
    return Math.round(ceiling / 2 + (this.#random() * ceiling) / 2)
  }

  /** It worked. */
  reset(): void {
    this.#failures = 0
  }
}
