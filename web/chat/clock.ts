/** Time as the client library takes it, so that a test can hold it still. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Milliseconds of a clock that never jumps, from any beginning. */
  steady(): number
  /** Calls `work` once after `ms` milliseconds; what it returns cancels that. */
  after(ms: number, work: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  steady: () => performance.now(),
  after(ms, work) {
    const timer = setTimeout(work, ms)
    return () => clearTimeout(timer)
  },
}

/**
 * Lets the screen and other rooms have their turn in a long piece of work. Timers are throttled in
 * tabs that nobody looks at, the engine's own `yield` is not.
 */
export function breathe(clock: Clock): Promise<void> {
  const { scheduler } = globalThis as { scheduler?: { yield?: () => Promise<void> } }
  if (scheduler?.yield !== undefined) return scheduler.yield()
  return new Promise((resolve) => {
    clock.after(0, resolve)
  })
}
