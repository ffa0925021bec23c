import type { Duplex } from 'node:stream'
import type { Log } from '../log.ts'
import type { TrunkAddress } from '../trunk_frames.ts'
import { keepUsing } from '../trunk_keeper.ts'
import { dialingEndpoint, type EndpointEnd } from '../trunk_link.ts'
import type { Trunks } from './trunk_wire.ts'

/** A trunk that stood this long was a good one: the next dial does not wait. */
const STEADY_MS = 10_000

/**
 * Dials a relay again and again until `signal` aborts: an endpoint behind NAT can't be dialled.
 * Resolves then; never rejects.
 */
export function keepDialling(
  address: TrunkAddress,
  end: EndpointEnd,
  trunks: Trunks,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const use = async (stream: Duplex): Promise<void> => {
    const began = performance.now()
    await trunks.run(stream)
    if (performance.now() - began < STEADY_MS) throw new Error('the trunk ended soon')
  }
  const failed = (error: unknown, delay: number): void => {
    const { code, message } = error as { code?: unknown; message?: string }
    const reason = code ?? message
    log.warn({ event: 'relay_not_reached', ...address, reason, delay }, 'a relay can’t be reached')
  }
  return keepUsing(dialingEndpoint(address, end), use, failed, signal)
}
