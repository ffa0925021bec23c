/**
 * A session after the handshake: application messages in, frames out, and back (PROTOCOL.md,
 * "Records"). It owns everything that both ends must agree on: fragments, key updates, pings,
 * alerts, the authenticated close, and what counts as an attack. No I/O and no clock: frames leave
 * by `write`, in the order of their sequence numbers whoever asks for them; time comes by `now`.
 */
import {
  alertText,
  CLOSE_REASONS,
  type CloseReason,
  readSealedAlert,
  type SealedAlert,
  sealedAlert,
  sealedAlertFor,
} from './alerts.ts'
import { type Bytes, concat, EMPTY, u8, u64 } from './bytes.ts'
import { SottoError } from './errors.ts'
import type { Established } from './handshake_keys.ts'
import type { Primitives } from './primitives.ts'
import { bucket, type Inner, PAYLOAD_MOST, RecordOpener, RecordSealer } from './record.ts'
import { Liveness, UNHEARD_MS, UpdateGuard, updateDue } from './session_rules.ts'

export interface SessionOptions {
  readonly primitives: Primitives
  readonly established: Pick<Established, 'keys'>
  readonly role: 'client' | 'server'
  /** Longest application message in bytes, either way: `limits.maxMessage` of the params. */
  readonly maxMessage: number
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Puts a frame on the wire. Called in the order of the sequence numbers. Must not throw. */
  readonly write: (frame: Bytes) => void
}

export type Received =
  | { readonly kind: 'message'; readonly message: Bytes }
  /** Dealt with in here, or part of a message that is not whole yet. */
  | { readonly kind: 'nothing' }
  /** The peer closed in order. `lastSeq` is the last of our records it has, -1 for none. */
  | { readonly kind: 'closed'; readonly reason: CloseReason; readonly lastSeq: number }
  /** The peer ended the session for this reason; `text` is for people. */
  | { readonly kind: 'alert'; readonly alert: SealedAlert; readonly text: string }

/** app payload = u8 more (0 or 1) ‖ part; every part but the last has this many bytes. */
const PART_MOST = PAYLOAD_MOST - 1
const NO_RECORD = new Uint8Array(8).fill(0xff)
/** Records between two ticks of a session in which nothing is said. */
const QUIET = 2
/**
 * A session this old is to be replaced: a fresh X25519 at least daily. An hour before, while its
 * ticket still counts, that is done as soon as it disturbs nothing.
 */
const REFRESH_MS = 24 * 3_600_000
const REFRESH_QUIET_MS = REFRESH_MS - 3_600_000
const NOTHING: Received = { kind: 'nothing' }

type End = 'closed' | 'alert' | 'failed'

export class Session {
  readonly #maxMessage: number
  readonly #now: () => number
  readonly #write: (frame: Bytes) => void
  readonly #sealer: RecordSealer
  readonly #opener: RecordOpener
  readonly #began: number
  readonly #guard = new UpdateGuard()
  readonly #liveness: Liveness
  #end: End | undefined
  /** Of the key we send under: since when, and how many bytes of frames. */
  #keySince: number
  #keyBytes = 0
  /** When we last sent anything. */
  #said: number
  /** Records over all keys. */
  #sent = 0
  #received = 0
  /** Parts of the message that is coming in. */
  #parts: Bytes[] = []
  #partsLength = 0
  /** The last frame that is being taken; undefined when there is none. */
  #incoming: Promise<void> | undefined
  /** Records in both directions at the last tick. */
  #ticked = 0

  constructor(o: SessionOptions) {
    // The first secrets are not kept: after a key update nobody should be able to find them.
    const { client, server } = o.established.keys
    const ours = o.role === 'client'
    this.#maxMessage = o.maxMessage
    this.#now = o.now
    this.#write = o.write
    this.#sealer = new RecordSealer(o.primitives, ours ? client : server)
    this.#opener = new RecordOpener(o.primitives, ours ? server : client)
    this.#began = o.now()
    this.#keySince = this.#began
    this.#said = this.#began
    this.#liveness = new Liveness(this.#began)
  }

  /** False once either side has closed or failed: nothing is sent any more. */
  get open(): boolean {
    return this.#end === undefined
  }

  /** Bytes that are kept of a message that has not come whole yet. */
  get unfinished(): number {
    return this.#partsLength
  }

  /**
   * True when it is time to `close('refresh')` and connect anew, so that the keys see a fresh
   * X25519. `quiet`: nothing is under way that this would disturb.
   */
  refreshDue(quiet: boolean): boolean {
    return this.#now() - this.#began >= (quiet ? REFRESH_QUIET_MS : REFRESH_MS)
  }

  /**
   * Sends an application message, in as many records as it takes. Resolves when the last one was
   * written; `written` is called in that very moment, before anything else can be. Rejects with
   * SottoError `limit` for an empty message or one over the limit (the session goes on), `closed`
   * after the end.
   */
  async send(message: Bytes, written?: () => void): Promise<void> {
    this.#mustBeOpen()
    if (message.length === 0 || message.length > this.#maxMessage)
      throw new SottoError('limit', 'This message is longer than the server takes.')
    let last: Promise<void> = Promise.resolve()
    for (let at = 0; at < message.length; at += PART_MOST) {
      const part = message.subarray(at, at + PART_MOST)
      const more = at + PART_MOST < message.length
      last = this.#emit(
        { content: 'app', payload: concat(u8(more ? 1 : 0), part) },
        more ? undefined : written,
      )
    }
    return last
  }

  /**
   * Takes the next frame. Frames are dealt with in the order of the calls, results come in the
   * same order. Throws a SottoError for anything that is not as it must be; by then the sealed
   * alert for the peer has been written and the session is over: close the transport.
   */
  receive(frame: Bytes): Promise<Received> {
    const result = (this.#incoming ?? Promise.resolve()).then(() => this.#receive(frame))
    const done = (): void => {
      if (this.#incoming === incoming) this.#incoming = undefined
    }
    const incoming = result.then(done, done)
    this.#incoming = incoming
    return result
  }

  /** Closes in order: tells why, and the last record that arrived. Then close the transport. */
  async close(reason: CloseReason): Promise<void> {
    if (!this.open) return
    const last = this.#received === 0 ? NO_RECORD : u64(this.#received - 1)
    const payload = concat(u8(CLOSE_REASONS.indexOf(reason)), last)
    const written = this.#emit({ content: 'close', payload })
    this.#end = 'closed'
    return written
  }

  /** Ends the session with an alert. Then close the transport. */
  async alert(alert: SealedAlert): Promise<void> {
    if (!this.open) return
    const written = this.#emit({ content: 'alert', payload: sealedAlert(alert) })
    this.#end = 'alert'
    return written
  }

  async ping(): Promise<void> {
    this.#mustBeOpen()
    this.#liveness.pinged(this.#now())
    return this.#emit({ content: 'ping', payload: EMPTY })
  }

  /**
   * To be called every few seconds. Pings a silent peer, and changes keys that are old. `dead`
   * means that nothing came after a ping either: the connection is only half open, close it.
   */
  async tick(): Promise<'alive' | 'dead'> {
    if (!this.open) return 'alive'
    const now = this.#now()
    if (updateDue(this.#sealer.seq, this.#keyBytes, now - this.#keySince)) await this.updateKey()
    const state = this.#liveness.state(now)
    if (state === 'silent') await this.ping()
    this.#restIfQuiet()
    return state === 'dead' ? 'dead' : 'alive'
  }

  /** After nothing but a ping and its answer, keys are given up until they are needed. */
  #restIfQuiet(): void {
    const records = this.#sent + this.#received
    if (records - this.#ticked <= QUIET) {
      this.#sealer.rest()
      this.#opener.rest()
    }
    this.#ticked = records
  }

  /** Changes the key that we send under. It is done by itself when due. */
  async updateKey(): Promise<void> {
    this.#mustBeOpen()
    return this.#changeKey()
  }

  /**
   * To be called when the stream has ended: SottoError `truncated` when nobody closed it in order
   * (it was cut, and what was not acknowledged must be sent again), undefined otherwise.
   */
  streamEnded(): SottoError | undefined {
    if (!this.open) return undefined
    this.#end = 'failed'
    return new SottoError(
      'truncated',
      'The connection was cut: it ended without a goodbye. Unsent messages are kept and go out after reconnecting.',
    )
  }

  #mustBeOpen(): void {
    if (!this.open) throw new SottoError('closed', 'This connection has ended.')
  }

  /** Seals and writes one record, after a key update if one is due. */
  #emit(inner: Inner, written?: () => void): Promise<void> {
    const age = this.#now() - this.#keySince
    if (updateDue(this.#sealer.seq, this.#keyBytes, age)) void this.#changeKey().catch(() => {})
    return this.#seal(inner, written)
  }

  #changeKey(): Promise<void> {
    const written = this.#seal({ content: 'keyUpdate', payload: EMPTY })
    this.#sealer.update()
    this.#keySince = this.#now()
    this.#keyBytes = 0
    return written
  }

  /** The sealer's results come in order, and so do the continuations that write them. */
  #seal(inner: Inner, written?: () => void): Promise<void> {
    const sealed = this.#sealer.seal(inner)
    this.#sent += 1
    this.#said = this.#now()
    this.#keyBytes += bucket(inner.payload.length)
    return sealed.then(
      (frame) => {
        this.#write(frame)
        written?.()
      },
      (error) => {
        // A number is gone: nothing after it could be opened by the peer.
        this.#end = 'failed'
        throw error
      },
    )
  }

  async #receive(frame: Bytes): Promise<Received> {
    if (this.#end === 'failed') throw new SottoError('closed', 'This connection has ended.')
    if (!this.open) return NOTHING
    try {
      const inner = await this.#opener.open(frame)
      this.#received += 1
      this.#liveness.heard(this.#now())
      return await this.#take(inner)
    } catch (error) {
      await this.alert(sealedAlertFor(error)).catch(() => {})
      this.#end = 'failed'
      throw error
    }
  }

  async #take({ content, payload }: Inner): Promise<Received> {
    switch (content) {
      case 'app':
        if (this.open && this.#now() - this.#said >= UNHEARD_MS) await this.ping()
        return this.#takePart(payload)
      case 'keyUpdate':
        mustBeEmpty(payload)
        this.#guard.check(this.#opener.seq, this.#now())
        this.#opener.update()
        return NOTHING
      case 'ping':
        mustBeEmpty(payload)
        this.#liveness.pingedBy(this.#now())
        if (this.open) await this.#emit({ content: 'pong', payload: EMPTY })
        return NOTHING
      case 'pong':
        mustBeEmpty(payload)
        this.#liveness.ponged()
        return NOTHING
      case 'close':
        return this.#takeClose(payload)
      case 'alert': {
        const alert = readSealedAlert(payload)
        this.#end = 'alert'
        return { kind: 'alert', alert, text: alertText(alert) }
      }
    }
  }

  /** Parts are as long as they can be and the last one is not empty: one way to say a message. */
  #takePart(payload: Bytes): Received {
    const more = payload[0]
    const part = payload.slice(1)
    if ((more !== 0 && more !== 1) || part.length === 0 || (more === 1 && part.length < PART_MOST))
      throw unreadable()
    this.#partsLength += part.length
    if (this.#partsLength > this.#maxMessage)
      throw new SottoError('limit', 'The other side sent a message longer than agreed.')
    this.#parts.push(part)
    if (more === 1) return NOTHING
    const message = this.#parts.length === 1 ? part : concat(...this.#parts)
    this.#parts = []
    this.#partsLength = 0
    return { kind: 'message', message }
  }

  #takeClose(payload: Bytes): Received {
    const reason = CLOSE_REASONS[payload[0] ?? 0xff]
    if (reason === undefined || payload.length !== 9) throw unreadable()
    const view = new DataView(payload.buffer, payload.byteOffset + 1)
    const stated = view.getBigUint64(0)
    const lastSeq = stated === 2n ** 64n - 1n ? -1 : Number(stated)
    if (lastSeq >= this.#sent || this.#parts.length > 0)
      throw new SottoError('unexpected_message', 'The other side closed in a way that cannot be.')
    this.#end = 'closed'
    return { kind: 'closed', reason, lastSeq }
  }
}

function mustBeEmpty(payload: Bytes): void {
  if (payload.length > 0) throw unreadable()
}

function unreadable(): SottoError {
  return new SottoError('decode_error', 'A record could not be read.')
}
