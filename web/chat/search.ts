import type { History, StoredItem } from './history.ts'
import type { RoomId, SearchHit, SearchOptions, SearchPage, SearchPlace } from './model.ts'
import type { Candidate } from './search_index.ts'
import { count, has, type Needles, needles } from './search_postings.ts'
import { match, parseQuery, type Range, type Term } from './search_words.ts'
import { SEGMENT, STEP } from './segment.ts'

/** UTF-16 units of a snippet, and how many of these may stand before the first match. */
const SNIPPET = 160
const LEAD = 40
/** Hits that are looked for at once unless the caller says otherwise: a screen full. */
const PAGE = 15
/** Steps of the index that are read together at most. */
const MOST_READ = 32
/** Hits that a step is taken to hold of which nothing is known. */
const UNKNOWN = 8

type Message = Extract<StoredItem, { k: 'm' }>

/** One room as a search sees it. Places are those of its timeline. */
export interface Searchable {
  readonly room: RoomId
  readonly history: History
  /** The place of stored item `n`, and how many stored items stand before a place. */
  placeOf(n: number): number
  storedBefore(place: number): number
  /** Messages that are not kept, oldest first. */
  readonly unkept: readonly { readonly place: number; readonly item: Message }[]
}

interface Found {
  readonly place: number
  readonly item: Message
  readonly ranges: readonly Range[]
}

/**
 * Searches rooms for messages that meet all words of a query, the last of which may be unfinished.
 * Newest first: in a room by place, between rooms by the time of the message. Reads of each room
 * what it needs and no more. Rejects with the signal's reason when it is aborted.
 */
export async function search(
  rooms: readonly Searchable[],
  query: string,
  { limit = PAGE, signal = new AbortController().signal, after }: SearchOptions,
): Promise<SearchPage> {
  const terms = parseQuery(query)
  if (terms.length === 0) return { hits: [], more: undefined }
  // One more than is shown says whether there are more.
  const share = Math.ceil((limit + 1) / rooms.length)
  const asked = { terms, needles: needles(terms), share, signal }
  const heads = await Promise.all(
    rooms.map((room) => Stream.begin(room, asked, after?.get(room.room))),
  )
  const hits: SearchHit[] = []
  while (hits.length < limit) {
    signal.throwIfAborted()
    const newest = newestOf(heads)
    if (newest?.head === undefined) break
    hits.push(toHit(newest.room.room, newest.head))
    await newest.next()
  }
  const more: SearchPlace = new Map(heads.map(({ room, below }) => [room.room, below]))
  return { hits, more: newestOf(heads) === undefined ? undefined : more }
}

function newestOf(streams: readonly Stream[]): Stream | undefined {
  let newest: Stream | undefined
  for (const stream of streams)
    if (stream.head && (newest?.head === undefined || stream.head.item.at > newest.head.item.at))
      newest = stream
  return newest
}

interface Asked {
  readonly terms: readonly Term[]
  readonly needles: Needles
  /** Hits that a room is looked through for at first; then for twice as many each time. */
  readonly share: number
  readonly signal: AbortSignal
}

/** What one room has found, one by one. */
class Stream {
  readonly room: Searchable
  /** Found and not yet taken; undefined at the end. */
  head: Found | undefined
  /** All that was taken stands at this place or after it. */
  below: number
  readonly #found: AsyncGenerator<Found>

  private constructor(room: Searchable, asked: Asked, below: number) {
    this.room = room
    this.below = below
    this.#found = inRoom(room, asked, below)
  }

  static async begin(room: Searchable, asked: Asked, below: number | undefined): Promise<Stream> {
    const stream = new Stream(room, asked, below ?? Number.MAX_SAFE_INTEGER)
    await stream.#step()
    return stream
  }

  async next(): Promise<void> {
    if (this.head !== undefined) this.below = this.head.place
    await this.#step()
  }

  async #step(): Promise<void> {
    const { value } = await this.#found.next()
    this.head = value ?? undefined
  }
}

/** Messages of a room that meet the terms, from below a place downwards. */
async function* inRoom(room: Searchable, asked: Asked, below: number): AsyncGenerator<Found> {
  const passing = room.unkept
    .filter(({ place }) => place < below)
    .flatMap(({ place, item }): Found[] => {
      const ranges = match(item.text, asked.terms)
      return ranges === undefined ? [] : [{ place, item, ranges }]
    })
  const end = Math.min(room.history.length, room.storedBefore(below))
  for await (const [n, item] of stored(room.history, asked, end)) {
    const ranges = match(item.text, asked.terms)
    if (ranges === undefined) continue
    const place = room.placeOf(n)
    for (let last = passing.at(-1); last && last.place > place; last = passing.at(-1)) {
      yield last
      passing.pop()
    }
    yield { place, item, ranges }
  }
  yield* passing.reverse()
}

/** Stored messages before `end` that may meet the query, newest first. */
async function* stored(
  history: History,
  { needles, share, signal }: Asked,
  end: number,
): AsyncGenerator<readonly [number, Message]> {
  const full = Math.floor(end / STEP)
  let batch: Candidate[] = []
  let wanted = share
  let due = wanted
  const read = async () => {
    const numbers = batch.flatMap((candidate) => placesIn(candidate, end))
    const segments = await history.segments([...new Set(numbers.map(segmentOf))])
    signal.throwIfAborted()
    batch = []
    return numbers.flatMap((n) => {
      const item = segments.get(segmentOf(n))?.[n % SEGMENT]
      return item?.k === 'm' ? [[n, item] as const] : []
    })
  }
  // The newest step is not in the index yet, and one that `end` cuts off is at hand as a rule.
  if (end % STEP > 0) {
    batch = [{ step: full, places: undefined }]
    yield* await read()
  }
  for await (const candidate of history.index.candidates(needles, full, signal)) {
    batch.push(candidate)
    due -= candidate.places ? count(candidate.places) : UNKNOWN
    if (batch.length < MOST_READ && due > 0) continue
    yield* await read()
    if (due > 0) continue
    wanted *= 2
    due = wanted
  }
  yield* await read()
}

function segmentOf(n: number): number {
  return Math.floor(n / SEGMENT)
}

/** The items of a candidate that stand before `end`, newest first. */
function placesIn({ step, places }: Candidate, end: number): number[] {
  const numbers: number[] = []
  for (let i = Math.min(STEP, end - step * STEP) - 1; i >= 0; i--)
    if (places === undefined || has(places, i)) numbers.push(step * STEP + i)
  return numbers
}

function toHit(room: RoomId, { place, item, ranges }: Found): SearchHit {
  const { id, from, mine, at, text } = item
  return { room, place, id: id as SearchHit['id'], from, mine, at, ...snippet(text, ranges) }
}

/** The part of a text around its first match, on one line, and where the matches are in it. */
export function snippet(
  text: string,
  ranges: readonly Range[],
): Pick<SearchHit, 'snippet' | 'ranges'> {
  const first = ranges[0]?.[0] ?? 0
  const start = text.length <= SNIPPET ? 0 : boundary(text, Math.max(0, first - LEAD))
  const end = boundary(text, Math.min(text.length, start + SNIPPET))
  const before = start > 0 ? '…' : ''
  const cut = text.slice(start, end).replace(/\s/g, ' ')
  const shift = before.length - start
  const inside = ranges.filter(([from]) => from >= start && from < end)
  return {
    snippet: before + cut + (end < text.length ? '…' : ''),
    ranges: inside.map(([from, to]) => [from + shift, Math.min(to, end) + shift]),
  }
}

/** Not within a surrogate pair. */
function boundary(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code <= 0xdfff ? at + 1 : at
}
