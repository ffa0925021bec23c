import type { Limits } from './limits.ts'

/**
 * Bytes that may be published between two looks at every connection's buffer: `publish` does not
 * say whose buffer it filled. uWebSockets gets this much more than the limit as its own bound.
 */
export const LOOK_AGAIN = 2 ** 20
/** Seconds for which a connection that was told to go may still hold what waits for it. */
const LINGER = 10

interface Buffered {
  getBufferedAmount(): number
}

/**
 * Keeps the memory that slow tabs take within its bound. What was handed over is counted as if all
 * of it had to wait; only when that could reach a limit, every buffer is looked at.
 */
export class SlowTabs {
  readonly #limits: Limits
  readonly #now: () => number
  /** The most that one buffer, and all together, may have grown since the last look. */
  #oneGrew = 0
  #allGrew = 0
  #lingering: { until: number; bytes: number }[] = []

  constructor(limits: Limits, now: () => number) {
    this.#limits = limits
    this.#now = now
  }

  /** `bytes` were handed over to each of `receivers`. */
  queued(bytes: number, receivers: number): void {
    this.#oneGrew += bytes
    this.#allGrew += bytes * receivers
  }

  /** Whether it is time for {@link SlowTabs.choose}. */
  get due(): boolean {
    return this.#oneGrew > LOOK_AGAIN / 2 || this.#allGrew > this.#limits.allTabsBuffer / 8
  }

  /**
   * Who has to go: each whose buffer is over its limit, and the fullest when all together take more
   * than three quarters of theirs. `hard` when there is no room left to wait for a farewell: a
   * quarter is for those, or what lingers would drive out who reads.
   */
  choose<T extends Buffered>(all: Iterable<T>): { ws: T; hard: boolean }[] {
    this.#oneGrew = this.#allGrew = 0
    const { tabBuffer, allTabsBuffer } = this.#limits
    const waiting: { ws: T; bytes: number }[] = []
    let lingering = this.#stillLingering()
    let total = lingering
    for (const ws of all) {
      const bytes = ws.getBufferedAmount()
      if (bytes === 0) continue
      total += bytes
      waiting.push({ ws, bytes })
    }
    const crowded = total > 0.75 * allTabsBuffer
    if (crowded) waiting.sort((a, b) => b.bytes - a.bytes)
    const chosen: { ws: T; hard: boolean }[] = []
    for (const { ws, bytes } of waiting) {
      const fullest = crowded && total > 0.5 * allTabsBuffer
      if (!fullest && bytes <= tabBuffer) continue
      const hard = fullest || lingering + bytes > 0.25 * allTabsBuffer
      if (hard) total -= bytes
      else {
        lingering += bytes
        this.#lingering.push({ until: this.#now() + LINGER, bytes })
      }
      chosen.push({ ws, hard })
    }
    return chosen
  }

  #stillLingering(): number {
    const now = this.#now()
    this.#lingering = this.#lingering.filter(({ until }) => until > now)
    return this.#lingering.reduce((sum, { bytes }) => sum + bytes, 0)
  }
}
