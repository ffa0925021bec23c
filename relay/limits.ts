import type { OriginTag } from './origin.ts'

/** What the relay grants. Sizes in bytes, times in seconds. Every one has its own close code. */
export interface Limits {
  readonly connections: number
  readonly connectionsPerOrigin: number
  readonly framesPerSecond: number
  readonly frameBurst: number
  readonly bytesPerSecond: number
  readonly byteBurst: number
  /** Until a connection has sent its first frame. */
  readonly silence: number
  /** Without any frame from the tab. */
  readonly idle: number
  /** What may wait for one slow tab, … */
  readonly tabBuffer: number
  /** … for all tabs together, … */
  readonly allTabsBuffer: number
  /** … and for the endpoint. */
  readonly trunkBuffer: number
}

export const LIMITS: Limits = {
  connections: 20_000,
  connectionsPerOrigin: 2_000,
  framesPerSecond: 500,
  frameBurst: 2_000,
  bytesPerSecond: 2 ** 20,
  byteBurst: 8 * 2 ** 20,
  silence: 10,
  idle: 600,
  tabBuffer: 4 * 2 ** 20,
  allTabsBuffer: 256 * 2 ** 20,
  trunkBuffer: 16 * 2 ** 20,
}

/** What one connection may still send: two token buckets, for frames and for bytes. */
export class Allowance {
  #frames: number
  #bytes: number
  #at: number

  constructor(limits: Limits, now: number) {
    this.#frames = limits.frameBurst
    this.#bytes = limits.byteBurst
    this.#at = now
  }

  /** Takes one frame of `length` bytes at `now` (seconds). False: it is too much. */
  take(length: number, limits: Limits, now: number): boolean {
    const passed = now - this.#at
    if (passed > 0) {
      this.#at = now
      const { frameBurst, byteBurst } = limits
      this.#frames = Math.min(frameBurst, this.#frames + passed * limits.framesPerSecond)
      this.#bytes = Math.min(byteBurst, this.#bytes + passed * limits.bytesPerSecond)
    }
    this.#frames -= 1
    this.#bytes -= length
    return this.#frames >= 0 && this.#bytes >= 0
  }

  /** Whether the connection has lately sent more than half of what a burst may be. */
  heavy(limits: Limits): boolean {
    return this.#bytes < limits.byteBurst / 2 || this.#frames < limits.frameBurst / 2
  }
}

/** Counts connections, in total and per origin. */
export class Admission {
  readonly #limits: Limits
  #total = 0

  constructor(limits: Limits) {
    this.#limits = limits
  }

  get total(): number {
    return this.#total
  }

  /** Why one more from `origin` can't be taken, or undefined. Counts it in either case. */
  enter(origin: OriginTag): 'full' | 'full_for_origin' | undefined {
    this.#total += 1
    origin.connections += 1
    if (this.#total > this.#limits.connections) return 'full'
    if (origin.connections > this.#limits.connectionsPerOrigin) return 'full_for_origin'
    return undefined
  }

  leave(origin: OriginTag): void {
    this.#total -= 1
    origin.connections -= 1
  }
}
