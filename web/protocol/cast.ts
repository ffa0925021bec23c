/**
 * Casts: one message of a room's log, sealed once for all who are subscribed (PROTOCOL.md, "Cast").
 *
 *     frame = kid[16] | u64 counter | AES-256-GCM(entry | Ed25519(log key, "sotto1 cast" ‖ 00 ‖ entry))
 *     entry = room[16] | u64 seq | chain[32] | lp32 mls
 *
 * Every subscriber holds the cast secret, so a subscriber and the relay together could forge a
 * frame; the signature by the endpoint's log key is what stops that.
 */
import { type Bytes, concat, equal, lp32, Reader, u8, u64, utf8 } from './bytes.ts'
import { MAX_FRAME } from './envelope.ts'
import { SottoError } from './errors.ts'
import { aeadOf, drv, HASH_LENGTH, nonceOf } from './key_schedule.ts'
import type { Aead, Primitives, SigningPair, Verify } from './primitives.ts'

export const CAST_SECRET_LENGTH = 32
export const KID_LENGTH = 16
const COUNTER_LENGTH = 8
const SIGNATURE_LENGTH = 64
const TAG_LENGTH = 16
const ROOM_LENGTH = 16
const ENTRY_HEAD = ROOM_LENGTH + 8 + HASH_LENGTH + 4

/** The longest MLS message that fits a cast; a longer one is announced by its head and fetched. */
export const CAST_MLS_MOST =
  MAX_FRAME - KID_LENGTH - COUNTER_LENGTH - ENTRY_HEAD - SIGNATURE_LENGTH - TAG_LENGTH
/** Frames under one cast secret at most, and its life: then a new one is told to subscribers. */
export const CASTS_MOST = 2 ** 20
export const CAST_LIFE_MS = 24 * 3_600_000

/** One entry of a room's log. */
export interface CastEntry {
  /** 16 bytes. */
  readonly room: Bytes
  readonly seq: number
  /** 32 bytes: the chain including this entry. */
  readonly chain: Bytes
  readonly mls: Bytes
}

/** chain_0 = H("sotto1 chain" ‖ room). */
export async function firstChain(p: Primitives, room: Bytes): Promise<Bytes> {
  return p.sha256(concat(utf8('sotto1 chain'), room))
}

/** chain_n = H("sotto1 chain" ‖ chain_{n-1} ‖ u64 seq ‖ H(mls)). */
export async function chain(p: Primitives, before: Bytes, seq: number, mls: Bytes): Promise<Bytes> {
  return p.sha256(concat(utf8('sotto1 chain'), before, u64(seq), await p.sha256(mls)))
}

export function encodeEntry({ room, seq, chain, mls }: CastEntry): Bytes {
  if (room.length !== ROOM_LENGTH || chain.length !== HASH_LENGTH)
    throw new RangeError('a field of an entry has a wrong length')
  return concat(room, u64(seq), chain, lp32(mls))
}

function signedEntry(entry: Bytes): Bytes {
  return concat(utf8('sotto1 cast'), u8(0), entry)
}

interface CastKeys {
  readonly kid: Bytes
  readonly aead: Aead
  readonly iv: Bytes
}

/** kid, key and iv of a cast secret. */
async function castKeys(p: Primitives, secret: Bytes): Promise<CastKeys> {
  if (secret.length !== CAST_SECRET_LENGTH) throw new RangeError('a cast secret has 32 bytes')
  const key = await p.hmacKey(secret)
  const kid = (await drv(p, key, 'cast kid')).slice(0, KID_LENGTH)
  return { kid, ...(await aeadOf(p, key)) }
}

/** The endpoint's side: one per room and cast secret. */
export class CastSealer {
  readonly #keys: Promise<CastKeys>
  readonly #logKey: Pick<SigningPair, 'sign'>
  #counter = 0
  #tail: Promise<unknown> = Promise.resolve()

  /** `secret` is 32 random bytes that never outlive the process: the counter does not either. */
  constructor(p: Primitives, secret: Bytes, logKey: Pick<SigningPair, 'sign'>) {
    this.#keys = castKeys(p, secret)
    this.#keys.catch(() => {})
    this.#logKey = logKey
  }

  /** 16 bytes: what tells subscribers that a frame is for this secret. */
  async kid(): Promise<Bytes> {
    return (await this.#keys).kid
  }

  /** True when a new secret is due: {@link CASTS_MOST} frames. */
  get spent(): boolean {
    return this.#counter >= CASTS_MOST
  }

  /**
   * The frame for `entry`, in the order of the calls. Throws SottoError `limit` when the entry
   * does not fit a frame ({@link CAST_MLS_MOST}) or the secret is spent; no counter is taken then.
   */
  seal(entry: CastEntry): Promise<Bytes> {
    if (this.spent || entry.mls.length > CAST_MLS_MOST)
      throw new SottoError('limit', 'This entry cannot be cast: it has to be fetched.')
    const plaintext = encodeEntry(entry)
    const counter = this.#counter
    this.#counter += 1
    const result = this.#tail.then(async () => {
      const { kid, aead, iv } = await this.#keys
      const signature = await this.#logKey.sign(signedEntry(plaintext))
      const aad = concat(kid, u64(counter))
      return concat(aad, await aead.seal(nonceOf(iv, counter), aad, concat(plaintext, signature)))
    })
    this.#tail = result.catch(() => {})
    return result
  }
}

/** A subscriber's side: one per cast secret that it was told in its own channel. */
export class CastOpener {
  readonly room: Bytes
  /** 16 bytes. */
  readonly kid: Bytes
  readonly #keys: CastKeys
  readonly #verify: Verify
  #last = -1
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(room: Bytes, keys: CastKeys, verify: Verify) {
    this.room = room
    this.kid = keys.kid
    this.#keys = keys
    this.#verify = verify
  }

  /** `logPub` comes with the session's params; `room` is the one that the secret was told for. */
  static async make(p: Primitives, secret: Bytes, logPub: Bytes, room: Bytes): Promise<CastOpener> {
    return new CastOpener(room, await castKeys(p, secret), await p.ed25519Verifier(logPub))
  }

  /** True when `frame` begins with this secret's kid. Every other frame is a record. */
  owns(frame: Bytes): boolean {
    return frame.length >= KID_LENGTH && equal(frame.subarray(0, KID_LENGTH), this.kid)
  }

  /**
   * The entry in a frame that {@link owns} takes, or undefined for one whose counter was seen or
   * overtaken: a repeat, which is dropped. Throws SottoError `crypto_failed` for one that does not
   * open, is not signed by the log key or belongs to another room. Whether its seq and chain come
   * next is for the room's log to say.
   */
  open(frame: Bytes): Promise<CastEntry | undefined> {
    const result = this.#tail.then(() => this.#open(frame))
    this.#tail = result.catch(() => {})
    return result
  }

  async #open(frame: Bytes): Promise<CastEntry | undefined> {
    const { aead, iv } = this.#keys
    const head = KID_LENGTH + COUNTER_LENGTH
    if (!this.owns(frame) || frame.length < head || frame.length > MAX_FRAME) throw forged()
    const aad = frame.slice(0, head)
    const counter = readCounter(aad)
    if (counter <= this.#last) return undefined
    const plaintext = await aead.open(nonceOf(iv, counter), aad, frame.slice(head))
    const end = plaintext.length - SIGNATURE_LENGTH
    if (end < ENTRY_HEAD) throw forged()
    const entry = plaintext.slice(0, end)
    if (!(await this.#verify(plaintext.slice(end), signedEntry(entry)))) throw forged()
    const read = readEntry(entry)
    if (!equal(read.room, this.room)) throw forged()
    this.#last = counter
    return read
  }
}

function readCounter(aad: Bytes): number {
  try {
    return new Reader(aad.slice(KID_LENGTH)).u64()
  } catch (cause) {
    throw forged(cause)
  }
}

function readEntry(bytes: Bytes): CastEntry {
  try {
    const reader = new Reader(bytes)
    const entry = {
      room: reader.take(ROOM_LENGTH),
      seq: reader.u64(),
      chain: reader.take(HASH_LENGTH),
      mls: reader.lp32(),
    }
    reader.end()
    return entry
  } catch (cause) {
    throw forged(cause)
  }
}

function forged(cause?: unknown): SottoError {
  return new SottoError('crypto_failed', 'A message to the room was forged or damaged.', { cause })
}
