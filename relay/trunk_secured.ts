import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Bytes } from '../web/protocol/bytes.ts'
import { encodeTcpFrame } from '../web/protocol/envelope.ts'
import { SottoError } from '../web/protocol/errors.ts'
import type { Established } from '../web/protocol/handshake_keys.ts'
import { Session } from '../web/protocol/session.ts'
import { nodePrimitives } from './node_primitives.ts'

/** Bytes of the stream that go into one message of the session: a record that is nearly full. */
const SLICE = 60_000
const TICK = 5_000
/** Signs of life come to fewer bytes between two looks, anything that people say to more. */
const STILL = 64

/**
 * A byte stream inside a session: what a trunk off loopback runs over. Before it is a day old the
 * relay ends it, so that the next one has a fresh X25519; tabs then come back by themselves.
 */
export class SecuredStream extends Duplex {
  readonly #socket: Socket
  readonly #session: Session
  readonly #role: 'client' | 'server'
  readonly #timer: NodeJS.Timeout
  readonly #ended = new AbortController()
  #wanted: (() => void) | undefined
  /** Bytes of the stream, both ways, since the last look. */
  #passed = 0

  constructor(
    socket: Socket,
    frames: AsyncIterable<Bytes>,
    established: Pick<Established, 'keys'>,
    role: 'client' | 'server',
  ) {
    // A session that one side has closed is closed.
    super({ allowHalfOpen: false })
    this.#socket = socket
    this.#role = role
    this.#session = new Session({
      primitives: nodePrimitives,
      established,
      role,
      maxMessage: SLICE,
      now: () => performance.now(),
      write: (frame) => void (socket.writable && socket.write(encodeTcpFrame(frame))),
    })
    this.#timer = setInterval(() => void this.#tick(), TICK).unref()
    void this.#pump(frames)
  }

  override _read(): void {
    this.#wanted?.()
    this.#wanted = undefined
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#send(chunk).then(() => done(), done)
  }

  override _final(done: (error?: Error | null) => void): void {
    const end = () => {
      if (this.#socket.destroyed) done()
      else this.#socket.end(() => done())
    }
    this.#session.close('done').then(end, end)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#timer)
    this.#ended.abort()
    this._read()
    this.#socket.destroy()
    done(error)
  }

  async #send(chunk: Buffer): Promise<void> {
    this.#passed += chunk.length
    for (let at = 0; at < chunk.length; at += SLICE)
      await this.#session.send(new Uint8Array(chunk.subarray(at, at + SLICE)))
    const { signal } = this.#ended
    if (this.#socket.writableNeedDrain) await once(this.#socket, 'drain', { signal })
  }

  async #pump(frames: AsyncIterable<Bytes>): Promise<void> {
    try {
      for await (const frame of frames) {
        const received = await this.#session.receive(frame)
        if (received.kind === 'closed') break
        if (received.kind === 'alert') throw new SottoError(received.alert, received.text)
        // After our own goodbye nothing more comes out.
        if (received.kind !== 'message' || !this.#session.open) continue
        this.#passed += received.message.length
        if (this.push(received.message)) continue
        await new Promise<void>((resolve) => {
          this.#wanted = resolve
        })
      }
      const cut = this.#session.streamEnded()
      if (cut) throw cut
      this.push(null)
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error('the trunk failed'))
    }
  }

  async #tick(): Promise<void> {
    // While nobody reads from us, answers to our pings can't be heard.
    if (this.#wanted) return
    const state = await this.#session.tick().catch(() => 'dead' as const)
    if (state === 'dead')
      this.destroy(new SottoError('timeout', 'The other side of the trunk is silent.'))
    else if (this.#role === 'client' && this.#session.refreshDue(this.#passed < STILL)) {
      await this.#session.close('refresh').catch(() => undefined)
      this.push(null)
    }
    this.#passed = 0
  }
}
