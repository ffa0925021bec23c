/** What the terminal says, in words. */
import type { ConnectionState, TimelineItem, Trust } from '../../web/chat/model.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { harmless, harmlessLines } from './harmless.ts'

/** How far a person's key is known, as `/list` says it. */
export const TRUST: Record<Trust, string> = {
  pinned: 'not verified yet',
  verified: 'verified by you',
  changed: 'key has changed',
}

/** One item of a timeline, with nothing in it that a terminal would obey. */
export function lineOf(item: TimelineItem): string {
  const time = new Date(item.at).toTimeString().slice(0, 5)
  if (item.kind === 'system') return `${time} * ${harmless(item.text)}`
  return `${time} ${harmless(item.from)}: ${harmlessLines(item.text)}`
}

const REMOVED =
  'If you removed it, go on from another device; if you did not, somebody else has your key: warn the people you write with, and take another name.'

export type Online = ConnectionState & { readonly phase: 'online' }

/** The connection's state, as long as there is none that works. */
export function words(connection: Exclude<ConnectionState, Online>): string {
  switch (connection.phase) {
    case 'connecting':
      return 'Connecting'
    case 'handshake':
      return 'Handshake'
    case 'admission':
      return connection.text
    case 'entering':
      return 'Entering the lobby'
    case 'offline':
      return `Not connected. ${connection.text}`.trim()
    case 'stopped':
      return `Stopped. ${connection.text} ${connection.final ? REMOVED : ''}`.trim()
  }
}

/** What went wrong. */
export function said(error: unknown): string {
  return error instanceof SottoError ? harmless(error.message) : 'Something went wrong.'
}
