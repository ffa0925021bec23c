/**
 * How a relay and an endpoint come to a trunk (PROTOCOL.md, "Relay and trunk"). On one machine it
 * is plain TCP. Everywhere else it runs the handshake: the relay is always its client, with the
 * user name `relay`, and the endpoint its server, whoever of the two has dialled.
 */
import { createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { clearAlertFor } from '../web/protocol/alerts.ts'
import { type Bytes, equal, u8 } from '../web/protocol/bytes.ts'
import type { EndpointKey } from '../web/protocol/endpoint_key.ts'
import { encodeTcpFrame } from '../web/protocol/envelope.ts'
import { SottoError } from '../web/protocol/errors.ts'
import { startHandshake } from '../web/protocol/handshake_client.ts'
import { acceptHandshake } from '../web/protocol/handshake_server.ts'
import type { Signer } from '../web/protocol/identity.ts'
import { TicketStore } from '../web/protocol/tickets.ts'
import { nodePrimitives } from './node_primitives.ts'
import { isLoopbackAddress } from './origin.ts'
import { dialTrunk, framesOf, nextFrame, type TrunkAddress } from './trunk_frames.ts'
import { TrunkHandshakes } from './trunk_handshakes.ts'
import type { TrunkSource } from './trunk_keeper.ts'
import { SecuredStream } from './trunk_secured.ts'

const USER = 'relay'
const PARAMS = u8(1)
const DEVICE_LENGTH = 16
const HANDSHAKE_TIMEOUT = 10_000

/** auto: plain TCP when the peer's address is of this very machine. always: never plain. */
export type TrunkSecurity = 'auto' | 'always'

export interface RelayEnd {
  /** The endpoint's name. */
  readonly host: string
  /** The relay's own key. Without one, only trunks inside this machine can be had. */
  readonly identity?: Signer
  /** SHA-256 of the endpoint's SPKI, 32 bytes. No other endpoint can claim the host here. */
  readonly pin?: Bytes
  readonly security?: TrunkSecurity
}

export interface EndpointEnd {
  readonly host: string
  readonly key: EndpointKey
  /** SHA-256 of the SPKI of each relay that may open a trunk, 32 bytes each. */
  readonly relays: readonly Bytes[]
  readonly security?: TrunkSecurity
  /** Runs RSA work in a bounded queue. May throw SottoError `busy`. */
  rsa?<T>(work: () => Promise<T>): Promise<T>
}

/**
 * The handshake's host in trunks. Another one than sessions have, so that nothing that was said
 * in a session, nor a relay's key in it, can be taken for a trunk.
 */
function trunkHost(host: string): string {
  return `trunk ${host}`
}

/** The relay's end of a trunk over this socket. Throws SottoError; the socket is closed then. */
export function openTrunk(socket: Socket, end: RelayEnd): Promise<Duplex> {
  return withDeadline(socket, end.security, async () => {
    const { identity, pin } = end
    if (identity === undefined || pin === undefined)
      throw new SottoError(
        'refused',
        'A trunk that leaves this machine needs the relay’s key and the endpoint’s fingerprint.',
      )
    const frames = framesOf(socket)
    const device = (await nodePrimitives.sha256(identity.spki)).slice(0, DEVICE_LENGTH)
    const first = await startHandshake({
      primitives: nodePrimitives,
      host: trunkHost(end.host),
      pin,
      identity,
      user: USER,
      device,
      now: () => performance.now(),
    })
    socket.write(encodeTcpFrame(first.m1))
    const second = await first.receive(await nextFrame(frames))
    socket.write(encodeTcpFrame(second.m3))
    const established =
      second.mode === 'full' ? await second.receive(await nextFrame(frames)) : second.established
    return new SecuredStream(socket, frames, established, 'client')
  })
}

/** The endpoint's end of a trunk over this socket. Throws SottoError; the socket is closed then. */
export function acceptTrunkSocket(socket: Socket, end: EndpointEnd): Promise<Duplex> {
  return withDeadline(socket, end.security, async () => {
    const frames = framesOf(socket)
    try {
      const first = await acceptHandshake(
        {
          primitives: nodePrimitives,
          host: trunkHost(end.host),
          key: end.key,
          // A trunk lasts: one RSA operation each time it is made costs nothing.
          tickets: new TicketStore(0),
          async admit({ spki, user }) {
            const seen = await nodePrimitives.sha256(spki)
            // Every one is looked at, so that the time does not tell which.
            const known = end.relays.filter((relay) => equal(relay, seen)).length > 0
            return known && user === USER ? { params: PARAMS, admission: USER } : 'refused'
          },
          rsa: end.rsa ?? ((work) => work()),
          now: () => performance.now(),
        },
        await nextFrame(frames),
      )
      socket.write(encodeTcpFrame(first.m2))
      const { m4, established } = await first.receive(await nextFrame(frames))
      if (m4) socket.write(encodeTcpFrame(m4))
      return new SecuredStream(socket, frames, established, 'server')
    } catch (error) {
      if (socket.writable) socket.end(encodeTcpFrame(clearAlertFor(error)))
      throw error
    }
  })
}

/** The relay dials the endpoint. */
export function dialingSource(address: TrunkAddress, end: RelayEnd): TrunkSource {
  return async (signal) => openTrunk(await dialTrunk(address, signal), end)
}

/**
 * The endpoint dials the relay: an endpoint behind NAT does. Never plain, not even on loopback: a
 * relay that takes trunks in always runs the handshake ({@link listenForTrunk}).
 */
export function dialingEndpoint(address: TrunkAddress, end: EndpointEnd): TrunkSource {
  const secured = { ...end, security: 'always' } as const
  return async (signal) => acceptTrunkSocket(await dialTrunk(address, signal), secured)
}

export interface TrunkListener {
  readonly port: number
  /** Gives the newest trunk that came in and proved itself, when it has come. */
  readonly source: TrunkSource
  close(): void
}

/**
 * The relay takes in the endpoint's trunk. Never plain, not even on loopback: here whoever dials
 * could claim the host (THREATS R19). A newer trunk of the endpoint replaces the one before,
 * which may be half open.
 */
export async function listenForTrunk(
  address: TrunkAddress,
  end: RelayEnd & { readonly identity: Signer; readonly pin: Bytes },
  refused: (error: unknown) => void = () => undefined,
): Promise<TrunkListener> {
  let newest: Duplex | undefined
  let taken = false
  let waiting: (() => void) | undefined
  const handshakes = new TrunkHandshakes()
  const proved = (trunk: Duplex) => {
    newest?.destroy()
    newest = trunk
    taken = false
    waiting?.()
  }
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    const open = () => openTrunk(socket, { ...end, security: 'always' })
    handshakes.run(socket, open).then(proved, refused)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(address.port, address.host, resolve)
  })
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : address.port,
    source: (signal) =>
      new Promise((resolve, reject) => {
        const take = () => {
          if (newest === undefined || taken || newest.destroyed) return
          taken = true
          waiting = undefined
          resolve(newest)
        }
        waiting = take
        take()
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
    close() {
      server.close()
      handshakes.close()
      newest?.destroy()
    },
  }
}

/** Runs a handshake on `socket`, or takes the socket as it is where that is allowed. */
async function withDeadline(
  socket: Socket,
  security: TrunkSecurity = 'auto',
  handshake: () => Promise<Duplex>,
): Promise<Duplex> {
  // Whoever takes the trunk hears of its end by `close`; until then an error must have a listener.
  socket.on('error', () => undefined)
  if (security === 'auto' && isLoopbackAddress(socket.remoteAddress)) return socket
  const deadline = setTimeout(
    () => socket.destroy(new SottoError('timeout', 'The trunk’s handshake took too long.')),
    HANDSHAKE_TIMEOUT,
  )
  try {
    return (await handshake()).on('error', () => undefined)
  } catch (error) {
    socket.destroySoon()
    throw error
  } finally {
    clearTimeout(deadline)
  }
}
