/**
 * CBOR (RFC 8949) as everything here uses it: messages on the wire and what rests on a device. It
 * knows whole numbers, bytes, text, arrays, maps with text keys, true, false and null, each with
 * exactly one encoding (the deterministic one of clause 4.2.1), and nothing else.
 *
 * Our own because it is small and strict: a library for all of CBOR would be 25 KB of the page's
 * code, a fourteenth, and takes maps in any order.
 */
import { type Bytes, fromUtf8, utf8 } from './bytes.ts'

/** Major types (RFC 8949, clause 3.1). */
const UINT = 0
const NEGATIVE = 1
const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAP = 5
const SIMPLE = 7

const FALSE = 20
const TRUE = 21
const NULL = 22

/** Arrays and maps stand at most this deep in one another. */
const MOST_DEEP = 16
/** Texts of fewer bytes are quicker to copy by hand than by the engine's UTF-8. */
const SHORT = 32
/** From these arguments on a head has 1, 2, 4, 8 bytes more. */
const LEAST = [24, 2 ** 8, 2 ** 16, 2 ** 32] as const

/**
 * The one encoding of `value`. Throws TypeError on what has none, such as undefined, 0.5, a Date,
 * and on what is deeper than is read.
 */
export function encode(value: unknown): Bytes {
  const writer = new Writer()
  writer.value(value, MOST_DEEP)
  return writer.bytes()
}

/**
 * The value that `bytes` encode; byte strings in it are copies. Throws RangeError on any other
 * encoding, on what ends early or late and on more than `most` values, those in arrays and maps
 * included; TypeError on text that is not UTF-8. Whatever lengths are claimed, it allocates no
 * more than twice the bytes and some 300 for each value: a value can take one byte of the input,
 * so bytes from others need a bound on `most`.
 */
export function decode(bytes: Uint8Array, most = Number.POSITIVE_INFINITY): unknown {
  const reader = new Reader(bytes, most)
  const value = reader.value(MOST_DEEP)
  reader.end()
  return value
}

class Writer {
  #out: Bytes = new Uint8Array(1024)
  #length = 0

  bytes(): Bytes {
    return this.#out.slice(0, this.#length)
  }

  value(value: unknown, deep: number): void {
    if (typeof value === 'string') this.#text(value)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'boolean') this.#head(SIMPLE, value ? TRUE : FALSE)
    else if (value === null) this.#head(SIMPLE, NULL)
    else if (value instanceof Uint8Array) this.#string(BYTES, value)
    else if (deep === 0) throw new TypeError('CBOR: too deep')
    else if (Array.isArray(value)) {
      this.#head(ARRAY, value.length)
      for (const one of value) this.value(one, deep - 1)
    } else if (isPlain(value)) this.#map(value, deep - 1)
    else throw new TypeError('CBOR: no such value')
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value)) throw new TypeError('CBOR: not a whole number')
    if (value < 0) this.#head(NEGATIVE, -1 - value)
    else this.#head(UINT, value)
  }

  #map(map: Record<string, unknown>, deep: number): void {
    const keys = Object.keys(map)
    keys.sort(keys.every(isAscii) ? byLength : byEncoding)
    this.#head(MAP, keys.length)
    for (const key of keys) {
      this.#text(key)
      this.value(map[key], deep)
    }
  }

  #text(text: string): void {
    if (text.length < SHORT && isAscii(text)) this.#ascii(text)
    else this.#string(TEXT, utf8(text))
  }

  #ascii(text: string): void {
    this.#head(TEXT, text.length)
    this.#reserve(text.length)
    const [out, at] = [this.#out, this.#length]
    for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i)
    this.#length += text.length
  }

  #string(major: number, bytes: Uint8Array): void {
    this.#head(major, bytes.length)
    this.#reserve(bytes.length)
    this.#out.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #head(major: number, argument: number): void {
    this.#reserve(9)
    let size = 0
    while (argument >= (LEAST[size] ?? Number.POSITIVE_INFINITY)) size++
    this.#out[this.#length++] = (major << 5) | (size === 0 ? argument : 23 + size)
    // An element of a Uint8Array keeps the low byte of the whole part.
    for (let left = (1 << size) >> 1; left > 0; left--)
      this.#out[this.#length++] = argument / 256 ** (left - 1)
  }

  #reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#out.length) return
    const wider = new Uint8Array(Math.max(needed, 2 * this.#out.length))
    wider.set(this.#out)
    this.#out = wider
  }
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0
  /** Values that may still come. */
  #left: number

  constructor(bytes: Uint8Array, most: number) {
    this.#bytes = bytes
    this.#left = most
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new RangeError('CBOR: bytes left over at the end')
  }

  value(deep: number): unknown {
    if (--this.#left < 0) throw new RangeError('CBOR: too many values')
    const first = this.#byte()
    const argument = this.#argument(first & 31)
    switch (first >> 5) {
      case UINT:
        return argument
      case NEGATIVE:
        if (argument < Number.MAX_SAFE_INTEGER) return -1 - argument
        break
      case BYTES:
        this.#skip(argument)
        return new Uint8Array(this.#bytes.subarray(this.#at - argument, this.#at))
      case TEXT:
        return this.#text(argument)
      case ARRAY:
        if (deep > 0) return this.#array(argument, deep - 1)
        break
      case MAP:
        if (deep > 0) return this.#map(argument, deep - 1)
        break
      case SIMPLE:
        if (argument === NULL) return null
        if (argument === TRUE || argument === FALSE) return argument === TRUE
    }
    throw new RangeError('CBOR: a value that is not in use, or too deep')
  }

  #array(length: number, deep: number): unknown[] {
    this.#has(length)
    const array: unknown[] = []
    for (let i = 0; i < length; i++) array.push(this.value(deep))
    return array
  }

  #map(size: number, deep: number): Record<string, unknown> {
    this.#has(2 * size)
    const map: Record<string, unknown> = {}
    let [before, end] = [0, 0]
    for (let i = 0; i < size; i++) {
      const first = this.#byte()
      if (first >> 5 !== TEXT) throw new RangeError('CBOR: a key that is not text')
      const length = this.#argument(first & 31)
      const key = this.#text(length)
      if (i > 0 && !this.#ascend(before, end, length))
        throw new RangeError('CBOR: keys out of order')
      end = this.#at
      before = end - length
      const value = this.value(deep)
      // An assignment to this one would set the prototype.
      if (key === '__proto__') Object.defineProperty(map, key, { ...OWN, value })
      else map[key] = value
    }
    return map
  }

  /** What the head's low five bits say, in its shortest form. */
  #argument(info: number): number {
    if (info < 24) return info
    const least = LEAST[info - 24]
    if (least === undefined) throw new RangeError('CBOR: an indefinite length')
    let value = 0
    for (let left = 1 << (info - 24); left > 0; left--) value = value * 256 + this.#byte()
    if (value < least) throw new RangeError('CBOR: longer than it has to be')
    if (!Number.isSafeInteger(value)) throw new RangeError('CBOR: a number past 2^53 - 1')
    return value
  }

  #byte(): number {
    this.#has(1)
    return this.#bytes[this.#at++] as number
  }

  /** Whether the key of `length` bytes before here comes after the one at [before, end). */
  #ascend(before: number, end: number, length: number): boolean {
    if (length !== end - before) return length > end - before
    const start = this.#at - length
    let i = 0
    while (i < length && this.#bytes[start + i] === this.#bytes[before + i]) i++
    return i < length && (this.#bytes[start + i] as number) > (this.#bytes[before + i] as number)
  }

  #text(length: number): string {
    this.#skip(length)
    const start = this.#at - length
    let text = ''
    for (let i = start; length < SHORT && i < this.#at; i++) {
      const byte = this.#bytes[i] as number
      if (byte > 0x7f) break
      text += String.fromCharCode(byte)
    }
    if (text.length === length) return text
    return fromUtf8(this.#bytes.subarray(start, this.#at))
  }

  #skip(length: number): void {
    this.#has(length)
    this.#at += length
  }

  /** Nothing takes less than a byte: what claims to have more than there are is refused at once. */
  #has(length: number): void {
    if (length > this.#bytes.length - this.#at) throw new RangeError('CBOR: ends too early')
  }
}

const OWN = { configurable: true, enumerable: true, writable: true }

/** Neither an instance of a class nor a Map, Date or view: those would come back as another kind. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

/** The order of keys as encoded, shorter ones first, then byte by byte: that of ASCII. */
function byLength(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1)
}

/** The same order for any text, which UTF-16 would sort otherwise. */
function byEncoding(a: string, b: string): number {
  const [x, y] = [utf8(a), utf8(b)]
  if (x.length !== y.length) return x.length - y.length
  const i = x.findIndex((byte, at) => byte !== y[at])
  // Keys with halves of characters in them, which have no UTF-8, can come out the same.
  if (i < 0) throw new TypeError('CBOR: a key twice')
  return (x[i] as number) - (y[i] as number)
}
