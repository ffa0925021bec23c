import { SottoError } from '../protocol/errors.ts'
import { formerOf, takeOver } from './history_former.ts'
import { SearchIndex } from './search_index.ts'
import { LOST_ID, SEGMENT, STEP, segmentKey, segmentsOf } from './segment.ts'
import type { Storage } from './storage.ts'
import type { Vault } from './vault.ts'

/** One line of a room as it is stored. Text of others and our own, and what the room has to say. */
export type StoredItem =
  | {
      readonly k: 'm'
      /** Hex of the message id: unique among those of `from` and its device only. */
      readonly id: string
      readonly from: string
      /** Hex of the sender's device. */
      readonly device: string
      readonly mine: boolean
      readonly text: string
      /** Milliseconds since 1970 by the sender's clock. */
      readonly at: number
    }
  | { readonly k: 's'; readonly id: string; readonly text: string; readonly at: number }

/** Messages that are recognised when they come again. Older repetitions MLS itself refuses. */
const MOST_KNOWN = 4_096
/** Segments that are kept open in memory. */
const MOST_OPEN = 512
/** Segments that are read when a room is opened. */
const RECENT = 16

const LOST =
  'What stood here is no longer on this device: the browser has deleted it, or it was damaged.'

const seenKey = (item: StoredItem): string =>
  item.k === 'm' ? `${item.from}/${item.device}/${item.id}` : `/${item.id}`

/**
 * The messages of one room on this device, in sealed segments `lines/<room>/<segment>`: opening a
 * room reads its last sixteen, however long it is, and scrolling reads one at a time. What is missing
 * or damaged is shown as lines that say so: the rest stays in its place. A segment is sealed as JSON:
 * engines read that several times as fast as we read CBOR, and a search may open dozens.
 */
export class History {
  /** The words of the full steps: written with them, wiped with them. */
  readonly index: SearchIndex
  readonly #storage: Storage
  readonly #vault: Vault
  readonly #room: string
  readonly #open = new Map<number, readonly StoredItem[]>()
  readonly #seen = new Set<string>()
  readonly #ids = new Set<string>()
  #length = 0

  private constructor(storage: Storage, vault: Vault, room: string) {
    this.#storage = storage
    this.#vault = vault
    this.#room = room
    this.index = new SearchIndex(storage, vault, room)
  }

  /** `length` as it was written with the room, if that is known: what lacks of it was lost. */
  static async open(
    storage: Storage,
    vault: Vault,
    room: string,
    length?: number,
  ): Promise<History> {
    await takeOver(storage, vault, room)
    const history = new History(storage, vault, room)
    history.#length = length ?? (await history.#found())
    const last = Math.floor((history.#length - 1) / SEGMENT)
    const first = Math.max(0, last + 1 - RECENT)
    const numbers = Array.from({ length: last + 1 - first }, (_, i) => first + i)
    const recent = await history.segments(numbers)
    history.remember([...recent.values()].flat())
    return history
  }

  /** Number of items by what is stored. */
  async #found(): Promise<number> {
    const key = (await this.#storage.keys(segmentsOf(this.#room))).at(-1)
    if (key === undefined) return 0
    const segment = Number.parseInt(key.slice(segmentsOf(this.#room).length), 36)
    const items = await this.#unseal(segment, await this.#storage.read(key))
    return segment * SEGMENT + (items?.length ?? 1)
  }

  /** Number of items. */
  get length(): number {
    return this.#length
  }

  /** The newest item. */
  get last(): StoredItem | undefined {
    const segment = this.#open.get(Math.floor((this.#length - 1) / SEGMENT))
    return segment?.at(-1)
  }

  /** Whether this message is among the last few thousand of this session and the one before. */
  has(item: StoredItem): boolean {
    return this.#seen.has(seenKey(item))
  }

  /** Whether any sender's message among those has this id (hex). */
  hasId(id: string): boolean {
    return this.#ids.has(id)
  }

  /** Items [from, to): at once when their segments are open. */
  range(from: number, to: number): readonly StoredItem[] | Promise<readonly StoredItem[]> {
    const start = Math.max(0, from)
    const end = Math.min(this.#length, to)
    if (start >= end) return []
    const segments: number[] = []
    for (let n = Math.floor(start / SEGMENT); n * SEGMENT < end; n++) segments.push(n)
    const cut = (parts: readonly (readonly StoredItem[])[]) => {
      const offset = (segments[0] ?? 0) * SEGMENT
      return parts.flat().slice(start - offset, end - offset)
    }
    const open = segments.map((n) => this.#open.get(n))
    if (open.every((part) => part !== undefined)) return cut(open)
    return this.segments(segments).then((parts) => cut([...parts.values()]))
  }

  /** Whole segments, in the order in which they were asked for. */
  async segments(numbers: readonly number[]): Promise<Map<number, readonly StoredItem[]>> {
    const found = new Map(numbers.map((n) => [n, this.#open.get(n)]))
    const closed = numbers.filter((n) => found.get(n) === undefined)
    const sealed = await this.#storage.readMany(closed.map((n) => this.#key(n)))
    const opened = await Promise.all(closed.map((n, i) => this.#unseal(n, sealed[i])))
    for (const [i, n] of closed.entries()) found.set(n, this.#whole(n, opened[i]))
    return found as Map<number, readonly StoredItem[]>
  }

  /**
   * Puts the segments that `items` change into `changes`; once those are written, the caller calls
   * what this resolves to, and only then are the items here.
   */
  async stage(items: readonly StoredItem[], changes: Map<string, unknown>): Promise<() => void> {
    const changed = new Map<number, readonly StoredItem[]>()
    let length = this.#length
    for (const item of items) {
      const n = Math.floor(length / SEGMENT)
      const before = changed.get(n) ?? (length % SEGMENT === 0 ? [] : await this.#segment(n))
      changed.set(n, [...before, item])
      length += 1
    }
    for (const [n, segment] of changed)
      changes.set(this.#key(n), await this.#vault.seal(this.#key(n), JSON.stringify(segment)))
    const full = new Map<number, readonly (string | undefined)[]>()
    for (let step = Math.floor(this.#length / STEP); (step + 1) * STEP <= length; step++)
      full.set(step, await this.#texts(step, changed))
    const adoptIndex = await this.index.stage(full, (step) => this.#texts(step), changes)
    return () => {
      for (const [n, segment] of changed) this.#keep(n, segment)
      adoptIndex()
      this.remember(items)
      this.#length = length
    }
  }

  /** Puts the deletion of everything into `changes`; call the result once it is written. */
  async stageWipe(changes: Map<string, unknown>): Promise<() => void> {
    for (const prefix of [segmentsOf(this.#room), formerOf(this.#room)])
      for (const key of await this.#storage.keys(prefix)) changes.set(key, undefined)
    const adoptIndex = await this.index.stageWipe(changes)
    return () => {
      adoptIndex()
      this.#open.clear()
      this.#length = 0
    }
  }

  /** Recognises these from now on when they come again, whether they are kept or not. */
  remember(items: readonly StoredItem[]): void {
    for (const item of items) {
      addTo(this.#seen, seenKey(item))
      addTo(this.#ids, item.id)
    }
  }

  #key(segment: number): string {
    return segmentKey(this.#room, segment)
  }

  /** The texts of a whole step, for the index; `changed` segments as they are about to be. */
  async #texts(
    step: number,
    changed: ReadonlyMap<number, readonly StoredItem[]> = new Map(),
  ): Promise<(string | undefined)[]> {
    const first = (step * STEP) / SEGMENT
    const numbers = Array.from({ length: STEP / SEGMENT }, (_, i) => first + i)
    const stored = await this.segments(numbers.filter((n) => !changed.has(n)))
    const items = numbers.flatMap((n) => changed.get(n) ?? stored.get(n) ?? [])
    return items.map((item) => (item.k === 'm' ? item.text : undefined))
  }

  async #segment(n: number): Promise<readonly StoredItem[]> {
    return (await this.segments([n])).get(n) ?? []
  }

  /** Undefined when it is missing or damaged. */
  async #unseal(n: number, sealed: unknown): Promise<readonly StoredItem[] | undefined> {
    if (sealed === undefined) return undefined
    try {
      // Authenticated and written by us alone: its shape needs no second check.
      const json = (await this.#vault.open(this.#key(n), sealed)) as string
      return JSON.parse(json) as readonly StoredItem[]
    } catch (error) {
      if (error instanceof SottoError && error.code === 'crypto_failed') return undefined
      throw error
    }
  }

  /** A segment with as many items as it must have; what was written meanwhile is newer. */
  #whole(n: number, stored: readonly StoredItem[] = []): readonly StoredItem[] {
    const open = this.#open.get(n)
    if (open !== undefined) return open
    const due = Math.min(SEGMENT, this.#length - n * SEGMENT)
    const lost = Array.from({ length: Math.max(0, due - stored.length) }, (_, i) => ({
      k: 's' as const,
      id: `${LOST_ID}${n}-${stored.length + i}`,
      text: LOST,
      at: 0,
    }))
    const items = [...stored, ...lost].slice(0, Math.max(0, due))
    if (due > 0) this.#keep(n, items)
    return items
  }

  /** Keeps the newest segment always, and of the others those used last. */
  #keep(segment: number, items: readonly StoredItem[]): void {
    this.#open.delete(segment)
    this.#open.set(segment, items)
    const newest = Math.max(...this.#open.keys())
    for (const n of this.#open.keys()) {
      if (this.#open.size <= MOST_OPEN) break
      if (n !== newest && n !== segment) this.#open.delete(n)
    }
  }
}

/** The newest stay. */
function addTo(known: Set<string>, key: string): void {
  known.add(key)
  const [oldest = ''] = known
  if (known.size > MOST_KNOWN) known.delete(oldest)
}
