import { type Bytes, concat, utf8 } from '../protocol/bytes.ts'
import { fold, pairs, runs, type Term } from './search_words.ts'

/**
 * The words of one segment of messages and where they stand, sorted:
 *
 *     part  := entry*
 *     entry := u8 shared ‖ u8 length ‖ bytes[length] ‖ u8 count ‖ (u8 place)[count]
 *            | u8 shared ‖ u8 length ‖ bytes[length] ‖ 0 ‖ bitmap[32]
 *
 * A word is the first `shared` bytes of the one before it, then `bytes`: UTF-8, cut after 32. A
 * place is the number of a message within the segment. What is found here may meet a query, what is
 * not can't.
 */
const WORD = 32
/** More places than these are written as a bitmap. */
const LISTED = 31
const BITMAP = 32

/** One bit per message of a segment: bit `n & 31` of word `n >> 5`. */
export type Places = Uint32Array

/** Every message of a segment. */
export function everywhere(): Places {
  return new Uint32Array(BITMAP / 4).fill(0xffff_ffff)
}

export function has(places: Places, n: number): boolean {
  return (((places[n >> 5] ?? 0) >>> (n & 31)) & 1) === 1
}

export function isEmpty(places: Places): boolean {
  return places.every((bits) => bits === 0)
}

/** How many messages these are. */
export function count(places: Places): number {
  let sum = 0
  for (let bits of places) for (; bits !== 0; bits = (bits & (bits - 1)) >>> 0) sum += 1
  return sum
}

function set(places: Places, n: number): void {
  places[n >> 5] = (places[n >> 5] ?? 0) | (1 << (n & 31))
}

/** What a word is looked up by: its UTF-8, cut, one character a byte so that it sorts as bytes. */
function wordKey(word: string): string {
  if (/^[\0-\x7f]*$/.test(word)) return word.slice(0, WORD)
  return String.fromCharCode(...utf8(word).subarray(0, WORD))
}

/** The words of up to 256 texts; `undefined` where there is nothing to find. */
export function makePart(texts: readonly (string | undefined)[]): Bytes {
  const words = new Map<string, number[]>()
  const note = (word: string, place: number) => {
    const key = wordKey(word)
    const places = words.get(key)
    if (places === undefined) words.set(key, [place])
    else if (places.at(-1) !== place) places.push(place)
  }
  texts.forEach((text, place) => {
    if (text === undefined) return
    for (const run of runs(fold(text).text))
      if (run.unspaced) for (const pair of pairs(run.text)) note(pair, place)
      else note(run.text, place)
  })
  return encode(words)
}

/** `summary`, whose places are segments, with the words of one more segment. */
export function withSegment(summary: Uint8Array, place: number, part: Uint8Array): Bytes {
  const words = new Map(decode(summary))
  for (const [word] of decode(part)) {
    const places = words.get(word)
    if (places === undefined) words.set(word, [place])
    else if (!places.includes(place)) places.push(place)
  }
  return encode(words)
}

function encode(words: ReadonlyMap<string, readonly number[]>): Bytes {
  const entries: Uint8Array[] = []
  let before = ''
  for (const [word, places] of [...words].sort(([a], [b]) => (a < b ? -1 : 1))) {
    entries.push(entry(before, word, places))
    before = word
  }
  return concat(...entries)
}

function entry(before: string, word: string, places: readonly number[]): Uint8Array {
  let shared = 0
  while (shared < before.length && before[shared] === word[shared]) shared += 1
  const rest = Array.from(word.slice(shared), (char) => char.charCodeAt(0))
  if (places.length <= LISTED)
    return Uint8Array.of(shared, rest.length, ...rest, places.length, ...places)
  const bitmap = new Uint8Array(BITMAP)
  for (const n of places) bitmap[n >> 3] = (bitmap[n >> 3] ?? 0) | (1 << (n & 7))
  return Uint8Array.of(shared, rest.length, ...rest, 0, ...bitmap)
}

function* decode(part: Uint8Array): Generator<[word: string, places: number[]]> {
  let word = ''
  for (let at = 0; at < part.length; ) {
    const [shared = 0, length = 0] = [part[at], part[at + 1]]
    const rest = at + 2
    const count = part[rest + length] ?? 0
    const places = rest + length + 1
    at = places + (count === 0 ? BITMAP : count)
    word = word.slice(0, shared) + String.fromCharCode(...part.subarray(rest, rest + length))
    const bits = new Uint32Array(BITMAP / 4)
    if (count === 0) collect(part, places, count, bits)
    yield [word, count === 0 ? listed(bits) : [...part.subarray(places, at)]]
  }
}

function listed(places: Places): number[] {
  return Array.from({ length: BITMAP * 8 }, (_, n) => n).filter((n) => has(places, n))
}

/** One look-up in a part. */
interface Needle {
  readonly bytes: Uint8Array
  /** Words that merely begin with it count too. */
  readonly prefix: boolean
}

/** The look-ups that a query comes to. */
export type Needles = readonly Needle[]

export function needles(terms: readonly Term[]): Needles {
  return terms.flatMap(({ kind, text }): Needle[] => {
    if (kind !== 'part') return [needle(text, kind === 'prefix')]
    const found = pairs(text)
    // Within a run the last sign has a neighbour, which may be any.
    return found.length === 1
      ? [needle(text, true)]
      : found.slice(0, -1).map((p) => needle(p, false))
  })
}

function needle(text: string, prefix: boolean): Needle {
  const key = wordKey(text)
  return { bytes: Uint8Array.from(key, (char) => char.charCodeAt(0)), prefix }
}

/** The messages of a segment that may meet a query. */
export function lookUp(part: Uint8Array, query: Needles): Places {
  const places = everywhere()
  for (const one of query) {
    const found = find(part, one)
    for (let i = 0; i < places.length; i++) places[i] = (places[i] ?? 0) & (found[i] ?? 0)
    if (isEmpty(places)) break
  }
  return places
}

/**
 * Walks the sorted words. `same` is how many bytes of the needle the word at hand begins with; as
 * the words ascend, a word that shares more with the one before than that can't fit, and one that
 * shares less is past the needle.
 */
function find(part: Uint8Array, { bytes, prefix }: Needle): Places {
  const found = new Uint32Array(BITMAP / 4)
  let same = 0
  let at = 0
  while (at < part.length) {
    const shared = part[at] ?? 0
    const length = part[at + 1] ?? 0
    const rest = at + 2
    const count = part[rest + length] ?? 0
    const places = rest + length + 1
    at = places + (count === 0 ? BITMAP : count)
    if (shared < same) break
    if (shared > same && same < bytes.length) continue
    while (
      same - shared < length &&
      same < bytes.length &&
      part[rest + same - shared] === bytes[same]
    )
      same += 1
    if (same < bytes.length) {
      const next = same - shared < length ? (part[rest + same - shared] ?? 0) : -1
      if (next > (bytes[same] ?? 0)) break
      continue
    }
    if (prefix || shared + length === bytes.length) collect(part, places, count, found)
    if (!prefix) break
  }
  return found
}

function collect(part: Uint8Array, at: number, count: number, into: Places): void {
  for (let i = 0; i < count; i++) set(into, part[at + i] ?? 0)
  if (count > 0) return
  for (let byte = 0; byte < BITMAP; byte++)
    into[byte >> 2] = (into[byte >> 2] ?? 0) | ((part[at + byte] ?? 0) << ((byte & 3) * 8))
}
