/**
 * A peer that speaks the protocol and nothing above it: every frame, request and event is in the
 * test's hand. For what a real client would never say.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { Trunk } from '../../relay/trunk.ts'
import { readClearAlert } from '../../web/protocol/alerts.ts'
import { type Bytes, concat, fromHex, u8, u16, u32, u64 } from '../../web/protocol/bytes.ts'
import { type CastEntry, CastOpener } from '../../web/protocol/cast.ts'
import {
  encodeTcpFrame,
  ORIGIN_TAG,
  TcpFrameReader,
  TRUNK,
  type TrunkMessage,
} from '../../web/protocol/envelope.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { startHandshake } from '../../web/protocol/handshake_client.ts'
import type { Established } from '../../web/protocol/handshake_keys.ts'
import { generateIdentity, type Identity } from '../../web/protocol/identity.ts'
import {
  type Ask,
  checkMessage,
  decodeMessage,
  type Event,
  encodeMessage,
  eventSchema,
  type Op,
  type Refusal,
  type Reply,
  refusalSchema,
  replySchemas,
} from '../../web/protocol/messages.ts'
import { makeBinding } from '../../web/protocol/mls_credential.ts'
import { decodeParams, type Params } from '../../web/protocol/params.ts'
import { type Received, Session } from '../../web/protocol/session.ts'
import { count, known, optional, type Shape, text } from '../../web/protocol/shape.ts'
import type { Ticket } from '../../web/protocol/tickets.ts'

/** Frames to and from an endpoint. */
export interface Line {
  send(frame: Uint8Array): void
  /** The next frame; undefined when the other side has ended the connection. */
  next(): Promise<Bytes | undefined>
  /** Ends it without a goodbye. */
  cut(): void
}

/** What comes, in order, for one who waits. */
export class Arrivals {
  readonly #frames: Bytes[] = []
  readonly #waiting: ((frame: Bytes | undefined) => void)[] = []
  #ended = false

  put(frame: Bytes): void {
    const waiting = this.#waiting.shift()
    if (waiting) waiting(frame)
    else this.#frames.push(frame)
  }

  end(): void {
    this.#ended = true
    for (const waiting of this.#waiting.splice(0)) waiting(undefined)
  }

  next(): Promise<Bytes | undefined> {
    const frame = this.#frames.shift()
    if (frame !== undefined || this.#ended) return Promise.resolve(frame)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}

/** Straight over TCP, as a headless peer. */
export async function tcpLine(port: number): Promise<Line & { readonly socket: Socket }> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true)
  const arrivals = new Arrivals()
  const reader = new TcpFrameReader()
  socket.on('data', (chunk) => {
    for (const frame of reader.push(chunk)) arrivals.put(frame.slice())
  })
  socket.on('error', () => undefined)
  socket.on('close', () => arrivals.end())
  await once(socket, 'connect')
  return {
    socket,
    send: (frame) => void socket.write(encodeTcpFrame(frame)),
    next: () => arrivals.next(),
    cut: () => void socket.destroy(),
  }
}

/** A relay of our own: its trunk, with every message on it counted. */
export class BareTrunk {
  readonly #trunk: Trunk
  readonly #lines = new Map<number, Arrivals>()
  readonly #topics = new Map<number, Set<number>>()
  readonly messages: TrunkMessage[] = []
  readonly socket: Socket
  #next = 1

  private constructor(socket: Socket) {
    this.socket = socket
    this.#trunk = new Trunk(socket, {
      message: (message) => this.#receive(message),
      closed: () => {
        for (const line of this.#lines.values()) line.end()
      },
    })
  }

  static async dial(port: number): Promise<BareTrunk> {
    const socket = connect(port, '127.0.0.1').setNoDelay(true)
    await once(socket, 'connect')
    return new BareTrunk(socket)
  }

  /** One more tab, from the network of this tag. */
  open(tag: Bytes = new Uint8Array(ORIGIN_TAG)): Line & { readonly id: number } {
    const id = this.#next++
    const arrivals = new Arrivals()
    this.#lines.set(id, arrivals)
    this.#trunk.send(TRUNK.open, id, tag)
    return {
      id,
      send: (frame) => this.#trunk.send(TRUNK.data, id, frame),
      next: () => arrivals.next(),
      cut: () => this.#trunk.sendClose(id, 1006, ''),
    }
  }

  casts(): number {
    return this.messages.filter(({ op }) => op === TRUNK.cast).length
  }

  close(): void {
    this.#trunk.close()
  }

  #receive({ op, id, body }: TrunkMessage): void {
    this.messages.push({ op, id, body: body.slice() })
    const topic = op === TRUNK.subscribe || op === TRUNK.unsubscribe ? body : undefined
    if (op === TRUNK.data) this.#lines.get(id)?.put(body.slice())
    else if (op === TRUNK.close) this.#lines.get(id)?.end()
    else if (op === TRUNK.cast)
      for (const one of this.#topics.get(id) ?? []) this.#lines.get(one)?.put(body.slice())
    else if (topic !== undefined) {
      const number = new DataView(topic.buffer, topic.byteOffset).getUint32(0)
      const ids = this.#topics.get(number) ?? new Set()
      this.#topics.set(number, ids)
      if (op === TRUNK.subscribe) ids.add(id)
      else ids.delete(id)
    }
  }
}

export interface Enter {
  readonly host?: string
  readonly user: string
  readonly identity: Identity
  readonly device?: Bytes
  readonly ticket?: Ticket | undefined
  /** Hex fingerprint; the first key that is seen is trusted otherwise. */
  readonly fingerprint?: string
}

let shared: Promise<Identity> | undefined

/** One identity for tests in which the key does not matter: making one takes a while. */
export function anIdentity(): Promise<Identity> {
  shared ??= generateIdentity()
  return shared
}

async function answered(line: Line): Promise<Bytes> {
  const frame = await line.next()
  if (frame === undefined) throw new SottoError('truncated', 'The connection ended.')
  const alert = readClearAlert(frame)
  if (alert !== undefined) throw new SottoError(alert, `clear alert ${alert}`)
  return frame
}

/** Runs the handshake. Throws SottoError with the code of a clear alert. */
export async function shakeHands(line: Line, enter: Enter): Promise<Established> {
  const first = await startHandshake({
    primitives: nodePrimitives,
    host: enter.host ?? 'localhost',
    pin: enter.fingerprint === undefined ? undefined : fromHex(enter.fingerprint),
    identity: enter.identity,
    user: enter.user,
    device: enter.device ?? nodePrimitives.random(16),
    ticket: enter.ticket,
    now: () => performance.now(),
  })
  line.send(first.m1)
  const second = await first.receive(await answered(line))
  line.send(second.m3)
  return second.mode === 'full' ? second.receive(await answered(line)) : second.established
}

/** The endpoint said no to a request. */
export class RefusedAsk extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(`${refusal.error}: ${refusal.text}`)
    this.refusal = refusal
  }

  get code(): string {
    return this.refusal.error
  }
}

const kind = known({ re: optional(count), error: optional(text(40)) })

interface Waiting {
  readonly op: Op
  resolve(reply: unknown): void
  reject(error: Error): void
}

/** A session whose every word is the test's. Reads by itself all the time. */
export class BarePeer {
  readonly line: Line
  readonly session: Session
  readonly established: Established
  readonly params: Params
  readonly events: Event[] = []
  readonly casts: CastEntry[] = []
  /** How it ended: an alert, a close reason, or `cut`. */
  readonly ended: Promise<string>
  readonly #waiting = new Map<number, Waiting>()
  readonly #watchers = new Set<() => void>()
  readonly #openers: CastOpener[] = []
  #next = 1
  #silent = false
  #end = ''

  constructor(line: Line, established: Established) {
    this.line = line
    this.established = established
    this.params = decodeParams(established.params)
    this.session = new Session({
      primitives: nodePrimitives,
      established,
      role: 'client',
      maxMessage: this.params.limits.maxMessage,
      now: () => performance.now(),
      write: (frame) => line.send(frame),
    })
    this.ended = this.#read()
  }

  /** Asks, and gives the reply; a refusal is thrown as {@link RefusedAsk}. */
  ask<A extends Ask>(ask: A): Promise<Reply<A['op']>> {
    const id = this.#next++
    const reply = new Promise<Reply<A['op']>>((resolve, reject) => {
      this.#waiting.set(id, { op: ask.op, resolve: resolve as (reply: unknown) => void, reject })
    })
    void this.session.send(encodeMessage({ ...ask, id })).catch(() => undefined)
    return reply
  }

  /** The first event, past or to come, that fits. */
  async event<E extends Event['ev']>(
    ev: E,
    fits: (event: Extract<Event, { ev: E }>) => boolean = () => true,
  ): Promise<Extract<Event, { ev: E }>> {
    const found = () =>
      this.events.find(
        (event): event is Extract<Event, { ev: E }> =>
          event.ev === ev && fits(event as Extract<Event, { ev: E }>),
      )
    return this.until(found)
  }

  /** Waits until `look` finds something, looking again whenever anything arrives. */
  until<T>(look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = look()
        if (found === undefined && !this.#silent) return
        this.#watchers.delete(check)
        if (found === undefined) reject(new Error(`the session ended before: ${this.#end}`))
        else resolve(found)
      }
      this.#watchers.add(check)
      check()
    })
  }

  /** Takes the casts of a room from now on; what came is in {@link casts}. */
  async subscribe(room: Bytes): Promise<Reply<'subscribe'>> {
    const reply = await this.ask({ op: 'subscribe', room })
    return reply
  }

  async #read(): Promise<string> {
    let end = 'cut'
    try {
      for (
        let frame = await this.line.next();
        frame !== undefined;
        frame = await this.line.next()
      ) {
        end = (await this.#take(frame)) ?? end
      }
    } catch (error) {
      end = error instanceof SottoError ? error.code : String(error)
      this.line.cut()
    }
    this.#end = end
    this.#silent = true
    for (const { reject } of this.#waiting.values()) reject(new Error(`session over: ${end}`))
    for (const look of [...this.#watchers]) look()
    return end
  }

  async #take(frame: Bytes): Promise<string | undefined> {
    const opener = this.#openers.find((one) => one.owns(frame))
    if (opener !== undefined) {
      const entry = await opener.open(frame)
      if (entry !== undefined) this.casts.push(entry)
    } else {
      const received: Received = await this.session.receive(frame)
      if (received.kind === 'message') await this.#message(received.message)
      if (received.kind === 'alert') return received.alert
      if (received.kind === 'closed') return `closed ${received.reason}`
    }
    for (const look of [...this.#watchers]) look()
    return undefined
  }

  async #message(message: Bytes): Promise<void> {
    const value = decodeMessage(kind, message)
    if (value.re === undefined) {
      const event = decodeMessage(eventSchema, message)
      this.events.push(event)
      if (event.ev === 'cast_secret') await this.#learn(event.room, event.castSecret)
      return
    }
    const waiting = this.#waiting.get(value.re)
    this.#waiting.delete(value.re)
    if (waiting === undefined) throw new Error('an answer that nobody waits for')
    if (value.error !== undefined) {
      waiting.reject(new RefusedAsk(decodeMessage(refusalSchema, message)))
      return
    }
    const { re: _, ...rest } = value
    const reply = checkMessage(replySchemas[waiting.op] as Shape<Reply<Op>>, rest)
    if (waiting.op === 'subscribe') {
      const { castSecret, head } = reply as Reply<'subscribe'>
      await this.#learn(head.room, castSecret)
    }
    waiting.resolve(reply)
  }

  async #learn(room: Bytes, secret: Bytes): Promise<void> {
    const { logPub } = this.params
    this.#openers.push(await CastOpener.make(nodePrimitives, secret, logPub, room))
  }

  async close(): Promise<void> {
    await this.session.close('done')
    await this.ended
  }
}

/** Connects over TCP, shakes hands, registers when the name is new. */
export async function enter(port: number, who: Enter, line?: Line): Promise<BarePeer> {
  const on = line ?? (await tcpLine(port))
  const peer = new BarePeer(on, await shakeHands(on, who))
  if (peer.params.status === 'register') await peer.ask({ op: 'register' })
  return peer
}

// ── MLS messages as the endpoint sees them: a header in clear and bytes that it can't read ──

const PRIVATE = 2
const PUBLIC = 1

function vector(bytes: Uint8Array): Bytes {
  if (bytes.length < 2 ** 6) return concat(u8(bytes.length), bytes)
  if (bytes.length < 2 ** 14) return concat(u16(0x4000 | bytes.length), bytes)
  return concat(u32(0x8000_0000 + bytes.length), bytes)
}

export interface Sealed {
  readonly room: Bytes
  readonly generation?: number
  readonly epoch: number
  readonly kind?: 'application' | 'proposal' | 'commit'
  /** Stands for the ciphertext. */
  readonly body?: Uint8Array
}

/** A PrivateMessage. */
export function sealed({ room, generation = 0, epoch, kind = 'application', body }: Sealed): Bytes {
  const type = { application: 1, proposal: 2, commit: 3 }[kind]
  return concat(
    ...[u16(1), u16(PRIVATE), vector(concat(room, u32(generation))), u64(epoch), u8(type)],
    ...[vector(new Uint8Array(0)), vector(new Uint8Array(28))],
    vector(body ?? nodePrimitives.random(300)),
  )
}

/** Who an external commit says that it brings: by default with the shared identity. */
export interface Joining {
  readonly user: string
  readonly device: Bytes
  readonly identity?: Identity
}

/** A PublicMessage by which this device joins from outside: what comes after its credential is noise. */
export async function joining(
  { established }: Pick<BarePeer, 'established'>,
  { room, generation = 0, epoch }: Sealed,
  { user, device, identity }: Joining,
): Promise<Bytes> {
  const signatureKey = nodePrimitives.random(32)
  const claim = { user, device, signatureKey, hostKeyHash: established.endpointKey }
  const binding = await makeBinding(identity ?? (await anIdentity()), claim, Date.now())
  return concat(
    ...[u16(1), u16(PUBLIC), vector(concat(room, u32(generation))), u64(epoch), u8(4)],
    ...[vector(new Uint8Array(0)), u8(3), vector(new Uint8Array(0)), u8(1)],
    ...[vector(new Uint8Array(1216).fill(7)), vector(signatureKey), u16(1)],
    ...[vector(binding.encoded), nodePrimitives.random(200)],
  )
}

export function msgId(): Bytes {
  return nodePrimitives.random(16)
}
