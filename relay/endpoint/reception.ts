/** Where connections come in: limits before any work, then handshake, session, service. */
import { SottoError } from '../../web/protocol/errors.ts'
import type { ServerEstablished, ServerOptions } from '../../web/protocol/handshake_server.ts'
import type { Op, Request } from '../../web/protocol/messages.ts'
import { skeleton } from '../../web/protocol/names.ts'
import { decodeParams } from '../../web/protocol/params.ts'
import type { Log } from '../log.ts'
import type { Admission, Applicant, Asker } from './admission.ts'
import { Connection, type Gate } from './connection.ts'
import { Conversation, type Host } from './conversation.ts'
import { Journal } from './journal.ts'
import type { Outcome, Peer, RequestOf, Service } from './peer.ts'
import { inSlices } from './slices.ts'
import type { TokenBuckets } from './token_bucket.ts'
import { Turns } from './turns.ts'
import type { OnWire, Wire, WireEvents } from './wire.ts'

/** Longest application message: a commit with GroupInfo and Welcome of a large group. */
export const MAX_MESSAGE = 6 * 1024 * 1024
const SWEEP_MS = 1_000
/** Each session is looked at every so many sweeps. */
const TICK_SWEEPS = 2
/** Sessions that are looked at, or closed, in one turn of the event loop. */
const SLICE = 256

export interface ReceptionLimits {
  /** Connections in all, and of them those that are not in a session yet. */
  readonly connections: number
  readonly handshakes: number
  /** Bytes of all sessions' messages that have come in part. */
  readonly assembling: number
}

export interface ReceptionNeeds {
  readonly handshake: Omit<ServerOptions, 'admit'>
  readonly admission: Admission
  readonly service: Service
  readonly log: Log
  readonly limits: ReceptionLimits
  /** Handshakes by origin: those begun, and those that cost RSA. */
  readonly begun: TokenBuckets
  readonly proofs: TokenBuckets
}

export class Reception implements Gate, Host {
  readonly handshake: ServerOptions
  readonly primitives: ServerOptions['primitives']
  readonly maxMessage = MAX_MESSAGE
  readonly now: () => number
  readonly #needs: ReceptionNeeds
  readonly #journal: Journal
  /** Oldest first, so that those who are late are found without a look at the others. */
  readonly #early = new Set<Connection>()
  readonly #sessions = new Map<Conversation, Connection>()
  readonly #entered = new Set<Conversation>()
  readonly #timer: NodeJS.Timeout
  readonly #turns = new Turns()
  #assembling = 0
  #sweeps = 0
  #closing = false

  constructor(needs: ReceptionNeeds) {
    const { admission } = needs
    this.#needs = needs
    this.#journal = new Journal(needs.log)
    this.primitives = needs.handshake.primitives
    this.now = needs.handshake.now
    this.handshake = {
      ...needs.handshake,
      admit: (peer, ticketed) => admission.check(peer, ticketed),
    }
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS).unref()
  }

  get sessions(): number {
    return this.#sessions.size
  }

  /** Takes a new connection in, or turns it away at once. */
  readonly connected: OnWire = (wire: Wire): WireEvents | undefined => {
    const connection = new Connection(wire, this)
    this.#early.add(connection)
    const { connections, handshakes } = this.#needs.limits
    const all = this.#early.size + this.#sessions.size
    if (this.#closing || all > connections || this.#early.size > handshakes) connection.fail(busy())
    return connection
  }

  // ── what a connection asks ──

  mayBegin(origin: string): void {
    if (this.#needs.begun.take(origin) > 0) throw busy()
  }

  mayProve(origin: string): void {
    if (this.#needs.proofs.take(origin) > 0) throw busy()
  }

  converse(connection: Connection, established: ServerEstablished, ms: number): Conversation {
    const { user, spki, device } = established.peer
    const { status, account } = decodeParams(established.params)
    const speaker = {
      user: account,
      skeleton: skeleton(user),
      ...{ spki, device, admitted: status === 'ok' },
    }
    const conversation = new Conversation(this, connection.wire, speaker, established)
    this.#early.delete(connection)
    this.#sessions.set(conversation, connection)
    this.#journal.session(connection.wire, account, established.mode, status, ms)
    return conversation
  }

  turn(): Promise<void> {
    return this.#turns.take()
  }

  assembling(more: number): boolean {
    this.#assembling += more
    return this.#assembling <= this.#needs.limits.assembling
  }

  fault(error: unknown): void {
    this.#journal.fault('connection', error)
  }

  over(connection: Connection, conversation: Conversation | undefined, reason: string): void {
    if (this.#early.delete(connection)) this.#journal.unfinished(connection.wire, reason)
    if (conversation === undefined || !this.#sessions.delete(conversation)) return
    if (this.#entered.delete(conversation)) {
      this.#needs.service.gone(conversation)
      this.#needs.admission.touch(conversation).catch(() => undefined)
    }
    this.#journal.ended(connection.wire, conversation.user, reason, connection.age)
  }

  // ── what a conversation asks ──

  async admit(applicant: Applicant, request: RequestOf<'register' | 'login'>): Promise<void> {
    const { admission } = this.#needs
    try {
      if (request.op === 'register') await admission.register(applicant, request)
      else await admission.login(applicant, request)
    } catch (error) {
      this.#journal.turnedAway(applicant.user, request.op, error)
      throw error
    }
    this.#journal.letIn(applicant.user, request.op)
  }

  async setPassword(asker: Asker, request: RequestOf<'set_password'>): Promise<void> {
    const changed = await this.#needs.admission.setPassword(asker, request)
    if (changed) this.#journal.passwordSet(asker.user, request.next !== null)
  }

  handle(peer: Peer, request: Request): Promise<Outcome> {
    return this.#needs.service.handle(peer, request)
  }

  async entered(conversation: Conversation): Promise<void> {
    const { admission, service } = this.#needs
    const known = admission.known(conversation)
    // Removed after the directory was asked in this very handshake.
    if (known?.revoked) return conversation.end('revoked')
    const touched = admission.touch(conversation)
    if (known !== undefined) touched.catch(() => undefined)
    else await touched
    if (!this.#sessions.has(conversation)) return
    this.#entered.add(conversation)
    service.entered(conversation)
  }

  ended(conversation: Conversation, reason: string): void {
    this.#sessions.get(conversation)?.finish(reason)
  }

  failed(op: Op, error: unknown): void {
    this.#journal.fault(op, error)
  }

  // ── the end ──

  /** Says goodbye to every session. */
  async close(): Promise<void> {
    this.#closing = true
    clearInterval(this.#timer)
    for (const connection of [...this.#early]) connection.fail(busy())
    await this.#needs.service.close()
    await inSlices(this.#sessions.keys(), SLICE, (conversation) => conversation.close())
    this.#journal.close()
  }

  #sweep(): void {
    for (const connection of this.#early) {
      if (!connection.overdue()) break
      connection.timeOut()
    }
    this.#sweeps += 1
    if (this.#sweeps % TICK_SWEEPS !== 0) return
    for (const connection of this.#sessions.values()) if (connection.overdue()) connection.timeOut()
    void inSlices(this.#sessions.keys(), SLICE, (conversation) => conversation.tick())
  }
}

function busy(): SottoError {
  return new SottoError('busy', 'The server has too much to do.')
}
