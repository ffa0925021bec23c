/**
 * What a search compares: texts and queries without case and accents, cut into words. Both sides go
 * through the same functions, so how well a script is treated is a matter of comfort only.
 */

/** A text as it is compared, and where each UTF-16 unit of it came from. */
export interface Folded {
  readonly text: string
  /** Place in the original of place `i`; `text.length` gives the original's length. */
  origin(i: number): number
}

/** A piece of a folded text. `unspaced` runs are of scripts without spaces: no words in them. */
export interface Run {
  readonly text: string
  readonly start: number
  readonly unspaced: boolean
}

/** What a message has to have. part: anywhere within a run of a script without spaces. */
export interface Term {
  readonly kind: 'word' | 'prefix' | 'part'
  readonly text: string
}

/** Begin and end within the original text, in UTF-16 units. */
export type Range = readonly [from: number, to: number]

/** The longest query that is looked at, in UTF-16 units, and the most words of it. */
const MAX_QUERY = 256
const MAX_TERMS = 12

const ASCII = /^[\0-\x7f]*$/
/**
 * Accents, Hebrew and Arabic points, and what has no shape of its own. The voicing marks of kana
 * stay: they make another letter.
 */
const STRIPPED =
  /(?![\u3099\u309a])(?=\p{M})[\p{sc=Inherited}\p{sc=Cyrillic}\p{sc=Hebrew}\p{sc=Arabic}]|\u0640|\p{Default_Ignorable_Code_Point}/gu
/** Scripts that put no spaces between words, and pictures. */
const UNSPACED =
  '(?=[\\p{L}\\p{N}\\p{M}])[\\p{scx=Han}\\p{scx=Hira}\\p{scx=Kana}\\p{scx=Thai}\\p{scx=Laoo}\\p{scx=Khmr}\\p{scx=Mymr}]|\\p{Extended_Pictographic}'
const RUN = new RegExp(`((?:${UNSPACED})+)|(?:(?!${UNSPACED})[\\p{L}\\p{N}\\p{M}])+`, 'gu')
const ASCII_RUN = /[a-z0-9]+/g

/** Compatibility forms, accents and case undone for one code point. */
function foldPoint(point: string): string {
  const bare = point.normalize('NFKD').replace(STRIPPED, '')
  // Up and down again: ß becomes ss. A final sigma is a sigma.
  return bare.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ')
}

/** Folds a text code point by code point, so that no place depends on what stands around it. */
export function fold(original: string): Folded {
  if (ASCII.test(original)) return { text: original.toLowerCase(), origin: (i) => i }
  const origins: number[] = []
  let text = ''
  let at = 0
  for (const point of original) {
    const folded = point <= '\x7f' ? point.toLowerCase() : foldPoint(point)
    for (let i = 0; i < folded.length; i++) origins.push(at)
    text += folded
    at += point.length
  }
  return { text, origin: (i) => origins[i] ?? original.length }
}

/** The words and unspaced runs of a folded text, in order. */
export function runs(folded: string): Run[] {
  if (ASCII.test(folded))
    return Array.from(folded.matchAll(ASCII_RUN), (match) => ({
      text: match[0],
      start: match.index,
      unspaced: false,
    }))
  return Array.from(folded.matchAll(RUN), (match) => ({
    text: match[0],
    start: match.index,
    unspaced: match[1] !== undefined,
  }))
}

/** Neighbouring code points of an unspaced run, two by two, and the last one alone. */
export function pairs(run: string): string[] {
  const points = [...run]
  return points.map((point, i) => point + (points[i + 1] ?? ''))
}

/** All terms must be met. The last word may be unfinished. None when nothing can be searched for. */
export function parseQuery(query: string): Term[] {
  const found = runs(fold(query.slice(0, MAX_QUERY)).text).slice(0, MAX_TERMS)
  return found.map(({ text, unspaced }, i) => {
    if (unspaced) return { kind: 'part', text }
    return { kind: i === found.length - 1 ? 'prefix' : 'word', text }
  })
}

function met({ kind, text }: Term, run: Run): readonly (readonly [number, number])[] {
  if (kind === 'part') {
    const places: [number, number][] = []
    if (!run.unspaced) return places
    for (let i = run.text.indexOf(text); i >= 0; i = run.text.indexOf(text, i + text.length))
      places.push([run.start + i, run.start + i + text.length])
    return places
  }
  if (run.unspaced) return []
  const fits = kind === 'word' ? run.text === text : run.text.startsWith(text)
  return fits ? [[run.start, run.start + text.length]] : []
}

/**
 * Where `text` meets the terms, in order and without overlap; undefined unless it meets them all.
 */
export function match(text: string, terms: readonly Term[]): Range[] | undefined {
  const folded = fold(text)
  // Most texts are out by this, and need not be cut into words.
  if (!terms.every((term) => folded.text.includes(term.text))) return undefined
  const all = runs(folded.text)
  const places: [number, number][] = []
  for (const term of terms) {
    const before = places.length
    for (const run of all) for (const [from, to] of met(term, run)) places.push([from, to])
    if (places.length === before) return undefined
  }
  return join(places.map(([from, to]) => [folded.origin(from), originalEnd(folded, to)]))
}

/** The end of the original character that folded place `to` - 1 came from. */
function originalEnd(folded: Folded, to: number): number {
  const last = folded.origin(to - 1)
  let next = to
  while (next < folded.text.length && folded.origin(next) === last) next += 1
  return folded.origin(next)
}

function join(ranges: readonly Range[]): Range[] {
  const joined: [number, number][] = []
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1)
    if (last !== undefined && from < last[1]) last[1] = Math.max(last[1], to)
    else joined.push([from, to])
  }
  return joined
}
