import type { Clock } from './clock.ts'

/** After a fault of this device's own, such as a full disk, a room rests for so long. */
const FAULT_MS = 5_000

/** What is to be done on this side once the endpoint has answered. */
export type Then = () => Promise<void>

export interface LoopHandlers {
  /** Does one thing; false when there is nothing to do at once. */
  step(): Promise<boolean>
  /** Something was done. */
  changed(): void
  /** A request came to nothing in a way that its own code does not handle. */
  failed(work: string, error: unknown): Promise<void>
  /** A fault on this side, such as a full disk: nothing was written. It is tried again later. */
  stumbled(error: unknown): void
}

/**
 * Everything that changes a room's state is done by one loop, one step at a time. Requests run
 * beside it and hand their results back to it; what the person asks for goes through it too.
 */
export class RoomLoop {
  readonly #clock: Clock
  readonly #handlers: LoopHandlers
  readonly #busy = new Set<string>()
  readonly #pausedUntil = new Map<string, number>()
  /** What the person asked for: done with or without a connection. */
  readonly #local: Then[] = []
  #results: Then[] = []
  /** After a fault of its own the room rests until then. */
  #heldUntil = 0
  /** Counts sessions: results of an earlier one are of no use. */
  #session = 0
  #again = false
  #wake: { readonly at: number; cancel(): void } | undefined
  #running: Promise<void> | undefined

  constructor(clock: Clock, handlers: LoopHandlers) {
    this.#clock = clock
    this.#handlers = handlers
  }

  /** Something may be there to do. */
  poke(): void {
    this.#again = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#again) this.poke()
    })
  }

  /**
   * Pokes after a while. Only the earliest such time is kept: the step that then runs finds out
   * what is still to be waited for. Timers may fire a little early, so it has to ask again anyway.
   */
  later(ms: number): void {
    const at = this.#clock.steady() + ms
    if (this.#wake !== undefined && this.#wake.at <= at) return
    this.#wake?.cancel()
    const cancel = this.#clock.after(Math.ceil(ms) + 1, () => {
      this.#wake = undefined
      this.poke()
    })
    this.#wake = { at, cancel }
  }

  /** Resolves when there is nothing left to do for now. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** The session is over: what it has not answered it never will. */
  reset(): void {
    this.#session += 1
    this.#results = []
    this.#busy.clear()
    this.#pausedUntil.clear()
    this.#wake?.cancel()
    this.#wake = undefined
  }

  /** Runs a request beside the loop, one at a time of each kind, and its result inside. */
  ask(work: string, request: () => Promise<Then | undefined>): void {
    if (this.#busy.has(work)) return
    const pause = (this.#pausedUntil.get(work) ?? 0) - this.#clock.steady()
    if (pause > 0) {
      this.later(pause)
      return
    }
    this.#busy.add(work)
    const session = this.#session
    const done = (then: Then | undefined) => {
      if (this.#session !== session) return
      this.#busy.delete(work)
      if (then !== undefined) this.#results.push(then)
      this.poke()
    }
    request().then(done, (error) => done(() => this.#handlers.failed(work, error)))
  }

  /** Whether a request of this kind has not been answered yet. */
  asking(work: string): boolean {
    return this.#busy.has(work)
  }

  /** No request of this kind for a while. */
  pause(work: string, ms: number): void {
    this.#pausedUntil.set(work, this.#clock.steady() + ms)
    this.later(ms)
  }

  resume(work: string): void {
    this.#pausedUntil.delete(work)
  }

  /** Runs a change that the person asked for inside the loop. */
  locally(work: Then): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#local.push(() => work().then(resolve, reject))
      this.poke()
    })
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false
      try {
        while (await this.#turn()) this.#handlers.changed()
      } catch (error) {
        this.#heldUntil = this.#clock.steady() + FAULT_MS
        this.#handlers.stumbled(error)
        this.later(FAULT_MS)
      }
    }
  }

  async #turn(): Promise<boolean> {
    const next = this.#local.shift() ?? this.#results.shift()
    if (next !== undefined) {
      await next()
      return true
    }
    const hold = this.#heldUntil - this.#clock.steady()
    if (hold <= 0) return this.#handlers.step()
    this.later(hold)
    return false
  }
}
