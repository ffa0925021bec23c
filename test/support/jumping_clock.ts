import type { Clock } from '../../web/chat/clock.ts'

interface Alarm {
  readonly at: number
  readonly work: () => void
  timer: NodeJS.Timeout
}

/**
 * A device's clock that a test can move: `sleep` lets time pass at once, as when a lid was closed
 * (everything that is due by then happens now), and `set` moves only the time of day.
 */
export class JumpingClock implements Clock {
  readonly #alarms = new Set<Alarm>()
  #armed = Promise.withResolvers<void>()
  #dead = false
  #slept = 0
  #shift = 0

  now(): number {
    return Date.now() + this.#slept + this.#shift
  }

  steady(): number {
    return performance.now() + this.#slept
  }

  after(ms: number, work: () => void): () => void {
    if (this.#dead) return () => undefined
    const alarm = { at: this.steady() + ms, work, timer: setTimeout(() => undefined, 0) }
    this.#alarms.add(alarm)
    this.#arm(alarm)
    this.#told()
    return () => {
      clearTimeout(alarm.timer)
      this.#alarms.delete(alarm)
    }
  }

  /** Milliseconds that were slept through so far. */
  get slept(): number {
    return this.#slept
  }

  /**
   * Resolves when somebody sets an alarm, as who looks again and again does after each look; or when
   * nobody will any more.
   */
  get armed(): Promise<void> {
    return this.#armed.promise
  }

  /** The time of day is off by `ms` from now on. */
  set(ms: number): void {
    this.#shift = ms
  }

  /** The process dies: nothing rings any more. The next one's clock shows the same time. */
  handOver(): JumpingClock {
    const next = new JumpingClock()
    next.#slept = this.#slept
    next.#shift = this.#shift
    this.#dead = true
    for (const { timer } of this.#alarms) clearTimeout(timer)
    this.#alarms.clear()
    this.#told()
    return next
  }

  sleep(ms: number): void {
    this.#slept += ms
    const due = [...this.#alarms].sort((a, b) => a.at - b.at)
    for (const alarm of due) this.#arm(alarm)
  }

  #told(): void {
    this.#armed.resolve()
    this.#armed = Promise.withResolvers()
  }

  #arm(alarm: Alarm): void {
    clearTimeout(alarm.timer)
    const ring = (): void => {
      if (this.#alarms.delete(alarm)) alarm.work()
    }
    alarm.timer = setTimeout(ring, Math.max(0, alarm.at - this.steady()))
  }
}
