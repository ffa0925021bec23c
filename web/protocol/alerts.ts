/**
 * Alerts and reasons for closing, as bytes (PROTOCOL.md, "Alerts"). A clear alert is a frame of
 * two bytes, 0x15 ‖ u8 code; a sealed one is a record's payload of one byte. Clear ones are
 * advice only: whoever holds the wire can forge them, so nothing weaker is ever tried for one.
 */
import { type Bytes, u8 } from './bytes.ts'
import { ALERTS, type Alert, SottoError } from './errors.ts'

const CLEAR_ALERT = 0x15
const CLEAR_LENGTH = 2

const CLEAR = [
  'protocol_version',
  'busy',
  'handshake_failed',
  'decode_error',
  'no_such_host',
] as const
const SEALED = [
  'bad_record',
  'decode_error',
  'unexpected_message',
  'limit',
  'revoked',
  'replaced',
  'internal',
  'going_away',
] as const

export type ClearAlert = (typeof CLEAR)[number]
export type SealedAlert = (typeof SEALED)[number]

/** Why a side closed in order: payload of a `close` record is u8 index ‖ u64 last seq received. */
export const CLOSE_REASONS = ['done', 'idle', 'restart', 'refresh'] as const
export type CloseReason = (typeof CLOSE_REASONS)[number]

/** What to do about a name that may be wrong. */
export const CHECK_NAME = 'Check the link, or --host at a terminal.'

/** Texts for people, by alert, as the side that receives it shows them. */
const TEXTS: Record<Alert, string> = {
  protocol_version: 'The other side speaks another version of Sotto. Update the older of the two.',
  busy: 'The server has too much to do right now. Try again in a moment.',
  handshake_failed: 'The server did not accept this connection.',
  decode_error: 'The other side could not read a message. Reconnect; if it goes on, update Sotto.',
  no_such_host: `The server does not go by this name. ${CHECK_NAME}`,
  bad_record: 'A message was changed or lost on its way to the other side.',
  unexpected_message: 'The other side got a message that does not belong there.',
  limit: 'The other side ended the connection: a limit was passed.',
  revoked: 'This identity was removed. Ask whoever runs the server.',
  replaced: 'This device connected again elsewhere, so this connection was ended.',
  internal: 'The other side had a fault of its own. Reconnect in a moment.',
  going_away: 'The server is going down. It comes back by itself.',
}

/** The sentence for people that belongs to an alert. */
export function alertText(alert: Alert): string {
  return TEXTS[alert]
}

function isClear(code: string): code is ClearAlert {
  return (CLEAR as readonly string[]).includes(code)
}

function isSealed(code: string): code is SealedAlert {
  return (SEALED as readonly string[]).includes(code)
}

/** The frame of a clear alert. */
export function clearAlert(alert: ClearAlert): Bytes {
  return Uint8Array.of(CLEAR_ALERT, ALERTS.indexOf(alert))
}

/**
 * The clear alert that tells the other side of `error` during a handshake: its own code where
 * that may be said in clear, and `handshake_failed` for everything else.
 */
export function clearAlertFor(error: unknown): Bytes {
  const code = error instanceof SottoError ? error.code : 'handshake_failed'
  return clearAlert(isClear(code) ? code : 'handshake_failed')
}

/**
 * Undefined when `frame` is not shaped like a clear alert. Throws SottoError `decode_error` when
 * it is, but with a code that is not said in clear.
 */
export function readClearAlert(frame: Bytes): ClearAlert | undefined {
  if (frame.length !== CLEAR_LENGTH || frame[0] !== CLEAR_ALERT) return undefined
  const code = ALERTS[frame[1] ?? 0xff]
  if (code === undefined || !isClear(code))
    throw new SottoError('decode_error', 'The other side sent an unknown alert.')
  return code
}

/** Payload of an alert record. */
export function sealedAlert(alert: SealedAlert): Bytes {
  return u8(ALERTS.indexOf(alert))
}

/** Throws SottoError `decode_error` for anything but one byte with a sealed alert's code. */
export function readSealedAlert(payload: Bytes): SealedAlert {
  const code = payload.length === 1 ? ALERTS[payload[0] ?? 0xff] : undefined
  if (code === undefined || !isSealed(code))
    throw new SottoError('decode_error', 'The other side sent an unknown alert.')
  return code
}

/**
 * The sealed alert that tells the other side of `error`: its own code where there is an alert of
 * that name, and `internal` for everything else.
 */
export function sealedAlertFor(error: unknown): SealedAlert {
  const code = error instanceof SottoError ? error.code : 'internal'
  return isSealed(code) ? code : 'internal'
}
