/**
 * Tickets: what both sides keep so that the next connection needs no RSA (PROTOCOL.md,
 * "Resumption"). The endpoint keeps them in memory only; a client holds one per tab, its psk as a
 * non-extractable key. Time is in milliseconds and is passed in: the endpoint's is of a monotonic
 * clock, so that one that jumps neither revives a ticket nor kills one; a client's is the time of
 * day where the ticket outlives the page.
 */
import { type Bytes, equal, hex, packed, unpacked } from './bytes.ts'
import { drv } from './key_schedule.ts'
import type { HmacKey, Primitives } from './primitives.ts'

export const TICKET_ID_LENGTH = 16
/** 24 hours. */
export const TICKET_LIFE_MS = 24 * 3_600_000
/** 7 days from the last full handshake, whatever came in between. */
export const TICKET_CHAIN_MS = 7 * 24 * 3_600_000

/** To whom and to what a ticket is bound: any change of one of these kills it. */
export interface TicketBinding {
  readonly host: string
  readonly user: string
  /** 16 bytes. */
  readonly device: Bytes
  /** The client's SPKI. */
  readonly spki: Bytes
  /** SHA-256 of the endpoint's SPKI. */
  readonly endpointKey: Bytes
}

export interface Ticket extends TicketBinding {
  /** First 16 bytes of Drv(psk, "ticket id"): no message carries it before it is used. */
  readonly id: Bytes
  readonly psk: HmacKey
  /** The endpoint's word for the state of admission at the time; empty at the client. */
  readonly admission: string
  readonly lastFull: number
  readonly expires: number
}

/** First 16 bytes of Drv(psk, "ticket id"): it commits to the key. */
export async function ticketId(p: Primitives, psk: HmacKey): Promise<Bytes> {
  return (await drv(p, psk, 'ticket id')).slice(0, TICKET_ID_LENGTH)
}

/** The ticket that a finished handshake leaves behind. `lastFull` is `now` after a full one. */
export async function makeTicket(
  p: Primitives,
  psk: HmacKey,
  binding: TicketBinding,
  admission: string,
  lastFull: number,
  now: number,
): Promise<Ticket> {
  return {
    host: binding.host,
    user: binding.user,
    device: binding.device,
    spki: binding.spki,
    endpointKey: binding.endpointKey,
    id: await ticketId(p, psk),
    psk,
    admission,
    lastFull,
    expires: Math.min(now + TICKET_LIFE_MS, lastFull + TICKET_CHAIN_MS),
  }
}

/** True when `ticket` may be used by exactly this client with exactly this endpoint. */
export function ticketFits(ticket: Ticket, binding: TicketBinding, now: number): boolean {
  return (
    now < ticket.expires &&
    now >= ticket.lastFull &&
    ticket.host === binding.host &&
    ticket.user === binding.user &&
    equal(ticket.device, binding.device) &&
    equal(ticket.spki, binding.spki) &&
    equal(ticket.endpointKey, binding.endpointKey)
  )
}

/** A ticket in the store: with what is long in it {@link packed}. */
type Kept = Omit<Ticket, 'spki'> & { readonly spki: string }

/**
 * The endpoint's tickets. At most `capacity`; the oldest goes first. One per device of a person
 * and tab would be enough, but a client that lost its answer may hold the one before. What its
 * owner may no longer use (a removed device, a new password) is found out by the directory, which
 * is asked before a ticket counts: here nothing has to be looked for.
 */
export class TicketStore {
  readonly #tickets = new Map<string, Kept>()
  readonly #capacity: number
  #walk = this.#tickets.keys()
  #first: string | undefined

  constructor(capacity = 100_000) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#tickets.size
  }

  put(ticket: Ticket, now: number): void {
    this.#dropExpired(now)
    this.#tickets.set(hex(ticket.id), { ...ticket, spki: packed(ticket.spki) })
    if (this.#tickets.size > this.#capacity) this.#tickets.delete(this.#oldest() ?? '')
  }

  /** The ticket of this id, unless it is unknown, used or too old. It is not used up by this. */
  find(id: Bytes, now: number): Ticket | undefined {
    const kept = this.#tickets.get(hex(id))
    if (kept === undefined || now >= kept.expires) return undefined
    return { ...kept, spki: unpacked(kept.spki) }
  }

  /** True once per ticket, to the first who asks after fin_c was verified. */
  consume(id: Bytes, now: number): boolean {
    const fresh = this.find(id, now) !== undefined
    return this.#tickets.delete(hex(id)) && fresh
  }

  /** The same session was admitted by other means (it registered, gave its password). */
  readmit(id: Bytes, admission: string): void {
    const ticket = this.#tickets.get(hex(id))
    if (ticket !== undefined) this.#tickets.set(hex(id), { ...ticket, admission })
  }

  /** Tickets leave in the order they came, which is nearly the order in which they expire. */
  #dropExpired(now: number): void {
    for (let id = this.#oldest(); id !== undefined; id = this.#oldest()) {
      if (now < (this.#tickets.get(id)?.expires ?? 0)) break
      this.#tickets.delete(id)
    }
  }

  /**
   * The id that came first. One walk for all: each new one would begin with all the places that
   * have become empty at the front, tens of thousands when the store is full.
   */
  #oldest(): string | undefined {
    while (this.#first === undefined || !this.#tickets.has(this.#first)) {
      const { value, done } = this.#walk.next()
      this.#first = value
      if (!done) continue
      this.#walk = this.#tickets.keys()
      return undefined
    }
    return this.#first
  }
}
