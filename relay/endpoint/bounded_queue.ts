import { SottoError } from '../../web/protocol/errors.ts'

/**
 * Costly work, a few pieces at a time: a flood of it waits in a bounded line, and the sessions that
 * live keep their share of the processor.
 */
export class BoundedQueue {
  readonly #atOnce: number
  readonly #mostWaiting: number
  readonly #busy: string
  readonly #waiting: (() => void)[] = []
  #running = 0

  /** `busy`: what is said, to people, when too many wait already. */
  constructor(atOnce: number, mostWaiting: number, busy: string) {
    this.#atOnce = atOnce
    this.#mostWaiting = mostWaiting
    this.#busy = busy
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Throws SottoError `busy`, without running `work`, when too many wait already. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#atOnce) this.#running += 1
    else {
      if (this.#waiting.length >= this.#mostWaiting) throw new SottoError('busy', this.#busy)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    try {
      return await work()
    } finally {
      // The place passes to the next in line, or becomes free.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running -= 1
      else next()
    }
  }
}
