import type { Duplex } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import type { TrunkMessage } from '../web/protocol/envelope.ts'
import { Trunk } from './trunk.ts'

/** Opens a byte stream to the endpoint, secured where it has to be, or waits for one to come in. */
export type TrunkSource = (signal: AbortSignal) => Promise<Duplex>

export interface KeeperEvents {
  up(trunk: Trunk): void
  message(message: TrunkMessage): void
  settled(): void
  down(reason: string): void
  /** Another try comes in `delay` milliseconds. */
  failed(reason: string, delay: number): void
}

const FIRST_DELAY = 100
/** Few relays dial one endpoint, and all their tabs wait for it. */
const MOST_DELAY = 2_000

/** A trunk that stood for so long was of use, even if nothing came over it. */
const STEADY = 5_000

/**
 * Milliseconds before try number `attempt` (from 0): doubled each time, and drawn from its upper
 * half so that relays do not come back all at once.
 */
export function backoff(attempt: number, random: () => number): number {
  const most = Math.min(MOST_DELAY, FIRST_DELAY * 2 ** attempt)
  return Math.round(most / 2 + (random() * most) / 2)
}

/** Keeps one trunk up until `signal` aborts. Resolves then; never rejects. */
export function keepTrunk(
  source: TrunkSource,
  events: KeeperEvents,
  signal: AbortSignal,
  random: () => number = Math.random,
): Promise<void> {
  const failed = (error: unknown, delay: number): void =>
    events.failed(error instanceof Error ? error.message : 'unknown', delay)
  return keepUsing(source, (stream) => use(stream, events, signal), failed, signal, random)
}

/**
 * Gets a stream and lets `use` have it, again and again until `signal` aborts: at once when `use`
 * resolves, later each time that there was no stream or `use` rejects. Resolves then; never rejects.
 */
export async function keepUsing(
  source: TrunkSource,
  use: (stream: Duplex) => Promise<void>,
  failed: (error: unknown, delay: number) => void,
  signal: AbortSignal,
  random: () => number = Math.random,
): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await use(await obtain(source, signal))
      attempt = -1
    } catch (error) {
      if (signal.aborted) return
      const delay = backoff(attempt, random)
      failed(error, delay)
      await wait(delay, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** The stream, or a rejection as soon as `signal` aborts: then a late one is not left open. */
function obtain(source: TrunkSource, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    source(signal)
      .then((stream) => (signal.aborted ? stream.destroy() : resolve(stream)), reject)
      .finally(() => signal.removeEventListener('abort', stop))
  })
}

/** Resolves when the trunk has ended; one that was of no use at all rejects: a failed try. */
function use(stream: Duplex, events: KeeperEvents, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let useful = false
    const began = performance.now()
    const stop = () => trunk.close()
    const trunk = new Trunk(stream, {
      message(message) {
        useful = true
        events.message(message)
      },
      settled: () => events.settled(),
      closed(reason) {
        signal.removeEventListener('abort', stop)
        events.down(reason)
        if (useful || performance.now() - began > STEADY) resolve()
        else reject(new Error(reason))
      },
    })
    signal.addEventListener('abort', stop, { once: true })
    events.up(trunk)
  })
}
