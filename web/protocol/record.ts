/**
 * One direction of records (PROTOCOL.md, "Records"):
 *
 *     frame = u8 0x17 | u24 length | ct;  aad = those 4 bytes;  nonce = iv xor u64 seq
 *     inner = u8 content | payload | 0x80 | zeros to the next bucket
 *
 * A sealer and an opener each hold one traffic secret and one counter. Both work in the order of
 * the calls: seal and open promises finish out of order in Node and Firefox, so each call waits
 * for the one before it, and the counter is taken before the first await.
 */
import { type Bytes, concat, Reader } from './bytes.ts'
import { SottoError } from './errors.ts'
import { aeadOf, drvKey, nonceOf } from './key_schedule.ts'
import type { Aead, HmacKey, Primitives } from './primitives.ts'

export const CONTENT = { app: 1, keyUpdate: 2, alert: 3, close: 4, ping: 5, pong: 6 } as const
export type Content = keyof typeof CONTENT

export interface Inner {
  readonly content: Content
  readonly payload: Bytes
}

const RECORD = 0x17
const HEADER_LENGTH = 4
const TAG_LENGTH = 16
const PAD = 0x80
const FINE_STEP = 256
const FINE_MOST = 4096
const COARSE_STEP = 1024
/** Content, payload and padding together. */
export const INNER_MOST = 65_536
/** A record's payload at most: an inner of 64 KiB less its content byte and one of padding. */
export const PAYLOAD_MOST = INNER_MOST - 2
/** Records under one key at most, sealed or opened. */
export const RECORDS_MOST = 2 ** 23

/** The size of the inner plaintext for a payload of `length` bytes. */
export function bucket(length: number): number {
  const needed = length + 2
  const step = needed <= FINE_MOST ? FINE_STEP : COARSE_STEP
  return Math.ceil(needed / step) * step
}

function isBucket(size: number): boolean {
  return size > 0 && size <= INNER_MOST && bucket(size - 2) === size
}

export function encodeInner({ content, payload }: Inner): Bytes {
  if (payload.length > PAYLOAD_MOST) throw new RangeError('longer than a record')
  const inner = new Uint8Array(bucket(payload.length))
  inner[0] = CONTENT[content]
  inner.set(payload, 1)
  inner[payload.length + 1] = PAD
  return inner
}

const CONTENTS = Object.keys(CONTENT) as Content[]

/**
 * The payload is a view of `inner`. Throws SottoError `decode_error` for other padding than
 * {@link encodeInner} makes.
 */
export function decodeInner(inner: Bytes): Inner {
  let end = inner.length - 1
  while (end > 0 && inner[end] === 0) end -= 1
  const content = CONTENTS[(inner[0] ?? 0) - 1]
  if (content === undefined || end < 1 || inner[end] !== PAD || bucket(end - 1) !== inner.length)
    throw new SottoError('decode_error', 'A record could not be read.')
  return { content, payload: inner.subarray(1, end) }
}

interface Keys {
  readonly aead: Aead
  readonly iv: Bytes
}

/**
 * What sealer and opener share: the secret of this key, its AEAD, the counter, the queue. The AEAD
 * is made when it is needed and given up when the session rests: an endpoint with ten thousand
 * silent sessions keeps their secrets only.
 */
class Direction {
  readonly p: Primitives
  #secret: HmacKey | Promise<HmacKey>
  #keys: Promise<Keys> | undefined
  #seq = 0
  /** The last piece of queued work; undefined when there is none. Never its result: frames are large. */
  #tail: Promise<void> | undefined

  constructor(p: Primitives, secret: HmacKey) {
    this.p = p
    this.#secret = secret
  }

  /** Records under this key so far: the next sequence number. */
  get seq(): number {
    return this.#seq
  }

  /** Gives up what can be made again, unless it is in use. */
  rest(): void {
    if (this.#tail === undefined) this.#keys = undefined
  }

  /** Takes the next number and the key it belongs to, at once, and queues the work. */
  protected next<T>(work: (keys: Keys, seq: number) => Promise<T>): Promise<T> {
    const seq = this.#seq
    if (seq >= RECORDS_MOST)
      throw new SottoError('limit', 'Too many records under one key: reconnect.')
    this.#seq += 1
    this.#keys ??= this.#derive(this.#secret)
    const keys = this.#keys
    const start = async (): Promise<T> => work(await keys, seq)
    const result = this.#tail === undefined ? start() : this.#tail.then(start)
    const done = (): void => {
      if (this.#tail === tail) this.#tail = undefined
    }
    const tail = result.then(done, done)
    this.#tail = tail
    return result
  }

  /** s' = Drv(s, "upd"), seq 0. Records already queued keep the key they were queued under. */
  update(): void {
    const old = this.#secret
    const secret = (async () => drvKey(this.p, await old, 'upd'))()
    secret.catch(() => {})
    this.#secret = secret
    this.#keys = undefined
    this.#seq = 0
  }

  #derive(secret: HmacKey | Promise<HmacKey>): Promise<Keys> {
    const keys = (async () => aeadOf(this.p, await secret))()
    keys.catch(() => {})
    return keys
  }
}

export class RecordSealer extends Direction {
  /**
   * The record's frame. Results come in the order of the calls. Throws RangeError for a payload
   * over {@link PAYLOAD_MOST} and SottoError `limit` past {@link RECORDS_MOST}, both at once and
   * before a number is taken.
   */
  seal(inner: Inner): Promise<Bytes> {
    const plaintext = encodeInner(inner)
    return this.next(async ({ aead, iv }, seq) => {
      const length = plaintext.length + TAG_LENGTH
      const header = Uint8Array.of(RECORD, length >>> 16, length >>> 8, length)
      return concat(header, await aead.seal(nonceOf(iv, seq), header, plaintext))
    })
  }
}

export class RecordOpener extends Direction {
  /**
   * Opens a frame. Throws SottoError `bad_record` when it is not the next record of this key, and
   * `decode_error` when it is but holds no inner plaintext. Any failure is fatal: no other frame
   * may be given to this opener.
   */
  open(frame: Bytes): Promise<Inner> {
    return this.next(async ({ aead, iv }, seq) => {
      const header = frame.subarray(0, HEADER_LENGTH)
      const sealed = frame.subarray(HEADER_LENGTH)
      if (!isRecord(header, sealed)) throw badRecord()
      const inner = await openOrRefuse(aead, nonceOf(iv, seq), header, sealed)
      return decodeInner(inner)
    })
  }
}

async function openOrRefuse(aead: Aead, nonce: Bytes, aad: Bytes, sealed: Bytes): Promise<Bytes> {
  try {
    return await aead.open(nonce, aad, sealed)
  } catch (cause) {
    throw badRecord(cause)
  }
}

function isRecord(header: Bytes, sealed: Bytes): boolean {
  if (header.length < HEADER_LENGTH) return false
  const reader = new Reader(header)
  return (
    reader.u8() === RECORD && reader.u24() === sealed.length && isBucket(sealed.length - TAG_LENGTH)
  )
}

function badRecord(cause?: unknown): SottoError {
  return new SottoError(
    'bad_record',
    'A record was changed, lost or repeated on its way: somebody may have tampered with the connection.',
    { cause },
  )
}
