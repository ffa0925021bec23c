import { type Bytes, EMPTY } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import { everywhere, has, lookUp, type Needles, withSegment } from './search_part.ts'
import type { Storage } from './storage.ts'
import type { Vault } from './vault.ts'

/** Segments of one summary: rewriting it stays a matter of milliseconds. */
export const SPAN = 64

/** `covered[n]`: whether the words of its segment `n` are in `words`, a part with segments as places. */
interface Summary {
  readonly covered: readonly boolean[]
  readonly words: Bytes
}

/** Segments that may hold what is searched for, newest first; those of which nothing is known. */
interface Possible {
  readonly segments: readonly number[]
  readonly uncovered: readonly number[]
}

/** Hits that are looked for at once unless the caller says otherwise. */
export const PAGE = 25

const NOTHING: Summary = { covered: [], words: EMPTY }

/**
 * Which words are in which of 64 segments, `words/<room>/<number>`: a fifth of the size of the
 * parts, so that a rare word is found without reading these. Written in the same transactions.
 */
export class SearchSummaries {
  readonly #storage: Storage
  readonly #vault: Vault
  readonly #prefix: string
  readonly #open = new Map<number, Summary>()

  constructor(storage: Storage, vault: Vault, room: string) {
    this.#storage = storage
    this.#vault = vault
    this.#prefix = `words/${room}/`
  }

  /** Puts the words of segments, by number, into `changes`; call the result once it is written. */
  async stage(
    parts: ReadonlyMap<number, Uint8Array>,
    changes: Map<string, unknown>,
  ): Promise<() => void> {
    const changed = new Map<number, Summary>()
    for (const [n, part] of parts) {
      const number = Math.floor(n / SPAN)
      const [before = NOTHING] = changed.has(number)
        ? [changed.get(number)]
        : await this.#read([number])
      const covered = Array.from({ length: SPAN }, (_, i) => before.covered[i] ?? false)
      covered[n % SPAN] = true
      changed.set(number, { covered, words: withSegment(before.words, n % SPAN, part) })
    }
    for (const [number, summary] of changed) {
      const key = this.#key(number)
      changes.set(key, await this.#vault.seal(key, summary))
    }
    return () => {
      for (const [number, summary] of changed) this.#open.set(number, summary)
    }
  }

  async stageWipe(changes: Map<string, unknown>): Promise<() => void> {
    for (const key of await this.#storage.keys(this.#prefix)) changes.set(key, undefined)
    return () => this.#open.clear()
  }

  /** Those of the segments [0, end) that may hold what is searched for, newest first. */
  async *candidates(query: Needles, end: number, signal: AbortSignal): AsyncGenerator<Possible> {
    const newest = Math.ceil(end / SPAN) - 1
    if (newest < 0) return
    const first = possible(newest, (await this.#read([newest]))[0], query, end)
    signal.throwIfAborted()
    const others = Array.from({ length: newest }, (_, i) => newest - 1 - i)
    // Too few for a page: who asked will want the others too, and they come while these are read.
    const ahead = first.segments.length < PAGE ? this.#read(others) : undefined
    ahead?.catch(() => undefined)
    yield first
    const summaries = await (ahead ?? this.#read(others))
    signal.throwIfAborted()
    for (const [i, number] of others.entries()) yield possible(number, summaries[i], query, end)
  }

  #key(number: number): string {
    return this.#prefix + number.toString(36).padStart(6, '0')
  }

  async #read(numbers: readonly number[]): Promise<Summary[]> {
    const closed = numbers.filter((number) => !this.#open.has(number))
    const sealed = await this.#storage.readMany(closed.map((number) => this.#key(number)))
    const opened = await Promise.all(closed.map((number, i) => this.#unseal(number, sealed[i])))
    for (const [i, number] of closed.entries())
      if (!this.#open.has(number)) this.#open.set(number, opened[i] ?? NOTHING)
    return numbers.map((number) => this.#open.get(number) ?? NOTHING)
  }

  /** A damaged summary is none: then everything may be anywhere. */
  async #unseal(number: number, sealed: unknown): Promise<Summary> {
    if (sealed === undefined) return NOTHING
    try {
      return (await this.#vault.open(this.#key(number), sealed)) as Summary
    } catch (error) {
      if (error instanceof SottoError && error.code === 'crypto_failed') return NOTHING
      throw error
    }
  }
}

/** What summary `number` says of those of its segments that are before `end`. */
function possible(
  number: number,
  summary: Summary = NOTHING,
  query: Needles,
  end: number,
): Possible {
  const { covered, words } = summary
  const places = covered.length === 0 ? everywhere() : lookUp(words, query)
  const length = Math.min(SPAN, end - number * SPAN)
  const all = Array.from({ length }, (_, n) => number * SPAN + n).reverse()
  const uncovered = all.filter((n) => covered[n % SPAN] !== true)
  const segments = all.filter((n) => has(places, n % SPAN) || covered[n % SPAN] !== true)
  return { segments, uncovered }
}
