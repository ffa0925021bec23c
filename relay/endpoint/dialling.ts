import { setTimeout as wait } from 'node:timers/promises'
import type { Log } from '../log.ts'
import type { TrunkAddress } from '../trunk_frames.ts'
import { backoff } from '../trunk_keeper.ts'
import { dialingEndpoint, type EndpointEnd } from '../trunk_link.ts'
import type { Trunks } from './trunk_wire.ts'

/** A trunk that stood this long was a good one: the next dial does not wait. */
const STEADY_MS = 10_000

/**
 * Dials a relay again and again until `signal` aborts: an endpoint behind NAT can't be dialled.
 * Resolves then; never rejects.
 */
export async function keepDialling(
  address: TrunkAddress,
  end: EndpointEnd,
  trunks: Trunks,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const source = dialingEndpoint(address, end)
  for (let attempt = 0; !signal.aborted; attempt++) {
    const began = performance.now()
    try {
      const stream = await source(signal)
      await trunks.run(stream)
      if (performance.now() - began > STEADY_MS) attempt = -1
    } catch (error) {
      const reason = (error as { code?: unknown } | undefined)?.code
      log.warn({ event: 'relay_not_reached', ...address, reason }, 'a relay can’t be reached')
    }
    const delay = backoff(Math.max(attempt, 0), Math.random)
    await wait(delay, undefined, { signal, ref: false }).catch(() => undefined)
  }
}
