import type { Bytes } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import { type ClientOptions, startHandshake } from '../protocol/handshake_client.ts'
import type { Established } from '../protocol/handshake_keys.ts'
import type { Clock } from './clock.ts'
import type { Dial, Transport } from './transport.ts'

/** From dialling to the last byte of the handshake. */
const HANDSHAKE_MS = 10_000

/** A transport on which the handshake has come through. */
export interface Shaken {
  readonly transport: Transport
  /** Where the frames after the handshake come from: the transport's one iterator. */
  readonly frames: AsyncIterator<Bytes>
  readonly established: Established
}

/**
 * Dials and runs the client's side of the handshake. `dialled` is called when the connection
 * stands. Rejects with the SottoError that ended it; the transport is closed by then, and after a
 * changed key nothing but M1 has left.
 */
export async function greet(
  dial: Dial,
  options: ClientOptions,
  clock: Clock,
  signal: AbortSignal,
  dialled: () => void,
): Promise<Shaken> {
  const late = new AbortController()
  const cancel = clock.after(HANDSHAKE_MS, () => late.abort())
  try {
    return await shakeBefore(dial, options, AbortSignal.any([signal, late.signal]), dialled)
  } catch (error) {
    if (late.signal.aborted) throw new SottoError('timeout', 'The server did not answer in time.')
    throw error
  } finally {
    cancel()
  }
}

async function shakeBefore(
  dial: Dial,
  options: ClientOptions,
  signal: AbortSignal,
  dialled: () => void,
): Promise<Shaken> {
  const transport = await dial(signal)
  const stop = () => transport.close()
  signal.addEventListener('abort', stop, { once: true })
  try {
    dialled()
    const frames = transport[Symbol.asyncIterator]()
    return { transport, frames, established: await shake(transport, frames, options) }
  } catch (error) {
    transport.close()
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

async function shake(
  transport: Transport,
  frames: AsyncIterator<Bytes>,
  options: ClientOptions,
): Promise<Established> {
  const hello = await startHandshake(options)
  transport.send(hello.m1)
  const answer = await hello.receive(await nextFrame(transport, frames))
  transport.send(answer.m3)
  if (answer.mode === 'resumed') return answer.established
  return answer.receive(await nextFrame(transport, frames))
}

async function nextFrame(transport: Transport, frames: AsyncIterator<Bytes>): Promise<Bytes> {
  const next = await frames.next()
  if (!next.done) return next.value
  const { reason } = await transport.closed
  const text = 'The connection was cut during the handshake.'
  throw new SottoError('truncated', reason === '' ? text : reason)
}
