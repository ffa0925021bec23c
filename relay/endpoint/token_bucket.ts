/** So many at once, then so many a second. Times are seconds of a monotonic clock. */
export interface Rate {
  readonly burst: number
  readonly perSecond: number
}

export class TokenBucket {
  #tokens: number
  #at: number

  constructor(rate: Rate, now: number) {
    this.#tokens = rate.burst
    this.#at = now
  }

  /** Takes one. Returns 0, or the seconds after which one would be there. */
  take(rate: Rate, now: number): number {
    this.#fill(rate, now)
    if (this.#tokens < 1) return (1 - this.#tokens) / rate.perSecond
    this.#tokens -= 1
    return 0
  }

  full(rate: Rate, now: number): boolean {
    this.#fill(rate, now)
    return this.#tokens >= rate.burst
  }

  #fill(rate: Rate, now: number): void {
    const passed = Math.max(0, now - this.#at)
    this.#at = now
    this.#tokens = Math.min(rate.burst, this.#tokens + passed * rate.perSecond)
  }
}

const FIRST_SWEEP = 1024

/** One bucket per key; those that are full again are forgotten, so the table stays bounded. */
export class TokenBuckets {
  readonly #rate: Rate
  readonly #now: () => number
  readonly #buckets = new Map<string, TokenBucket>()
  #sweepAt = FIRST_SWEEP

  /** `now`: seconds of a monotonic clock. */
  constructor(rate: Rate, now: () => number) {
    this.#rate = rate
    this.#now = now
  }

  /** Takes one from `key`'s bucket. Returns 0, or the seconds until one is there. */
  take(key: string): number {
    const now = this.#now()
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      this.#sweep(now)
      bucket = new TokenBucket(this.#rate, now)
      this.#buckets.set(key, bucket)
    }
    return bucket.take(this.#rate, now)
  }

  get size(): number {
    return this.#buckets.size
  }

  #sweep(now: number): void {
    if (this.#buckets.size < this.#sweepAt) return
    for (const [key, bucket] of this.#buckets)
      if (bucket.full(this.#rate, now)) this.#buckets.delete(key)
    this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#buckets.size)
  }
}
