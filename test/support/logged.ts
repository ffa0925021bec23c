import { pino } from 'pino'

/** What the endpoint has logged, and what waits for more of it. */
export class Logged {
  readonly log = pino({ level: 'info' }, { write: (line: string) => this.#take(line) })
  readonly #lines: Record<string, unknown>[] = []
  readonly #looks = new Set<() => void>()

  #take(line: string): void {
    this.#lines.push(JSON.parse(line))
    for (const look of this.#looks) look()
  }

  /** Why the sessions of `user` ended, in order. */
  ends(user: string): unknown[] {
    const of = (line: Record<string, unknown>) =>
      line.event === 'session_over' && line.user === user
    return this.#lines.filter(of).map(({ reason }) => reason)
  }

  /** Resolves once `count` more handshakes have failed. */
  failures(count: number): Promise<void> {
    const failed = () => this.#lines.filter(({ event }) => event === 'handshake_failed').length
    const wanted = failed() + count
    return this.#until(() => failed() >= wanted)
  }

  /** Resolves once so many sessions of `user` have ended. */
  over(user: string, count: number): Promise<void> {
    return this.#until(() => this.ends(user).length >= count)
  }

  #until(so: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!so()) return
        this.#looks.delete(look)
        resolve()
      }
      this.#looks.add(look)
      look()
    })
  }
}
