const HOUR = 3_600_000
const DAY = 24 * HOUR

/** A step of the system's clock that is followed at once. */
const SMALL_STEP = DAY
/** How long a larger step has to last before it is believed. */
const LASTING = DAY
/** How long an endpoint may have been off for its clock to be believed at once. */
const LONGEST_OFF = 30 * DAY

/**
 * The time by which the store deletes. The system's clock may jump, and what a wrong clock deletes
 * is gone; so this one never goes backwards, follows small steps at once, and a larger step only
 * when it has lasted a day by a steady clock. After more than thirty days without a commit it goes
 * on from the last one in the same way. At worst something is kept longer than it should be.
 */
export class BelievedClock {
  readonly #wall: () => number
  readonly #steady: () => number
  /** Believed time and steady time of the last look. */
  #believed: number
  #looked: number
  /** When the system's clock was first seen to be elsewhere, in steady time. */
  #doubtedSince: number | undefined

  /** `last` is the believed time of the store's last commit, 0 for none. */
  constructor(wall: () => number, steady: () => number, last: number) {
    this.#wall = wall
    this.#steady = steady
    this.#looked = steady()
    const now = wall()
    const off = now - last
    this.#believed = last === 0 || (off >= 0 && off <= LONGEST_OFF) ? now : last
  }

  /** Milliseconds since 1970, whole. */
  now(): number {
    const steady = this.#steady()
    const expected = this.#believed + (steady - this.#looked)
    this.#looked = steady
    const wall = this.#wall()
    if (this.#followed(wall - expected, steady)) this.#believed = Math.max(this.#believed, wall)
    else this.#believed = expected
    return Math.floor(this.#believed)
  }

  #followed(step: number, steady: number): boolean {
    if (Math.abs(step) <= SMALL_STEP) {
      this.#doubtedSince = undefined
      return true
    }
    this.#doubtedSince ??= steady
    return steady - this.#doubtedSince >= LASTING
  }
}
