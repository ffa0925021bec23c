import type { Bytes } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import { AnswerUnopened, EndpointKeyChanged } from '../protocol/handshake_client.ts'
import type { HandshakeStep } from '../protocol/handshake_steps.ts'
import type { Primitives } from '../protocol/primitives.ts'
import type { Ticket } from '../protocol/tickets.ts'
import type { Clock } from './clock.ts'
import { Connection, type ConnectionHandlers, type End } from './connection.ts'
import { greet, type Shaken } from './greet.ts'
import type { Profile } from './profile.ts'
import { Backoff } from './reconnect.ts'
import { openTicket, sealTicket, TICKET } from './stored_ticket.ts'
import type { Dial } from './transport.ts'
import type { Trust } from './trust.ts'

/** A session that lasted this long had come through: the next failure is a first one. */
const STEADY_MS = 5_000

export interface KeeperOptions {
  readonly profile: Profile
  readonly dial: Dial
  readonly host: string
  /** SHA-256 of the endpoint's SPKI as a link gave it. */
  readonly pin: Bytes | undefined
  readonly primitives: Primitives
  readonly trust: Trust
  readonly clock: Clock
  /** Numbers in [0, 1). */
  readonly random: () => number
}

/** What the keeper tells of the connection's life. */
export interface KeeperHandlers extends ConnectionHandlers {
  connecting(): void
  /** The connection stands and the handshake begins; without `connecting`, to renew the last one. */
  handshake(): void
  step(step: HandshakeStep): void
  /** The handshake is done. Resolves when the session may not begin after all or is over. */
  session(connection: Connection, transcript: Bytes): Promise<void>
  ended(end: End, retryAt: number | undefined): void
  /** The endpoint's key is not the pinned one: nothing more happens until the person decides. */
  keyChanged(seen: Bytes): void
}

/** Connects, and connects again, until it is told to stop or has to. */
export class Keeper {
  readonly #o: KeeperOptions
  readonly #handlers: KeeperHandlers
  readonly #backoff: Backoff
  #wanted = false
  #connection: Connection | undefined
  #abort = new AbortController()
  #running: Promise<void> | undefined
  #hurry: (() => void) | undefined

  constructor(options: KeeperOptions, handlers: KeeperHandlers) {
    this.#o = options
    this.#handlers = handlers
    this.#backoff = new Backoff(options.random)
  }

  start(): void {
    this.#wanted = true
    this.#hurry?.()
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#wanted) this.start()
    })
  }

  /** Says goodbye and stays away. */
  async stop(): Promise<void> {
    this.#wanted = false
    this.#abort.abort()
    this.#hurry?.()
    await this.#connection?.close()
    await this.#running
  }

  /** The network may be back, or may be another one: what failed on the last one counts no more. */
  wake(): void {
    this.#backoff.reset()
    this.#connection?.probe()
    this.#hurry?.()
  }

  async #run(): Promise<void> {
    let refresh = false
    while (this.#wanted) {
      this.#abort = new AbortController()
      // A connection that is only renewed is nothing for the person to wait for.
      if (!refresh) this.#handlers.connecting()
      const began = this.#o.clock.steady()
      const end = await this.#once()
      if (end === 'stopped') {
        this.#wanted = false
        return
      }
      const final = end.why === 'replaced' || end.why === 'revoked'
      if (final || !this.#wanted) {
        this.#wanted = false
        this.#handlers.ended(end, undefined)
        return
      }
      if (end.lasted && this.#o.clock.steady() - began > STEADY_MS) this.#backoff.reset()
      refresh = end.why === 'refresh'
      if (!refresh) await this.#wait(end)
    }
  }

  async #wait(end: End & { readonly lasted: boolean }): Promise<void> {
    const ms = this.#backoff.next(end.lasted)
    this.#handlers.ended(end, this.#o.clock.now() + ms)
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#o.clock.after(ms, resolve)
    this.#hurry = resolve
    await promise
    this.#hurry = undefined
    cancel()
  }

  /** One connection, from dialling to its end. */
  async #once(): Promise<(End & { readonly lasted: boolean }) | 'stopped'> {
    const { dial, clock, primitives } = this.#o
    let connection: Connection
    let transcript: Bytes
    let shaken: Shaken | undefined
    try {
      const options = await this.#clientOptions()
      const signal = this.#abort.signal
      shaken = await greet(dial, options, clock, signal, () => this.#handlers.handshake())
      await this.#remember(shaken.established.endpointKey, shaken.established.ticket)
      transcript = shaken.established.transcript
      connection = new Connection(shaken, primitives, clock, this.#handlers)
    } catch (error) {
      // The handshake may have come through, and what follows it not.
      shaken?.transport.close()
      if (error instanceof EndpointKeyChanged) {
        this.#handlers.keyChanged(error.seen)
        return 'stopped'
      }
      return { ...this.#notGreeted(error), lasted: false }
    }
    this.#connection = connection
    if (!this.#wanted) await connection.close()
    await this.#handlers.session(connection, transcript)
    const end = await connection.ended
    this.#connection = undefined
    return { ...end, lasted: true }
  }

  async #clientOptions() {
    const { profile, host, pin, primitives, trust, clock } = this.#o
    const { user, device, identity } = profile
    return {
      primitives,
      host,
      pin: trust.endpoint?.fingerprint ?? pin,
      identity,
      user,
      device,
      ticket: await this.#takeTicket(),
      trace: (step: HandshakeStep) => this.#handlers.step(step),
      now: () => clock.now(),
      steady: () => clock.steady(),
    }
  }

  /** A ticket is for one use: it is gone from the store before it is shown to anybody. */
  async #takeTicket(): Promise<Ticket | undefined> {
    const { storage, vault } = this.#o.profile
    const stored = await storage.read(TICKET)
    if (stored === undefined) return undefined
    await storage.write(new Map([[TICKET, undefined]]))
    return openTicket(this.#o.primitives, vault, stored)
  }

  async #remember(fingerprint: Bytes, ticket: Ticket): Promise<void> {
    const { trust, pin, profile } = this.#o
    if (trust.endpoint === undefined)
      await trust.pinEndpoint({ fingerprint, verified: pin !== undefined })
    await profile.storage.write(new Map([[TICKET, await sealTicket(profile.vault, ticket)]]))
  }

  #notGreeted(error: unknown): End {
    if (!(error instanceof SottoError))
      return { why: 'refused', text: 'Something went wrong here. Trying again.' }
    const text = this.#said(error)
    if (this.#mismatched(error)) return { why: 'refused', text, mismatch: true }
    return { why: TAMPERED.has(error.code) ? 'tampered' : 'refused', text }
  }

  /** Whose key is known, from before or from a link, does go by its name: then it was somebody else. */
  #mismatched(error: SottoError): boolean {
    const { trust, pin } = this.#o
    if (error instanceof AnswerUnopened) return (trust.endpoint?.fingerprint ?? pin) === undefined
    return error.code === 'protocol_version' || error.code === 'no_such_host'
  }

  #said(error: SottoError): string {
    if (error.code !== 'handshake_failed') return error.message
    const { profile, trust } = this.#o
    // It has accepted this device before: then the name is ours.
    if (trust.endpoint !== undefined)
      return `The server did not accept this device as ${profile.user} any more. Another device of yours has removed it, or whoever runs the server has closed the name.`
    if (profile.backedUp)
      return `The server did not accept you as ${profile.user} with this key. The name may belong to another key: use the name that yours belongs to, or take another name.`
    return `The server did not accept you as ${profile.user}. The name may belong to another key: take another name, or import the key file that it belongs to.`
  }
}

/** What an honest endpoint on an honest network never does in a handshake. */
const TAMPERED: ReadonlySet<string> = new Set([
  'crypto_failed',
  'illegal_parameter',
  'bad_key',
  'decode_error',
])
