import { type Bytes, EMPTY } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import {
  everywhere,
  isEmpty,
  LOTS,
  type Needles,
  narrow,
  type Places,
  SPAN,
  type Words,
  withWords,
  wordsOf,
} from './search_postings.ts'
import { STEP } from './segment.ts'
import type { Storage } from './storage.ts'
import type { Vault } from './vault.ts'

/** Steps of a span. */
const STEPS = SPAN / STEP
/** Spans that a search reads at once. */
const READ = 8
/** Lots that are kept open in memory, per room: about 10 KB each. */
const MOST_OPEN = 512
/** Steps that are indexed anew at once, after the index was found to lack them. */
const MEND = 4
/** Where earlier versions kept an index. It is not read any more. */
const FORMER = ['index', 'words']

/** A step that may hold what is searched for, in which messages if that is known. */
export interface Candidate {
  readonly step: number
  readonly places: Places | undefined
}

/** `covered[n]`: whether the words of step `n` of the span are in `postings`. */
interface Lot {
  readonly covered: readonly boolean[]
  readonly postings: Bytes
}

const NOTHING: Lot = { covered: [], postings: EMPTY }

/**
 * Which words are in which messages of a room's full steps, sealed, `postings/<room>/<span>/<lot>`.
 * What reading costs goes by the bytes, so the words of a span lie in lots: a search reads of each
 * span the lots of its words alone. A full step never changes, and its words are written in the
 * transaction that fills it, so the index is never out of date. A step that it lacks (a lot was
 * lost or damaged) is searched by reading it, and gets back into the index with the next write.
 */
export class SearchIndex {
  readonly #storage: Storage
  readonly #vault: Vault
  readonly #room: string
  readonly #open = new Map<string, Lot>()
  /** Steps that a search found to lack. */
  readonly #missing = new Set<number>()
  #formerGone = false

  constructor(storage: Storage, vault: Vault, room: string) {
    this.#storage = storage
    this.#vault = vault
    this.#room = room
  }

  /**
   * Puts the words of steps that have become full into `changes`, and those of some that a search
   * has missed; call the result once they are written.
   */
  async stage(
    full: ReadonlyMap<number, readonly (string | undefined)[]>,
    read: (step: number) => Promise<readonly (string | undefined)[]>,
    changes: Map<string, unknown>,
  ): Promise<() => void> {
    if (full.size + this.#missing.size === 0) return () => undefined
    const mended = [...this.#missing].slice(0, MEND)
    const texts = new Map(full)
    for (const n of mended) texts.set(n, await read(n))
    const changed = new Map<string, Lot>()
    for (const [span, some] of Map.groupBy(texts, ([n]) => Math.floor(n / STEPS))) {
      const keys = Array.from({ length: LOTS }, (_, lot) => this.#key(span, lot))
      const before = await this.#lots(keys)
      const fresh = some.map(([n, lines]) => {
        const within = n % STEPS
        return { within, words: wordsOf(lines, within * STEP) }
      })
      for (const [i, key] of keys.entries())
        changed.set(
          key,
          fresh.reduce(
            (lot, { within, words }) => withStep(lot, within, words[i]),
            before.get(key) ?? NOTHING,
          ),
        )
    }
    for (const [key, lot] of changed) changes.set(key, await this.#vault.seal(key, lot))
    if (!this.#formerGone) await this.#stageDeletion(FORMER, changes)
    return () => {
      this.#formerGone = true
      for (const [key, lot] of changed) this.#keep(key, lot)
      for (const n of mended) this.#missing.delete(n)
    }
  }

  /**
   * Those of the steps [0, end) that may hold what is searched for, newest first. A bounded number
   * of values is read ahead, so a caller who has enough just stops.
   */
  async *candidates(query: Needles, end: number, signal: AbortSignal): AsyncGenerator<Candidate> {
    for (let below = Math.ceil(end / STEPS); below > 0; below -= READ) {
      const spans = Array.from({ length: Math.min(READ, below) }, (_, i) => below - 1 - i)
      const lots = await this.#lots(
        spans.flatMap((span) => query.map(({ lot }) => this.#key(span, lot))),
      )
      signal.throwIfAborted()
      for (const span of spans) yield* this.#within(span, lots, query, end)
    }
  }

  *#within(
    span: number,
    lots: ReadonlyMap<string, Lot>,
    query: Needles,
    end: number,
  ): Generator<Candidate> {
    const places = everywhere(SPAN)
    const found = query.map((needle) => {
      const lot = lots.get(this.#key(span, needle.lot)) ?? NOTHING
      narrow(places, lot.postings, needle)
      return lot
    })
    for (let n = Math.min(STEPS, end - span * STEPS) - 1; n >= 0; n--) {
      const step = span * STEPS + n
      const here = places.subarray((n * STEP) / 32, ((n + 1) * STEP) / 32)
      if (!found.every(({ covered }) => covered[n] === true)) {
        this.#missing.add(step)
        yield { step, places: undefined }
      } else if (!isEmpty(here)) yield { step, places: here }
    }
  }

  /** Puts the deletion of everything into `changes`; call the result once it is written. */
  async stageWipe(changes: Map<string, unknown>): Promise<() => void> {
    await this.#stageDeletion(['postings', ...FORMER], changes)
    return () => {
      this.#open.clear()
      this.#missing.clear()
    }
  }

  async #stageDeletion(kinds: readonly string[], changes: Map<string, unknown>): Promise<void> {
    for (const kind of kinds)
      for (const key of await this.#storage.keys(`${kind}/${this.#room}/`))
        changes.set(key, undefined)
  }

  #key(span: number, lot: number): string {
    return `postings/${this.#room}/${span.toString(36).padStart(6, '0')}/${lot}`
  }

  async #lots(keys: readonly string[]): Promise<ReadonlyMap<string, Lot>> {
    const found = new Map(keys.map((key) => [key, this.#open.get(key)]))
    const closed = [...found.keys()].filter((key) => found.get(key) === undefined)
    const sealed = await this.#storage.readMany(closed)
    const opened = await Promise.all(closed.map((key, i) => this.#unseal(key, sealed[i])))
    for (const [i, key] of closed.entries()) {
      // A lot that was written meanwhile is newer than what was read.
      const lot = this.#open.get(key) ?? opened[i] ?? NOTHING
      found.set(key, lot)
      this.#keep(key, lot)
    }
    return found as Map<string, Lot>
  }

  /** A lot that is lost or damaged has nothing: then everything may be anywhere. */
  async #unseal(key: string, sealed: unknown): Promise<Lot> {
    if (sealed === undefined) return NOTHING
    try {
      return (await this.#vault.open(key, sealed)) as Lot
    } catch (error) {
      if (error instanceof SottoError && error.code === 'crypto_failed') return NOTHING
      throw error
    }
  }

  #keep(key: string, lot: Lot): void {
    this.#open.delete(key)
    this.#open.set(key, lot)
    const [oldest] = this.#open.keys()
    if (this.#open.size > MOST_OPEN && oldest !== undefined) this.#open.delete(oldest)
  }
}

function withStep(lot: Lot, n: number, words: Words = new Map()): Lot {
  if (lot.covered[n] === true) return lot
  const covered = Array.from({ length: STEPS }, (_, i) => i === n || lot.covered[i] === true)
  return { covered, postings: withWords(lot.postings, words) }
}
