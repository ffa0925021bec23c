import { type Bytes, concat } from './bytes.ts'

/** The few DER types that key files are made of (X.690): universal tags, definite lengths only. */
export const INTEGER = 0x02
export const OCTET_STRING = 0x04
export const NULL = 0x05
export const OID = 0x06
export const SEQUENCE = 0x30

/** `tag ‖ length ‖ contents`, the length in as few bytes as it needs. At most 64 KiB of contents. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Bytes {
  const body = concat(...contents)
  if (body.length > 0xffff) throw new RangeError('longer than our DER is')
  const length =
    body.length < 0x80
      ? [body.length]
      : body.length < 0x100
        ? [0x81, body.length]
        : [0x82, body.length >>> 8, body.length & 0xff]
  return concat(Uint8Array.of(tag, ...length), body)
}

/** An INTEGER that is not negative, from its big-endian bytes. */
export function derUnsigned(magnitude: Uint8Array): Bytes {
  let zeros = 0
  while (zeros < magnitude.length - 1 && magnitude[zeros] === 0) zeros++
  const bytes = magnitude.subarray(zeros)
  const sign = bytes.length === 0 || (bytes[0] as number) >= 0x80 ? [0] : []
  return der(INTEGER, Uint8Array.from(sign), bytes)
}

/**
 * Reads DER off the front of `bytes`. Everything that is not the one shortest spelling (BER's
 * indefinite and padded lengths, padded or negative integers) and every length that goes past the
 * end throws RangeError; so nothing is ever allocated beyond what came in.
 */
export class DerReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  /** Whether a value of this type comes next. */
  has(tag: number): boolean {
    return this.#bytes[this.#at] === tag
  }

  /** The contents of the next value, which must have this tag. A copy. */
  read(tag: number): Bytes {
    if (!this.has(tag)) throw new RangeError('another DER type than expected')
    this.#at++
    const length = this.#length()
    if (length > this.#bytes.length - this.#at) throw new RangeError('DER is cut off')
    this.#at += length
    return new Uint8Array(this.#bytes.subarray(this.#at - length, this.#at))
  }

  sequence(): DerReader {
    return new DerReader(this.read(SEQUENCE))
  }

  /** Big-endian bytes of an INTEGER that is not negative, without its sign byte. Zero is empty. */
  unsigned(): Bytes {
    const contents = this.read(INTEGER)
    const [first, second = 0] = contents
    if (first === undefined || first >= 0x80) throw new RangeError('a negative or empty INTEGER')
    if (first !== 0) return contents
    if (contents.length > 1 && second < 0x80) throw new RangeError('a padded INTEGER')
    return contents.slice(1)
  }

  /** An INTEGER from 0 to 2^48 - 1. */
  small(): number {
    const bytes = this.unsigned()
    if (bytes.length > 6) throw new RangeError('a larger INTEGER than makes sense here')
    return bytes.reduce((value, byte) => value * 256 + byte, 0)
  }

  end(): void {
    if (!this.done) throw new RangeError('bytes left over in DER')
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw new RangeError('DER is cut off')
    return byte
  }

  #length(): number {
    const first = this.#byte()
    if (first < 0x80) return first
    const size = first - 0x80
    if (size < 1 || size > 3) throw new RangeError('a DER length that no key file needs')
    let length = 0
    for (let i = 0; i < size; i++) length = length * 256 + this.#byte()
    const needs = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x1_0000 ? 2 : 3
    if (needs !== size) throw new RangeError('a DER length in more bytes than it needs')
    return length
  }
}
