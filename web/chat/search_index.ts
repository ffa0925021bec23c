import type { Bytes } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import { isEmpty, lookUp, makePart, type Needles, type Places } from './search_part.ts'
import { SearchSummaries } from './search_summary.ts'
import type { Storage } from './storage.ts'
import type { Vault } from './vault.ts'

/**
 * A block takes parts until it has this many bytes. Chromium keeps values of up to 64 KiB in its
 * database and larger ones in files of their own, which are slower to read.
 */
const BLOCK = 44 * 1024
/** Blocks that are kept open in memory, per room: of half a million messages. */
const MOST_OPEN = 256
/** Blocks that a search reads at first; then four times as many each time. */
const FIRST_READ = 4
/** Segments that are indexed anew at once, after the index was found to lack them. */
const MEND = 4

/** A segment that may hold what is searched for, in which messages if that is known. */
export interface Candidate {
  readonly segment: number
  readonly places: Places | undefined
}

/** Parts of consecutive segments, the first of which names the block. */
type Block = readonly Bytes[]

/**
 * What the full segments of a room's history hold, in sealed blocks `index/<room>/<first segment>`.
 * A full segment never changes, and its part is written in the transaction that fills it, so a part
 * is never out of date. A segment without one (its block was lost or damaged) is searched by
 * reading it, and gets its part back with the next write.
 */
export class SearchIndex {
  readonly #storage: Storage
  readonly #vault: Vault
  readonly #prefix: string
  readonly #summaries: SearchSummaries
  readonly #open = new Map<number, Block>()
  /** Segments that a search found without a part. */
  readonly #missing = new Set<number>()
  #starts: Promise<readonly number[]> | undefined

  constructor(storage: Storage, vault: Vault, room: string) {
    this.#storage = storage
    this.#vault = vault
    this.#prefix = `index/${room}/`
    this.#summaries = new SearchSummaries(storage, vault, room)
  }

  /**
   * Puts the parts of segments that have become full into `changes`, and those of some that a search
   * has missed; call the result once they are written.
   */
  async stage(
    full: ReadonlyMap<number, readonly (string | undefined)[]>,
    read: (segment: number) => Promise<readonly (string | undefined)[]>,
    changes: Map<string, unknown>,
  ): Promise<() => void> {
    if (full.size + this.#missing.size === 0) return () => undefined
    const starts = [...(await this.#firsts())]
    const changed = new Map<number, Block>()
    const mended = [...this.#missing].slice(0, MEND).filter((n) => !full.has(n))
    const parts = new Map<number, Bytes>()
    for (const n of mended) parts.set(n, makePart(await read(n)))
    for (const [n, texts] of full) parts.set(n, makePart(texts))
    for (const [n, part] of parts) {
      const start = Math.max(...starts.filter((first) => first <= n), 0)
      const last = changed.get(start) ?? (await this.#block(start))
      // Only its summary was lost.
      if (last[n - start] !== undefined) continue
      const fits = last.length > 0 && start + last.length === n && size(last) < BLOCK
      if (fits) changed.set(start, [...last, part])
      else {
        changed.set(n, [part])
        starts.push(n)
      }
    }
    const adoptSummaries = await this.#summaries.stage(parts, changes)
    for (const [n, block] of changed)
      changes.set(this.#key(n), await this.#vault.seal(this.#key(n), block))
    return () => {
      adoptSummaries()
      this.#starts = Promise.resolve(ascending(starts))
      for (const [n, block] of changed) this.#keep(n, block)
      for (const n of mended) this.#missing.delete(n)
    }
  }

  /**
   * Those of the segments [0, end) that may hold what is searched for, newest first. For one word
   * the summaries say it; for several the parts know whether they meet in one message. A bounded
   * number of values is read ahead, so a caller who has enough just stops.
   */
  async *candidates(query: Needles, end: number, signal: AbortSignal): AsyncGenerator<Candidate> {
    const several = query.length > 1
    const starts = several ? (await this.#firsts()).toReversed() : []
    const inBlock = (n: number) => starts.find((first) => first <= n) ?? 0
    let most = FIRST_READ
    for await (const { segments, uncovered } of this.#summaries.candidates(query, end, signal)) {
      for (const segment of uncovered) this.#missing.add(segment)
      if (!several) for (const segment of segments) yield { segment, places: undefined }
      const byBlock = several ? [...Map.groupBy(segments, inBlock)] : []
      for (let i = 0; i < byBlock.length; most *= 4) {
        const some = byBlock.slice(i, i + most)
        const blocks = await this.#blocks(some.map(([start]) => start))
        signal.throwIfAborted()
        for (const [j, [start, within]] of some.entries())
          yield* this.#within(start, blocks[j] ?? [], within, query)
        i += some.length
      }
    }
  }

  *#within(
    start: number,
    block: Block,
    segments: readonly number[],
    query: Needles,
  ): Generator<Candidate> {
    for (const segment of segments) {
      const part = block[segment - start]
      const places = part && lookUp(part, query)
      if (part === undefined) this.#missing.add(segment)
      if (places === undefined || !isEmpty(places)) yield { segment, places }
    }
  }

  /** Puts the deletion of everything into `changes`; call the result once it is written. */
  async stageWipe(changes: Map<string, unknown>): Promise<() => void> {
    for (const key of await this.#storage.keys(this.#prefix)) changes.set(key, undefined)
    const adoptSummaries = await this.#summaries.stageWipe(changes)
    return () => {
      adoptSummaries()
      this.#starts = Promise.resolve([])
      this.#open.clear()
      this.#missing.clear()
    }
  }

  #key(first: number): string {
    return this.#prefix + first.toString(36).padStart(6, '0')
  }

  /** Where the blocks begin, ascending. */
  #firsts(): Promise<readonly number[]> {
    this.#starts ??= this.#storage
      .keys(this.#prefix)
      .then((keys) => keys.map((key) => Number.parseInt(key.slice(this.#prefix.length), 36)))
    this.#starts.catch(() => {
      this.#starts = undefined
    })
    return this.#starts
  }

  async #block(first: number): Promise<Block> {
    return (await this.#blocks([first]))[0] ?? []
  }

  /** Blocks by their first segments; an empty one for what is damaged. */
  async #blocks(firsts: readonly number[]): Promise<Block[]> {
    const closed = firsts.filter((first) => !this.#open.has(first))
    const sealed = await this.#storage.readMany(closed.map((first) => this.#key(first)))
    const opened = await Promise.all(closed.map((first, i) => this.#unseal(first, sealed[i])))
    const fresh = new Map(closed.map((first, i) => [first, opened[i] ?? []]))
    // A block that was written meanwhile is newer than what was read.
    for (const [first, block] of fresh) if (!this.#open.has(first)) this.#keep(first, block)
    return firsts.map((first) => this.#open.get(first) ?? fresh.get(first) ?? [])
  }

  async #unseal(first: number, sealed: unknown): Promise<Block> {
    try {
      return (await this.#vault.open(this.#key(first), sealed)) as Block
    } catch (error) {
      if (error instanceof SottoError && error.code === 'crypto_failed') return []
      throw error
    }
  }

  #keep(first: number, block: Block): void {
    this.#open.delete(first)
    this.#open.set(first, block)
    const [oldest] = this.#open.keys()
    if (this.#open.size > MOST_OPEN && oldest !== undefined) this.#open.delete(oldest)
  }
}

function size(block: Block): number {
  return block.reduce((sum, part) => sum + part.length, 0)
}

function ascending(numbers: Iterable<number>): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b)
}
