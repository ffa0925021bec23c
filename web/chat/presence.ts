import type { Clock } from './clock.ts'

/** Whoever is back within this time (ms) was never away: reloading takes less, and so does a restart. */
const GRACE_MS = 30_000

/** Who came and who went, as lines for people to read. */
export class Presence {
  readonly #clock: Clock
  readonly #say: (line: string) => void
  /** Who is here as far as the lines say. */
  readonly #here = new Set<string>()
  /** Who went a moment ago, with what takes the line about it back. */
  readonly #going = new Map<string, () => void>()
  /** What is told after the end of a session is no news. */
  #live = false

  constructor(clock: Clock, say: (line: string) => void) {
    this.#clock = clock
    this.#say = say
  }

  /** A session begins, with these people: nobody comes or goes by that. */
  begin(online: ReadonlySet<string>): void {
    this.#live = true
    for (const user of this.#here) if (!online.has(user)) this.#later(user, '')
    for (const user of online) this.#here.add(user)
  }

  came(user: string, isNew: boolean): void {
    this.#going.get(user)?.()
    this.#going.delete(user)
    if (!this.#live || this.#here.has(user)) return
    this.#here.add(user)
    this.#say(isNew ? `${user} joined` : `${user} is online`)
  }

  /** They stay a member of the lobby and can read it when they are back. */
  went(user: string): void {
    if (this.#live && !this.#going.has(user)) this.#later(user, `${user} is offline`)
  }

  /** The session is over: nobody knows who goes. */
  end(): void {
    this.#live = false
    for (const cancel of this.#going.values()) cancel()
    this.#going.clear()
  }

  #later(user: string, line: string): void {
    const gone = () => {
      this.#going.delete(user)
      this.#here.delete(user)
      if (line !== '') this.#say(line)
    }
    this.#going.set(user, this.#clock.after(GRACE_MS, gone))
  }
}
