/**
 * What can go wrong between two ends, in the words of PROTOCOL.md. The codes up to `no_such_host`
 * may travel in clear, those up to `going_away` sealed (PROTOCOL.md, "Alerts"); the others never
 * leave the side that found them.
 */
export const ALERTS = [
  'protocol_version',
  'busy',
  'handshake_failed',
  'decode_error',
  'no_such_host',
  'bad_record',
  'unexpected_message',
  'limit',
  'revoked',
  'replaced',
  'internal',
  'going_away',
] as const

export type Alert = (typeof ALERTS)[number]

export type ErrorCode =
  | Alert
  /** The endpoint's key is not the one that is pinned: stop, tell the person, send nothing. */
  | 'endpoint_key_changed'
  /** A share of small order, or one that is all zero, or our own come back. */
  | 'illegal_parameter'
  /** Opening, verifying or a MAC failed. One code for all, so nothing can be learnt from it. */
  | 'crypto_failed'
  /** The stream ended without an authenticated close. */
  | 'truncated'
  /** A handshake step did not come within ten seconds. */
  | 'timeout'
  | 'closed'
  | 'bad_key'
  | 'bad_passphrase'
  | 'bad_name'
  | 'bad_member'
  | 'stale_epoch'
  | 'forked'
  | 'rolled_back'
  | 'unavailable'
  | 'refused'

/**
 * The project's one error type. `message` is for people: it says what happened and what to do,
 * and never holds a key, a password or content.
 */
export class SottoError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SottoError'
    this.code = code
  }
}

/** What an error says to people: one that was not made for them, that there was one. */
export function textOf(error: unknown): string {
  return error instanceof SottoError
    ? error.message
    : 'Something went wrong here. Close Sotto, open it again and try once more.'
}
