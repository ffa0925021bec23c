/**
 * The two ends of a connection as anything on the wire sees them: frames go in, frames come out,
 * and at the end each says how far it got. What lies between is the test's to play with.
 */
import { clearAlertFor } from '../../web/protocol/alerts.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import {
  type AwaitEndpoint,
  type AwaitParams,
  type ClientOptions,
  startHandshake,
} from '../../web/protocol/handshake_client.ts'
import type { Established } from '../../web/protocol/handshake_keys.ts'
import { type AwaitClient, acceptHandshake } from '../../web/protocol/handshake_server.ts'
import { Session } from '../../web/protocol/session.ts'
import { MAX_MESSAGE, type Rig } from './handshake_rig.ts'

type State =
  | { readonly at: 'm1' }
  | { readonly at: 'm2'; readonly step: AwaitEndpoint }
  | { readonly at: 'm3'; readonly step: AwaitClient }
  | { readonly at: 'm4'; readonly step: AwaitParams }
  | { readonly at: 'session'; readonly session: Session }
  | { readonly at: 'dead' }

abstract class End {
  /** Frames written, oldest first: the wire takes them away. */
  readonly out: Bytes[] = []
  readonly messages: Bytes[] = []
  established: Established | undefined
  /** Why it ended, if it did. */
  failure: string | undefined
  protected state: State = { at: 'dead' }
  protected readonly rig: Rig

  constructor(rig: Rig) {
    this.rig = rig
  }

  get at(): State['at'] {
    return this.state.at
  }

  /** Takes a frame off the wire. Never throws: what it did shows in the fields. */
  async take(frame: Bytes): Promise<void> {
    try {
      if (this.state.at === 'session') await this.#inSession(this.state.session, frame)
      else await this.handshake(frame)
    } catch (error) {
      const during = this.state.at
      this.state = { at: 'dead' }
      this.failure = error instanceof SottoError ? error.code : `threw ${error}`
      if (during !== 'session') this.refuse(error)
    }
  }

  async send(message: Bytes): Promise<void> {
    if (this.state.at === 'session' && this.state.session.open)
      await this.state.session.send(message)
  }

  /** What the transport says when the stream is over. */
  endOfStream(): string | undefined {
    if (this.state.at === 'session') return this.state.session.streamEnded()?.code
    return this.state.at === 'dead' ? undefined : 'truncated'
  }

  get session(): Session | undefined {
    return this.state.at === 'session' ? this.state.session : undefined
  }

  protected abstract handshake(frame: Bytes): Promise<void>
  protected abstract refuse(error: unknown): void

  protected enter(established: Established, role: 'client' | 'server'): void {
    this.established = established
    const session = new Session({
      primitives: this.rig.primitives,
      established,
      role,
      maxMessage: MAX_MESSAGE,
      now: () => this.rig.time,
      write: (frame) => this.out.push(frame),
    })
    this.state = { at: 'session', session }
  }

  async #inSession(session: Session, frame: Bytes): Promise<void> {
    const received = await session.receive(frame)
    if (received.kind === 'message') this.messages.push(received.message)
    if (received.kind === 'alert' || received.kind === 'closed') {
      this.state = { at: 'dead' }
      this.failure = received.kind === 'alert' ? `alert ${received.alert}` : 'closed'
    }
  }
}

export class ClientEnd extends End {
  static async start(rig: Rig, change: Partial<ClientOptions> = {}): Promise<ClientEnd> {
    const end = new ClientEnd(rig)
    const step = await startHandshake({ ...rig.client, ...change })
    end.state = { at: 'm2', step }
    end.out.push(step.m1)
    return end
  }

  protected async handshake(frame: Bytes): Promise<void> {
    if (this.state.at === 'm2') {
      const answered = await this.state.step.receive(frame)
      this.out.push(answered.m3)
      if (answered.mode === 'resumed') this.enter(answered.established, 'client')
      else this.state = { at: 'm4', step: answered }
    } else if (this.state.at === 'm4') {
      this.enter(await this.state.step.receive(frame), 'client')
    }
  }

  /** The client says nothing when it refuses. */
  protected refuse(): void {}
}

export class ServerEnd extends End {
  constructor(rig: Rig) {
    super(rig)
    this.state = { at: 'm1' }
  }

  protected async handshake(frame: Bytes): Promise<void> {
    if (this.state.at === 'm1') {
      const step = await acceptHandshake(this.rig.server, frame)
      this.out.push(step.m2)
      this.state = { at: 'm3', step }
    } else if (this.state.at === 'm3') {
      const { m4, established } = await this.state.step.receive(frame)
      if (m4) this.out.push(m4)
      this.enter(established, 'server')
    }
  }

  protected refuse(error: unknown): void {
    this.out.push(clearAlertFor(error))
  }
}

/** What the wire does with a frame: by direction and number, from 0. */
export type Wire = (frame: Bytes, to: 'client' | 'server', index: number) => readonly Bytes[]

export const honest: Wire = (frame) => [frame]

/** Moves frames, through the wire's hands, until nobody has any more. */
export class Line {
  readonly client: ClientEnd
  readonly server: ServerEnd
  readonly #wire: Wire
  readonly #count = { client: 0, server: 0 }

  constructor(client: ClientEnd, server: ServerEnd, wire: Wire = honest) {
    this.client = client
    this.server = server
    this.#wire = wire
  }

  static async open(rig: Rig, wire: Wire = honest, change: Partial<ClientOptions> = {}) {
    const line = new Line(await ClientEnd.start(rig, change), new ServerEnd(rig), wire)
    await line.settle()
    return line
  }

  /** Both ends hold a session, and the same one. */
  get up(): boolean {
    return this.client.at === 'session' && this.server.at === 'session'
  }

  async settle(): Promise<void> {
    for (;;) {
      const up = this.client.out.shift()
      const down = this.server.out.shift()
      if (up === undefined && down === undefined) return
      if (up) await this.#move(up, 'server')
      if (down) await this.#move(down, 'client')
    }
  }

  async #move(frame: Bytes, to: 'client' | 'server'): Promise<void> {
    const frames = this.#wire(frame, to, this.#count[to])
    this.#count[to] += 1
    for (const changed of frames) await this[to].take(changed)
  }
}
