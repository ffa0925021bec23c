import { type Bytes, utf8 } from '../protocol/bytes.ts'
import { fold, pairs, runs, type Term } from './search_words.ts'

/**
 * Words and the messages of a span that hold them, sorted by word:
 *
 *     postings := entry*
 *     entry    := u8 shared ‖ u8 length ‖ bytes[length] ‖ number size ‖ gaps[size]
 *     gaps     := number*
 *     number   := u8 below 0x80 | u8 (0x80 + low 7 bits) ‖ u8 (the other 8)
 *
 * A word is the first `shared` bytes of the one before it, then `bytes`: UTF-8, cut after 32. Each gap
 * is how far a message stands after the one before it, the first one after the begin of the span.
 * What is found here may meet a query, what is not can't.
 */
const WORD = 32
/** Messages of a span: a gap has no more than 14 bits, and all gaps of a word have a size of 15. */
export const SPAN = 2 ** 14
/** The words of a span are kept in so many lots, by the last bits of their first character. */
export const LOTS = 32

/** One bit per message: bit `n & 31` of word `n >> 5`. */
export type Places = Uint32Array

/** Places from 0 to `size`, all of them. */
export function everywhere(size: number): Places {
  return new Uint32Array(size / 32).fill(0xffff_ffff)
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

/** What a word is looked up by: its UTF-8, cut, one character a byte so that it sorts as bytes. */
function wordKey(word: string): string {
  if (/^[\0-\x7f]*$/.test(word)) return word.slice(0, WORD)
  return String.fromCharCode(...utf8(word).subarray(0, WORD))
}

/** The lot of a word, and of all that begins with it. */
function lotOf(word: string): number {
  return (word.codePointAt(0) ?? 0) % LOTS
}

/** Words and their messages' numbers within the span, ascending. */
export type Words = ReadonlyMap<string, readonly number[]>

/** The words of texts that follow one another from `first` on, in lots; `undefined` has none. */
export function wordsOf(texts: readonly (string | undefined)[], first: number): Words[] {
  const lots = Array.from({ length: LOTS }, () => new Map<string, number[]>())
  const note = (word: string, n: number) => {
    const lot = lots[lotOf(word)]
    const key = wordKey(word)
    const places = lot?.get(key)
    if (places === undefined) lot?.set(key, [n])
    else if (places.at(-1) !== n) places.push(n)
  }
  for (const [i, text] of texts.entries())
    for (const run of text === undefined ? [] : runs(fold(text).text))
      if (run.unspaced) for (const pair of pairs(run.text)) note(pair, first + i)
      else note(run.text, first + i)
  return lots
}

/** `postings` with the words of messages that are not in there yet. */
export function withWords(postings: Bytes, more: Words): Bytes {
  if (more.size === 0) return postings
  const words = new Map(decode(postings))
  for (const [word, places] of more)
    words.set(
      word,
      [...(words.get(word) ?? []), ...places].sort((a, b) => a - b),
    )
  return encode(words)
}

function encode(words: Words): Bytes {
  const out: number[] = []
  let before = ''
  for (const [word, places] of [...words].sort(([a], [b]) => (a < b ? -1 : 1))) {
    let shared = 0
    while (shared < before.length && before[shared] === word[shared]) shared += 1
    out.push(shared, word.length - shared)
    for (let i = shared; i < word.length; i++) out.push(word.charCodeAt(i))
    const gaps: number[] = []
    places.forEach((n, i) => {
      pushNumber(gaps, n - (places[i - 1] ?? 0))
    })
    pushNumber(out, gaps.length)
    for (const byte of gaps) out.push(byte)
    before = word
  }
  return Uint8Array.from(out)
}

function pushNumber(out: number[], n: number): void {
  if (n < 0x80) out.push(n)
  else out.push(0x80 | (n & 0x7f), n >> 7)
}

/** The number that begins at `at`; it is one byte long below 0x80 and two otherwise. */
function numberAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0
  return first < 0x80 ? first : (first & 0x7f) | ((bytes[at + 1] ?? 0) << 7)
}

function width(n: number): number {
  return n < 0x80 ? 1 : 2
}

function* decode(postings: Uint8Array): Generator<[word: string, places: number[]]> {
  let word = ''
  for (let at = 0; at < postings.length; ) {
    const [shared = 0, length = 0] = [postings[at], postings[at + 1]]
    const rest = at + 2
    const size = numberAt(postings, rest + length)
    const gaps = rest + length + width(size)
    at = gaps + size
    word = word.slice(0, shared) + String.fromCharCode(...postings.subarray(rest, rest + length))
    const places: number[] = []
    eachPlace(postings, gaps, at, (n) => places.push(n))
    yield [word, places]
  }
}

function eachPlace(bytes: Uint8Array, from: number, to: number, call: (n: number) => void): void {
  let place = 0
  for (let at = from; at < to; ) {
    const gap = numberAt(bytes, at)
    place += gap
    at += width(gap)
    call(place)
  }
}

/** One look-up, all of it in one lot. */
export interface Needle {
  readonly lot: number
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
  const bytes = Uint8Array.from(wordKey(text), (char) => char.charCodeAt(0))
  return { lot: lotOf(text), bytes, prefix }
}

/** Leaves of `places` those where the needle is found as well. */
export function narrow(places: Places, postings: Uint8Array, needle: Needle): void {
  const found = find(postings, needle)
  for (let i = 0; i < places.length; i++) places[i] = (places[i] ?? 0) & (found[i] ?? 0)
}

/**
 * Walks the sorted words. `same` is how many bytes of the needle the word at hand begins with; as
 * the words ascend, a word that shares more with the one before than that can't fit, and one that
 * shares less is past the needle.
 */
function find(postings: Uint8Array, { bytes, prefix }: Needle): Places {
  const found = new Uint32Array(SPAN / 32)
  let same = 0
  let at = 0
  while (at < postings.length) {
    const shared = postings[at] ?? 0
    const length = postings[at + 1] ?? 0
    const rest = at + 2
    const size = numberAt(postings, rest + length)
    const gaps = rest + length + width(size)
    at = gaps + size
    if (shared < same) break
    if (shared > same && same < bytes.length) continue
    while (
      same - shared < length &&
      same < bytes.length &&
      postings[rest + same - shared] === bytes[same]
    )
      same += 1
    if (same < bytes.length) {
      const next = same - shared < length ? (postings[rest + same - shared] ?? 0) : -1
      if (next > (bytes[same] ?? 0)) break
      continue
    }
    if (prefix || shared + length === bytes.length)
      eachPlace(postings, gaps, at, (n) => {
        found[n >> 5] = (found[n >> 5] ?? 0) | (1 << (n & 31))
      })
    if (!prefix) break
  }
  return found
}
