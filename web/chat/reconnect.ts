const FIRST_MS = 500
/** At first: who lost a server that is being restarted is back within moments of its return. */
const SOON_MS = 2_000
/** After so many tries that reached nobody, about half a minute, it will be longer. */
const MANY = 20
const MOST_MS = 30_000

/**
 * When to try again: twice as long after each failure, up to 2 s and later up to 30 s, and each
 * time half of that is by chance, so that ten thousand peers that lost one relay don't come back
 * in one wave.
 */
export class Backoff {
  readonly #random: () => number
  #failures = 0
  #unanswered = 0

  /** `random` gives numbers in [0, 1). */
  constructor(random: () => number) {
    this.#random = random
  }

  /**
   * Milliseconds to wait after one more failure. `answered`: there was a session, however short,
   * so the server is there.
   */
  next(answered: boolean): number {
    this.#unanswered = answered ? 0 : this.#unanswered + 1
    const later = SOON_MS * 2 ** Math.max(0, this.#unanswered - MANY)
    const ceiling = Math.min(FIRST_MS * 2 ** this.#failures, later, MOST_MS)
    this.#failures += 1
    // Never at once: half is certain, half is random.
    return Math.round(ceiling / 2 + (this.#random() * ceiling) / 2)
  }

  /** It worked. */
  reset(): void {
    this.#failures = 0
    this.#unanswered = 0
  }
}
