import { clearAlertFor, sealedAlertFor } from '../../web/protocol/alerts.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { CLOSE_CODES } from '../../web/protocol/envelope.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { HANDSHAKE_TIMEOUT_MS, MESSAGE_MOST } from '../../web/protocol/handshake_messages.ts'
import {
  type AwaitClient,
  acceptHandshake,
  type ServerEstablished,
  type ServerOptions,
} from '../../web/protocol/handshake_server.ts'
import type { Conversation } from './conversation.ts'
import type { Wire, WireEvents } from './wire.ts'

/** Frames that wait to be handled, in bytes: of a peer that is in a session … */
const MOST_HELD = 8 * 1024 * 1024
/** … and of one that is not yet let in: one handshake message, or one small request. */
export const MOST_BEFORE_ADMISSION = MESSAGE_MOST + 512
/** Somebody may have to type a password. */
const ADMISSION_TIMEOUT_MS = 10 * 60_000

export interface Gate {
  readonly handshake: ServerOptions
  /** A token of this origin, or SottoError `busy`. */
  mayBegin(origin: string): void
  mayProve(origin: string): void
  /** Resolves when the next step of a handshake may be worked on. */
  turn(): Promise<void>
  /** Makes the session of a peer that has proved who it is. */
  converse(connection: Connection, established: ServerEstablished, ms: number): Conversation
  /** So many bytes more (or fewer) are kept of unfinished messages: false when it is too much in all. */
  assembling(more: number): boolean
  /** A fault of ours, not of the peer. */
  fault(error: unknown): void
  /** Once, at the end; the wire is closed already. */
  over(connection: Connection, conversation: Conversation | undefined, reason: string): void
}

type State =
  | { readonly step: 'hello' }
  | { readonly step: 'proof'; readonly client: AwaitClient }
  | { readonly step: 'open'; readonly conversation: Conversation }
  | { readonly step: 'over' }

/** One peer's connection from its first byte to its end: handshake, then records. */
export class Connection implements WireEvents {
  readonly wire: Wire
  readonly #gate: Gate
  readonly #began: number
  #state: State = { step: 'hello' }
  #waiting: Bytes[] = []
  #held = 0
  #running = false
  /** It has failed and is about to end: nothing more is taken in. */
  #deaf = false
  /** Bytes of an unfinished message, as the gate was told. */
  #unfinished = 0

  constructor(wire: Wire, gate: Gate) {
    this.wire = wire
    this.#gate = gate
    this.#began = gate.handshake.now()
  }

  get conversation(): Conversation | undefined {
    return this.#state.step === 'open' ? this.#state.conversation : undefined
  }

  /** Milliseconds since the connection was made. */
  get age(): number {
    return this.#gate.handshake.now() - this.#began
  }

  frame(frame: Bytes): void {
    if (this.#state.step === 'over' || this.#deaf) return
    this.#held += frame.length
    if (this.#held > this.#mostHeld()) {
      this.fail(new SottoError('limit', 'Too much at once.'))
      return
    }
    this.wire.held(this.#held)
    this.#waiting.push(frame.slice())
    if (!this.#running) void this.#run()
  }

  unfinished(bytes: number): void {
    if (this.#state.step !== 'over' && bytes > 4 + this.#mostHeld())
      this.fail(new SottoError('limit', 'A frame is longer than allowed here.'))
  }

  gone(reason: string): void {
    this.#end(reason)
  }

  /** To be called about once a second: who does not come to the point is closed. */
  overdue(): boolean {
    if (this.#state.step === 'over') return false
    const { conversation } = this
    if (conversation === undefined) return this.age >= HANDSHAKE_TIMEOUT_MS
    return !conversation.admitted && this.age >= ADMISSION_TIMEOUT_MS
  }

  timeOut(): void {
    const { conversation } = this
    if (conversation !== undefined) conversation.end('limit')
    else {
      this.wire.close(CLOSE_CODES.handshake_timeout)
      this.#end('handshake timeout')
    }
  }

  /** The conversation has said its last word. */
  finish(reason: string): void {
    this.wire.close(CLOSE_CODES.session_over)
    this.#end(reason)
  }

  /** Answers an error and closes: in clear before the session, sealed by the session after. */
  fail(error: unknown): void {
    const code = error instanceof SottoError ? error.code : 'internal'
    if (this.#state.step === 'over' || this.#deaf) return
    if (!(error instanceof SottoError)) this.#gate.fault(error)
    this.#deaf = true
    this.#waiting = []
    if (this.#state.step === 'open') {
      this.#state.conversation.end(sealedAlertFor(error), code)
      return
    }
    this.wire.send(clearAlertFor(error))
    this.wire.close(CLOSE_CODES.session_over)
    this.#end(code)
  }

  #mostHeld(): number {
    return this.conversation?.admitted ? MOST_HELD : MOST_BEFORE_ADMISSION
  }

  #end(reason: string): void {
    if (this.#state.step === 'over') return
    this.#gate.assembling(-this.#unfinished)
    this.#unfinished = 0
    this.#waiting = []
    const { conversation } = this
    this.#state = { step: 'over' }
    conversation?.cut()
    this.#gate.over(this, conversation, reason)
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      for (let frame = this.#waiting.shift(); frame !== undefined; frame = this.#waiting.shift()) {
        await this.#take(frame)
        this.#held -= frame.length
        this.wire.held(this.#held)
      }
    } catch (error) {
      this.fail(error)
    }
    // An array that held something keeps room for sixteen more.
    this.#waiting = []
    this.#running = false
  }

  async #take(frame: Bytes): Promise<void> {
    if (this.#state.step !== 'open') await this.#gate.turn()
    const state = this.#state
    if (state.step === 'hello') await this.#hello(frame)
    else if (state.step === 'proof') await this.#proof(frame, state.client)
    else if (state.step === 'open') await this.#record(frame, state.conversation)
  }

  async #hello(m1: Bytes): Promise<void> {
    this.#gate.mayBegin(this.wire.origin)
    const client = await acceptHandshake(this.#gate.handshake, m1)
    if (this.#state.step !== 'hello') return
    this.#state = { step: 'proof', client }
    this.wire.send(client.m2)
  }

  async #proof(m3: Bytes, client: AwaitClient): Promise<void> {
    if (client.mode === 'full') this.#gate.mayProve(this.wire.origin)
    const { m4, established } = await client.receive(m3)
    if (this.#state.step !== 'proof') return
    if (m4 !== undefined) this.wire.send(m4)
    const conversation = this.#gate.converse(this, established, this.age)
    this.#state = { step: 'open', conversation }
    await conversation.begin()
  }

  async #record(frame: Bytes, conversation: Conversation): Promise<void> {
    await conversation.receive(frame)
    if (this.conversation === undefined) return
    const more = conversation.unfinished - this.#unfinished
    this.#unfinished += more
    if (!this.#gate.assembling(more)) throw new SottoError('limit', 'Too much at once.')
  }
}
