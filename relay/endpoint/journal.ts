import type { Log } from '../log.ts'
import { Refused } from './refusal.ts'
import type { Wire } from './wire.ts'

/** Lines about strangers in one second; what goes beyond is counted. */
const STRANGERS_PER_SECOND = 20
const SECOND = 1_000

/**
 * What the endpoint's log says of connections and sessions: who, by which account, how long, and
 * why it ended. A flood of strangers fills no disk: past a few lines a second it is counted only.
 */
export class Journal {
  readonly #log: Log
  readonly #timer: NodeJS.Timeout
  #lines = 0
  #uncounted = new Map<string, number>()

  constructor(log: Log) {
    this.#log = log
    this.#timer = setInterval(() => this.#summarise(), SECOND).unref()
  }

  /** A handshake has come to its end. */
  session(wire: Wire, user: string, mode: string, status: string, ms: number): void {
    const { name, origin } = wire
    this.#log.info(
      { event: 'handshake', connection: name, origin, user, mode, status, ms: Math.round(ms) },
      'handshake done',
    )
  }

  /** A connection has ended before it was a session. Why a check failed is never told. */
  unfinished({ name, origin }: Wire, reason: string): void {
    this.#lines += 1
    if (this.#lines > STRANGERS_PER_SECOND) {
      this.#uncounted.set(reason, (this.#uncounted.get(reason) ?? 0) + 1)
      return
    }
    this.#log.info(
      { event: 'handshake_failed', connection: name, origin, reason },
      'no session came of a connection',
    )
  }

  letIn(user: string, op: string): void {
    this.#log.info({ event: op, user }, op === 'register' ? 'registered' : 'logged in')
  }

  turnedAway(user: string, op: string, error: unknown): void {
    const reason = error instanceof Refused ? error.code : 'fault'
    this.#log.warn({ event: `${op}_refused`, user, reason }, 'not let in')
  }

  passwordSet(user: string, set: boolean): void {
    this.#log.info({ event: 'password', user, set }, 'account password changed')
  }

  ended({ name }: Wire, user: string, reason: string, ms: number): void {
    this.#log.info(
      { event: 'session_over', connection: name, user, reason, seconds: Math.round(ms / SECOND) },
      'session over',
    )
  }

  /** A request failed by our own fault. Its name and the error's, never what it carried. */
  fault(op: string, error: unknown): void {
    const { name, message, stack } = error instanceof Error ? error : new Error('unknown')
    this.#log.error({ event: 'fault', op, name, text: message, stack }, 'a request failed')
  }

  close(): void {
    clearInterval(this.#timer)
    this.#summarise()
  }

  #summarise(): void {
    this.#lines = 0
    if (this.#uncounted.size === 0) return
    this.#log.warn(
      { event: 'handshakes_failed', reasons: Object.fromEntries(this.#uncounted) },
      'many connections came to nothing',
    )
    this.#uncounted = new Map()
  }
}
