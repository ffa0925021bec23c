/**
 * What the endpoint tells about a session in M4 (or M2 of a resumption), authenticated by fin_s:
 *
 *     params = u8 status | session_id[16] | lp8 account | log_pub[32] | limits
 *     limits = u32 longest message in bytes | u16 idle seconds
 */
import { type Bytes, concat, fromUtf8, lp8, Reader, u8, u16, u32, utf8 } from './bytes.ts'
import { SottoError } from './errors.ts'

/** In the order of their codes on the wire. */
const STATUSES = ['ok', 'register', 'not_admitted'] as const
export type Status = (typeof STATUSES)[number]

const SESSION_ID_LENGTH = 16
const LOG_PUB_LENGTH = 32

export interface Limits {
  /** Longest application message, in bytes, either way. */
  readonly maxMessage: number
  /**
   * After this many seconds without a record from the peer the endpoint closes. It pings in between:
   * a client that answers needs no timer for this.
   */
  readonly idle: number
}

export interface Params {
  /** ok: admitted; register: the name is free; not_admitted: a password is needed first. */
  readonly status: Status
  /** 16 random bytes. */
  readonly sessionId: Bytes
  /** The account's name as the endpoint writes it. */
  readonly account: string
  /** Ed25519 key, 32 bytes, that signs casts. */
  readonly logPub: Bytes
  readonly limits: Limits
}

/** Throws RangeError when a field has a wrong length. */
export function encodeParams(params: Params): Bytes {
  if (params.sessionId.length !== SESSION_ID_LENGTH || params.logPub.length !== LOG_PUB_LENGTH)
    throw new RangeError('a field of params has a wrong length')
  return concat(
    u8(STATUSES.indexOf(params.status)),
    params.sessionId,
    lp8(utf8(params.account)),
    params.logPub,
    u32(params.limits.maxMessage),
    u16(params.limits.idle),
  )
}

/** Throws SottoError `decode_error`. */
export function decodeParams(bytes: Bytes): Params {
  try {
    const reader = new Reader(bytes)
    const status = STATUSES[reader.u8()]
    if (status === undefined) throw new RangeError('unknown status')
    const params = {
      status,
      sessionId: reader.take(SESSION_ID_LENGTH),
      account: fromUtf8(reader.lp8()),
      logPub: reader.take(LOG_PUB_LENGTH),
      limits: { maxMessage: reader.u32(), idle: reader.u16() },
    }
    reader.end()
    return params
  } catch (cause) {
    throw new SottoError('decode_error', 'The server said something unreadable.', { cause })
  }
}
