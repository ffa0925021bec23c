/** Bytes over a plain (never shared) buffer: what WebCrypto takes and what the wire carries. */
export type Bytes = Uint8Array<ArrayBuffer>

export const EMPTY: Bytes = new Uint8Array(0)

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8 bytes of a string. */
export function utf8(text: string): Bytes {
  return encoder.encode(text) as Bytes
}

/** The string that `bytes` encode. Throws TypeError on anything but well-formed UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((total, part) => total + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Equality without an early exit: the time depends on the lengths only. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

export function hex(bytes: Uint8Array): string {
  // Joined, not added up: engines keep a sum of strings as a chain of all its parts.
  const pairs = new Array<string>(bytes.length)
  for (let i = 0; i < bytes.length; i++) pairs[i] = DIGITS[bytes[i] as number] as string
  return pairs.join('')
}

/**
 * Bytes as characters below U+0100, for what is kept long and by the thousand: an array of bytes is
 * an object over a buffer over a store, and a store between what comes and goes pins memory.
 */
export function packed(bytes: Bytes): string {
  // Not by a spread, which walks an iterator: ten times as long.
  return Reflect.apply(String.fromCharCode, undefined, bytes)
}

/** The inverse of {@link packed}. */
export function unpacked(characters: string): Bytes {
  const bytes = new Uint8Array(characters.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i)
  return bytes
}

/** Bytes of a lower- or upper-case hex string. Throws SyntaxError on anything else. */
export function fromHex(text: string): Bytes {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text)) throw new SyntaxError('not a hex string')
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

/** base64url without padding (RFC 4648, 5): what stands in a link's fragment. */
export function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/** The inverse of {@link base64url}. Throws SyntaxError on anything else. */
export function fromBase64url(text: string): Bytes {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new SyntaxError('not a base64url string')
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) =>
    c.charCodeAt(0),
  )
}

export function u8(value: number): Bytes {
  return Uint8Array.of(value)
}

export function u16(value: number): Bytes {
  return Uint8Array.of(value >>> 8, value)
}

export function u24(value: number): Bytes {
  return Uint8Array.of(value >>> 16, value >>> 8, value)
}

export function u32(value: number): Bytes {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

/** A 64-bit counter held in a JavaScript number: throws RangeError past 2^53 - 1. */
export function u64(value: number): Bytes {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('not a u64 counter')
  return concat(u32(Math.floor(value / 0x1_0000_0000)), u32(value >>> 0))
}

/** `lp8(x)`: u8 length, then x. Throws RangeError when x has more than 255 bytes. */
export function lp8(bytes: Uint8Array): Bytes {
  if (bytes.length > 0xff) throw new RangeError('longer than lp8 can say')
  return concat(u8(bytes.length), bytes)
}

/** `lp16(x)`: u16 length, then x. Throws RangeError when x has more than 65,535 bytes. */
export function lp16(bytes: Uint8Array): Bytes {
  if (bytes.length > 0xffff) throw new RangeError('longer than lp16 can say')
  return concat(u16(bytes.length), bytes)
}

/** `lp32(x)`: u32 length, then x. */
export function lp32(bytes: Uint8Array): Bytes {
  return concat(u32(bytes.length), bytes)
}

/**
 * Reads fields off the front of `bytes`. Every method throws RangeError when too few bytes are
 * left; {@link Reader.end} throws when any are. What it returns are copies, never views.
 */
export class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  take(length: number): Bytes {
    if (length > this.left) throw new RangeError('fewer bytes than their length says')
    this.#at += length
    return new Uint8Array(this.#bytes.subarray(this.#at - length, this.#at))
  }

  u8(): number {
    return this.#uint(1)
  }

  u16(): number {
    return this.#uint(2)
  }

  u24(): number {
    return this.#uint(3)
  }

  u32(): number {
    return this.#uint(4)
  }

  /** Throws RangeError past 2^53 - 1: no counter of ours gets there. */
  u64(): number {
    const value = this.#uint(4) * 0x1_0000_0000 + this.#uint(4)
    if (!Number.isSafeInteger(value)) throw new RangeError('counter past 2^53 - 1')
    return value
  }

  lp8(): Bytes {
    return this.take(this.u8())
  }

  lp16(): Bytes {
    return this.take(this.u16())
  }

  lp32(): Bytes {
    return this.take(this.u32())
  }

  rest(): Bytes {
    return this.take(this.left)
  }

  end(): void {
    if (this.left > 0) throw new RangeError('bytes left over at the end')
  }

  #uint(length: number): number {
    if (length > this.left) throw new RangeError('fewer bytes than the field needs')
    let value = 0
    for (const end = this.#at + length; this.#at < end; this.#at++)
      value = value * 256 + (this.#bytes[this.#at] as number)
    return value
  }
}
