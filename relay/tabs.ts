import type { TemplatedApp } from 'uWebSockets.js'
import {
  CLOSE_CODES,
  decodeClose,
  decodeTopic,
  MAX_FRAME,
  TRUNK,
  type TrunkMessage,
} from '../web/protocol/envelope.ts'
import { Admission, isHeavy, type Limits, take } from './limits.ts'
import type { Socket, Tab } from './tab.ts'
import { Casts } from './tabs_casts.ts'
import { SlowTabs } from './tabs_slow.ts'
import type { Trunk } from './trunk.ts'

/** What `ws.send` answers. */
const SENT = 1
const DROPPED = 2
const LAST_ID = 0xffff_ffff

export type Reason = Exclude<keyof typeof CLOSE_CODES, 'normal' | 'broken'>

/** The part of pino's logger that the relay writes to. */
export interface RelayLog {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
}

/** All connections of one relay: their numbers, what they may do, and what passes through them. */
export class Tabs {
  readonly #limits: Limits
  readonly #log: RelayLog
  readonly #now: () => number
  readonly #admission: Admission
  readonly #sockets = new Map<number, Socket>()
  readonly #casts: Casts
  readonly #slow: SlowTabs
  #trunk: Trunk | undefined
  #lastId = 0

  /** `now`: whole seconds of a clock that never jumps. */
  constructor(
    app: Pick<TemplatedApp, 'publish'>,
    limits: Limits,
    log: RelayLog,
    now: () => number,
  ) {
    this.#limits = limits
    this.#log = log
    this.#now = now
    this.#admission = new Admission(limits)
    this.#slow = new SlowTabs(limits, now)
    this.#casts = new Casts(app, limits, {
      send: (ws, frame) => this.#send(ws, frame),
      slow: (ws) => this.#end(ws, 'too_slow'),
    })
  }

  get size(): number {
    return this.#sockets.size
  }

  trunkUp(trunk: Trunk): void {
    this.#trunk = trunk
  }

  trunkDown(): void {
    this.#trunk = undefined
    this.endAll('endpoint_away')
  }

  endAll(reason: Reason): void {
    for (const ws of [...this.#sockets.values()]) this.#end(ws, reason)
  }

  opened(ws: Socket): void {
    const tab = ws.getUserData()
    const refusal = this.#admission.enter(tab.origin) ?? (this.#trunk ? undefined : 'endpoint_away')
    if (refusal) {
      this.#end(ws, refusal)
      return
    }
    tab.id = this.#nextId()
    this.#sockets.set(tab.id, ws)
    this.#trunk?.send(TRUNK.open, tab.id, tab.origin.tag)
    this.#log.debug({ connection: tab.id, origin: tab.origin.name }, 'connection opened')
  }

  /** One frame from a tab. `frame` dies when this returns: the trunk copies it. */
  received(ws: Socket, frame: ArrayBuffer, isBinary: boolean): void {
    const tab = ws.getUserData()
    const now = this.#now()
    const refusal = this.#refusal(tab, frame.byteLength, isBinary, now)
    if (refusal) {
      this.#end(ws, refusal)
      return
    }
    tab.spoke = true
    tab.heard = now
    tab.frames += 1
    tab.bytes += frame.byteLength
    this.#trunk?.send(TRUNK.data, tab.id, new Uint8Array(frame))
  }

  /** Called by uWebSockets for every end of a connection, ours included, while `ws` still counts. */
  closed(ws: Socket, code: number): void {
    const tab = ws.getUserData()
    this.#admission.leave(tab.origin)
    this.#casts.closed(ws)
    const { id, origin, frames, bytes } = tab
    this.#log.debug(
      { connection: id, origin: origin.name, code, frames, bytes },
      'connection closed',
    )
    // Ended by the endpoint, or never announced to it: there it is not to be closed.
    if (this.#sockets.delete(id)) this.#trunk?.sendClose(id, code, '')
  }

  /** One message of the endpoint. Connections that have just ended are skipped. */
  fromTrunk({ op, id, body }: TrunkMessage): void {
    const ws = op === TRUNK.cast ? undefined : this.#sockets.get(id)
    if (op === TRUNK.cast) this.#cast(id, body)
    else if (!ws) return
    else if (op === TRUNK.data) this.#casts.data(ws, body)
    else if (op === TRUNK.subscribe) this.#casts.subscribe(ws, decodeTopic(body))
    else if (op === TRUNK.unsubscribe) this.#casts.unsubscribe(ws, decodeTopic(body))
    else if (op === TRUNK.close) this.#endedByEndpoint(ws, id, body)
  }

  /** A pong came. */
  answered(ws: Socket, payload: ArrayBuffer): void {
    this.#casts.answered(ws, payload)
  }

  /** After all that came over the trunk in one piece. */
  settled(): void {
    if (this.#slow.due) this.#shed()
  }

  /** A frame for this connection was given up by uWebSockets. Not inside its own call: it may be publishing. */
  dropped(ws: Socket): void {
    const { id } = ws.getUserData()
    setImmediate(() => this.#sockets.get(id) === ws && this.#end(ws, 'too_slow', true))
  }

  /** Once a second. */
  sweep(): void {
    const now = this.#now()
    for (const ws of [...this.#sockets.values()]) {
      const { heard, spoke } = ws.getUserData()
      if (!spoke && now - heard >= this.#limits.silence) this.#end(ws, 'silent')
      else if (now - heard >= this.#limits.idle) this.#end(ws, 'idle')
    }
    this.#shed()
  }

  #refusal(tab: Tab, length: number, isBinary: boolean, now: number): Reason | undefined {
    if (!isBinary) return 'not_binary'
    if (length === 0) return 'empty'
    if (length > MAX_FRAME) return 'too_large'
    if (!take(tab, length, this.#limits, now)) return 'too_fast'
    const waiting = this.#trunk?.buffered ?? 0
    if (waiting <= this.#limits.trunkBuffer) return undefined
    // Whoever filled the trunk goes first; the others only when it is twice too full.
    const hopeless = waiting > 2 * this.#limits.trunkBuffer
    return hopeless || isHeavy(tab, this.#limits) ? 'overloaded' : undefined
  }

  #send(ws: Socket, frame: Uint8Array): void {
    if (frame.length === 0) return
    const sent = ws.send(frame, true, false)
    if (sent === SENT) return
    this.#slow.queued(frame.length, 1)
    if (sent === DROPPED || ws.getBufferedAmount() > this.#limits.tabBuffer)
      this.#end(ws, 'too_slow', sent === DROPPED)
  }

  #cast(id: number, frame: Uint8Array): void {
    this.#slow.queued(frame.length, this.#casts.members(id))
    this.#casts.cast(id, frame)
  }

  #shed(): void {
    for (const { ws, hard } of this.#slow.choose(this.#sockets.values()))
      this.#end(ws, 'too_slow', hard)
  }

  #endedByEndpoint(ws: Socket, id: number, body: Uint8Array): void {
    this.#casts.flush(ws)
    if (!this.#sockets.delete(id)) return
    const { code, text } = decodeClose(body)
    ws.end(code === 1000 || (code >= 4000 && code < 5000) ? code : 1000, text)
  }

  /** `hard`: without a word, so that what waits for it is given up at once. */
  #end(ws: Socket, reason: Reason, hard = false): void {
    const { id, origin } = ws.getUserData()
    const { code, text } = CLOSE_CODES[reason]
    const level = id === 0 ? 'debug' : 'info'
    this.#log[level](
      { connection: id, origin: origin.name, reason },
      'connection ended by the relay',
    )
    if (hard) {
      if (this.#sockets.delete(id)) this.#trunk?.sendClose(id, code, text)
      ws.close()
    } else ws.end(code, text)
  }

  #nextId(): number {
    do this.#lastId = this.#lastId === LAST_ID ? 1 : this.#lastId + 1
    while (this.#sockets.has(this.#lastId))
    return this.#lastId
  }
}
