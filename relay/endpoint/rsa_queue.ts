import { SottoError } from '../../web/protocol/errors.ts'

/**
 * RSA work, a few at a time (PROTOCOL.md, "From the first byte to a session"): a flood of handshakes
 * waits in a bounded line, and the sessions that live keep their share of the processor.
 */
export class RsaQueue {
  readonly #atOnce: number
  readonly #mostWaiting: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(atOnce: number, mostWaiting: number) {
    this.#atOnce = atOnce
    this.#mostWaiting = mostWaiting
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Throws SottoError `busy`, without running `work`, when too many wait already. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#atOnce) this.#running += 1
    else {
      if (this.#waiting.length >= this.#mostWaiting)
        throw new SottoError('busy', 'Too many handshakes at once.')
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
