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
  /** What a tab may be given of casts beyond what it has answered for: a new one, … */
  readonly tabWindow: number
  /** … and one that has answered often. */
  readonly tabWindowMost: number
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
  tabWindow: 2 ** 16,
  tabWindowMost: 2 ** 20,
  tabBuffer: 4 * 2 ** 20,
  allTabsBuffer: 256 * 2 ** 20,
  trunkBuffer: 16 * 2 ** 20,
}

/**
 * What one connection may still send: two token buckets, for frames and for bytes, refilled by the
 * second. Whole numbers in the connection's own object: each byte of it counts 10,000 times.
 */
export interface Allowance {
  framesLeft: number
  bytesLeft: number
  refilled: number
}

/** Takes one frame of `length` bytes in this `second`. False: it is too much. */
export function take(from: Allowance, length: number, limits: Limits, second: number): boolean {
  const passed = second - from.refilled
  if (passed > 0) {
    from.refilled = second
    from.framesLeft = Math.min(limits.frameBurst, from.framesLeft + passed * limits.framesPerSecond)
    from.bytesLeft = Math.min(limits.byteBurst, from.bytesLeft + passed * limits.bytesPerSecond)
  }
  from.framesLeft -= 1
  from.bytesLeft -= length
  return from.framesLeft >= 0 && from.bytesLeft >= 0
}

/** Whether the connection has lately sent more than half of what a burst may be. */
export function isHeavy(from: Allowance, limits: Limits): boolean {
  return from.bytesLeft < limits.byteBurst / 2 || from.framesLeft < limits.frameBurst / 2
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
