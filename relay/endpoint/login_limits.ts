/** How often passwords may be tried, and how slowly they are answered (THREATS D1). */
const MINUTE = 60_000
const ACCOUNT_TRIES = 5
const ACCOUNT_WINDOW = 15 * MINUTE
const ORIGIN_TRIES = 50
const ORIGIN_WINDOW = 60 * MINUTE

/** A failure is answered after 0.25 s, and each further one of the account twice as late, up to 8 s. */
const FIRST_DELAY = 250
const LONGEST_DELAY = 8000

/**
 * What is remembered: about 100 bytes for an account, 500 for an origin, so 7 MB at most. Beyond
 * it the one that was tried longest ago is forgotten.
 */
const MOST_ACCOUNTS = 20_000
const MOST_ORIGINS = 10_000
/** Answers that are held back at once; beyond it they go out early, having tried nothing. */
const MOST_DELAYED = 1000

export type Attempt =
  | { readonly ok: true }
  /** `retryAfter`: milliseconds until another try is taken. */
  | { readonly ok: false; readonly retryAfter: number }

export class LoginLimits {
  readonly #accounts: Tries
  readonly #origins: Tries
  readonly #now: () => number
  readonly #sleep: (ms: number) => Promise<void>
  #delayed = 0

  /** `now` in milliseconds, by a clock that only goes forward; `sleep` for tests. */
  constructor(now: () => number, sleep: (ms: number) => Promise<void> = wait) {
    this.#now = now
    this.#sleep = sleep
    this.#accounts = new Tries(ACCOUNT_TRIES, ACCOUNT_WINDOW, MOST_ACCOUNTS)
    this.#origins = new Tries(ORIGIN_TRIES, ORIGIN_WINDOW, MOST_ORIGINS)
  }

  /**
   * One try. It is counted before `check` runs, so that many at once are no way around; a right
   * password is taken out of the count again. When the account (or the server password, under the
   * name that is tried) or the origin has no try left, `check` does not run and the answer is the
   * same, only later.
   */
  async attempt(account: string, origin: string, check: () => Promise<boolean>): Promise<Attempt> {
    const now = this.#now()
    const allowed = this.#accounts.left(account, now) > 0 && this.#origins.left(origin, now) > 0
    if (allowed) {
      this.#accounts.add(account, now)
      this.#origins.add(origin, now)
      const tried = this.#accounts.count(account, now)
      const right = await check().catch((error) => {
        // Nobody has looked at the password: that was no try.
        this.#accounts.takeBack(account, now)
        this.#origins.takeBack(origin, now)
        throw error
      })
      if (right) {
        this.#accounts.forget(account)
        this.#origins.takeBack(origin, now)
        return { ok: true }
      }
      await this.#holdBack(Math.min(FIRST_DELAY * 2 ** (tried - 1), LONGEST_DELAY))
    } else await this.#holdBack(LONGEST_DELAY)
    const later = this.#now()
    const retryAfter = Math.max(
      this.#accounts.nextIn(account, later),
      this.#origins.nextIn(origin, later),
    )
    return { ok: false, retryAfter }
  }

  async #holdBack(ms: number): Promise<void> {
    if (this.#delayed >= MOST_DELAYED) return
    this.#delayed += 1
    try {
      await this.#sleep(ms)
    } finally {
      this.#delayed -= 1
    }
  }
}

/** The times of the last tries by name, the name that was tried longest ago first. */
class Tries {
  readonly #most: number
  readonly #window: number
  readonly #mostNames: number
  readonly #times = new Map<string, number[]>()

  constructor(most: number, window: number, mostNames: number) {
    this.#most = most
    this.#window = window
    this.#mostNames = mostNames
  }

  count(name: string, now: number): number {
    return this.#recent(name, now).length
  }

  left(name: string, now: number): number {
    return this.#most - this.count(name, now)
  }

  add(name: string, now: number): void {
    const times = [...this.#recent(name, now), now]
    this.#times.delete(name)
    this.#times.set(name, times)
    if (this.#times.size <= this.#mostNames) return
    const [oldest] = this.#times.keys()
    if (oldest !== undefined) this.#times.delete(oldest)
  }

  /** One try, made at `at`, was none. */
  takeBack(name: string, at: number): void {
    const times = this.#times.get(name) ?? []
    const index = times.indexOf(at)
    if (index >= 0) times.splice(index, 1)
    if (times.length === 0) this.#times.delete(name)
  }

  forget(name: string): void {
    this.#times.delete(name)
  }

  /** Milliseconds until a try is left; 0 when there is one. */
  nextIn(name: string, now: number): number {
    const recent = this.#recent(name, now)
    const first = recent[recent.length - this.#most]
    return first === undefined ? 0 : first + this.#window - now
  }

  #recent(name: string, now: number): number[] {
    return (this.#times.get(name) ?? []).filter((at) => now - at < this.#window)
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
