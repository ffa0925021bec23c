import { type Bytes, equal } from '../protocol/bytes.ts'
import type { HmacKey, Primitives } from '../protocol/primitives.ts'
import { type Ticket, ticketId } from '../protocol/tickets.ts'
import type { Vault } from './vault.ts'

/** The storage key. */
export const TICKET = 'ticket'

/** A ticket as it rests. Its key can't be sealed, being one that can't be exported. */
interface StoredTicket {
  readonly sealed: Bytes
  readonly psk: HmacKey
}

export async function sealTicket(vault: Vault, ticket: Ticket): Promise<StoredTicket> {
  const { psk, lastFull, expires, ...rest } = ticket
  const times = { lastFull: Math.floor(lastFull), expires: Math.floor(expires) }
  return { sealed: await vault.seal(TICKET, { ...rest, ...times }), psk }
}

/**
 * The stored ticket; undefined unless it is one of ours with the very key that it had. Whoever put
 * a key of their own there could pass for the endpoint, whose RSA key a resumption never asks for.
 */
export async function openTicket(
  p: Primitives,
  vault: Vault,
  stored: unknown,
): Promise<Ticket | undefined> {
  try {
    const { sealed, psk } = stored as StoredTicket
    const ticket = (await vault.open(TICKET, sealed)) as Omit<Ticket, 'psk'>
    return equal(await ticketId(p, psk), ticket.id) ? { ...ticket, psk } : undefined
  } catch {
    return undefined
  }
}
