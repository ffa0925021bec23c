import { connect, type Socket } from 'node:net'
import type { Bytes } from '../web/protocol/bytes.ts'
import { TcpFrameReader } from '../web/protocol/envelope.ts'
import { SottoError } from '../web/protocol/errors.ts'

const CONNECT_TIMEOUT = 10_000

export interface TrunkAddress {
  readonly host: string
  readonly port: number
}

/** A TCP connection to the other side of a trunk. Rejects with the system's error, or `timeout`. */
export function dialTrunk(address: TrunkAddress, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIMEOUT)])
    const socket = connect({ ...address, noDelay: true, keepAlive: true })
    const settle = (act: () => void) => {
      limit.removeEventListener('abort', late)
      socket.removeAllListeners('connect').removeAllListeners('error')
      act()
    }
    const late = () =>
      settle(() => {
        // From here on nobody listens: an error of a socket that is given up must not end the process.
        socket.on('error', () => undefined).destroy()
        reject(new SottoError('timeout', 'The other side of the trunk did not answer.'))
      })
    limit.addEventListener('abort', late)
    socket.once('connect', () => settle(() => resolve(socket)))
    socket.once('error', (error) => settle(() => reject(error)))
    if (limit.aborted) late()
  })
}

/** The frames that come over a socket. Reads no faster than they are taken. Throws what breaks it. */
export async function* framesOf(socket: Socket): AsyncGenerator<Bytes, void, undefined> {
  const reader = new TcpFrameReader()
  for await (const chunk of socket) yield* reader.push(chunk as Buffer)
}

/** The next frame of a handshake. Throws SottoError `truncated` when there is none. */
export async function nextFrame(frames: AsyncIterator<Bytes, void>): Promise<Bytes> {
  const next = await frames.next()
  if (!next.done) return next.value
  throw new SottoError('truncated', 'The other side of the trunk ended the connection.')
}
