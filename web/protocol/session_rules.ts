/** When keys change, when a peer is gone, and what is too much (PROTOCOL.md, "Records"). */
import { SottoError } from './errors.ts'

/** A key is changed after this many records, bytes or milliseconds, whichever comes first. */
const UPDATE_RECORDS = 2 ** 20
const UPDATE_BYTES = 2 ** 30
const UPDATE_MS = 3_600_000

export function updateDue(records: number, bytes: number, age: number): boolean {
  // A key that has sealed nothing needs no successor, however old it is.
  return records >= UPDATE_RECORDS || bytes >= UPDATE_BYTES || (age >= UPDATE_MS && records > 0)
}

/** Two updates with fewer records between them and less time are an attack. */
const BETWEEN_RECORDS = 1000
const BETWEEN_MS = 10_000

/** Counts the peer's key updates. */
export class UpdateGuard {
  #last = Number.NEGATIVE_INFINITY

  /** `records` were opened since the last one. Throws SottoError `limit`. */
  check(records: number, now: number): void {
    if (records < BETWEEN_RECORDS && now - this.#last < BETWEEN_MS)
      throw new SottoError('limit', 'The other side changes its keys too often.')
    this.#last = now
  }
}

/** After this much silence we ask; after this much more the peer is gone. */
const SILENT_MS = 10_000
const UNANSWERED_MS = 10_000
/** So long may a peer be silent before it is given up. */
export const GONE_MS = SILENT_MS + UNANSWERED_MS
/**
 * Who hears messages and has said nothing for so long says that it is there: the other side may
 * not be able to ask, as its ping waits behind all that it sends over a slow network.
 */
export const UNHEARD_MS = 8_000
/** A peer may ping this often at once, and once a second in the long run. */
const PING_BURST = 16
const PING_MS = 1000

/** Who has been heard when. */
export class Liveness {
  #heard: number
  /** The oldest ping without an answer, and how many there are. */
  #pingedAt = 0
  #unanswered = 0
  #pings = PING_BURST
  #pingsSince: number

  constructor(now: number) {
    this.#heard = now
    this.#pingsSince = now
  }

  heard(now: number): void {
    this.#heard = now
  }

  pinged(now: number): void {
    if (this.#unanswered === 0) this.#pingedAt = now
    this.#unanswered += 1
  }

  /** Throws SottoError `unexpected_message` for an answer to nothing. */
  ponged(): void {
    if (this.#unanswered === 0)
      throw new SottoError('unexpected_message', 'The other side answered a ping never sent.')
    this.#unanswered -= 1
    this.#pingedAt = this.#heard
  }

  /** Throws SottoError `limit` when the peer pings too often. */
  pingedBy(now: number): void {
    const refilled = this.#pings + (now - this.#pingsSince) / PING_MS
    this.#pings = Math.min(PING_BURST, refilled) - 1
    this.#pingsSince = now
    if (this.#pings < 0) throw new SottoError('limit', 'The other side pings too often.')
  }

  /** Whatever is heard is a sign of life, an answer or not. */
  state(now: number): 'heard' | 'silent' | 'waiting' | 'dead' {
    const quiet = now - this.#heard
    if (this.#unanswered === 0) return quiet >= SILENT_MS ? 'silent' : 'heard'
    return Math.min(quiet, now - this.#pingedAt) >= UNANSWERED_MS ? 'dead' : 'waiting'
  }
}
