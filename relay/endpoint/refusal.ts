import { SottoError } from '../../web/protocol/errors.ts'
import type { RefusalCode } from '../../web/protocol/messages.ts'

/** Where a room's group is, for a peer that is behind. */
interface Place {
  readonly epoch?: number
  readonly generation?: number
}

/** A request that is answered with a refusal: the session goes on. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly code: RefusalCode
  readonly retryAfter: number | undefined
  readonly place: Place

  /** `text` is for people: what happened and what to do. `retryAfter` in milliseconds. */
  constructor(code: RefusalCode, text: string, retryAfter?: number, place: Place = {}) {
    super(text)
    this.code = code
    this.retryAfter = retryAfter
    this.place = place
  }
}

const STALE = 'The room has moved on. The message is prepared again.'

export function staleEpoch(place: { generation: number | null; epoch: number }): Refused {
  const { generation, epoch } = place
  return new Refused(
    'stale_epoch',
    STALE,
    undefined,
    generation === null ? {} : { generation, epoch },
  )
}

export function badRequest(text = 'This request can’t be read. Reload the page to update it.') {
  return new Refused('bad_request', text)
}

const BUSY_MS = 2_000

export function slowDown(retryAfter: number): Refused {
  return new Refused('slow_down', 'That was too much at once. Wait a moment.', retryAfter)
}

/** What a failure of the store or the protocol means for the one who asked. */
export function refusalOf(error: unknown): Refused | undefined {
  if (error instanceof Refused) return error
  if (!(error instanceof SottoError)) return undefined
  if (error.code === 'unavailable') return new Refused('unavailable', error.message)
  if (error.code === 'decode_error') return badRequest()
  if (error.code === 'busy') return slowDown(BUSY_MS)
  if (error.code === 'limit') return new Refused('too_large', error.message)
  return undefined
}
