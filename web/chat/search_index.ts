import { type Bytes, EMPTY } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import { isEmpty, lookUp, makePart, type Needles, type Places } from './search_part.ts'
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
const FIRST_READ = 8
/** Segments that are indexed anew at once, after the index was found to lack them. */
const MEND = 4

/** A segment that may hold what is searched for. Without an index anything may be in it. */
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
  readonly #open = new Map<number, Block>()
  /** Segments that a search found without a part. */
  readonly #missing = new Set<number>()
  #starts: Promise<readonly number[]> | undefined

  constructor(storage: Storage, vault: Vault, room: string) {
    this.#storage = storage
    this.#vault = vault
    this.#prefix = `index/${room}/`
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
    for (const n of mended) changed.set(n, [makePart(await read(n))])
    for (const [n, texts] of full) {
      const start = starts.filter((first) => first <= n).at(-1)
      const last =
        start === undefined ? undefined : (changed.get(start) ?? (await this.#block(start)))
      const fits = last !== undefined && start !== undefined && start + last.length === n
      if (fits && size(last) < BLOCK) changed.set(start, [...last, makePart(texts)])
      else {
        changed.set(n, [makePart(texts)])
        starts.push(n)
      }
    }
    for (const [n, block] of changed)
      changes.set(this.#key(n), await this.#vault.seal(this.#key(n), block))
    return () => {
      this.#starts = Promise.resolve(ascending([...starts, ...mended]))
      for (const [n, block] of changed) this.#keep(n, block)
      for (const n of mended) this.#missing.delete(n)
    }
  }

  /**
   * Those of the segments [0, end) that may hold what is searched for, newest first. A bounded
   * number of values is read ahead, so a caller who has enough just stops.
   */
  async *candidates(query: Needles, end: number, signal: AbortSignal): AsyncGenerator<Candidate> {
    const starts = (await this.#firsts()).filter((first) => first < end).toReversed()
    let above = end
    for (let i = 0, most = FIRST_READ; i < starts.length; i += most, most *= 4) {
      const some = starts.slice(i, i + most)
      const blocks = await this.#blocks(some)
      signal.throwIfAborted()
      for (const [j, start] of some.entries()) {
        const block = blocks[j] ?? []
        const top = Math.min(start + block.length, above)
        yield* this.#uncovered(top, above)
        for (let n = top - 1; n >= start; n--) {
          const places = lookUp(block[n - start] ?? EMPTY, query)
          if (!isEmpty(places)) yield { segment: n, places }
        }
        above = start
      }
    }
    yield* this.#uncovered(0, above)
  }

  *#uncovered(from: number, to: number): Generator<Candidate> {
    for (let segment = to - 1; segment >= from; segment--) {
      this.#missing.add(segment)
      yield { segment, places: undefined }
    }
  }

  /** Puts the deletion of everything into `changes`; call the result once it is written. */
  async stageWipe(changes: Map<string, unknown>): Promise<() => void> {
    for (const key of await this.#storage.keys(this.#prefix)) changes.set(key, undefined)
    return () => {
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
