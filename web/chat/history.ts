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

/** Items of one segment. A new message rewrites the last segment only. */
export const SEGMENT = 256
/** Segments that are kept open in memory. */
const MOST_OPEN = 16

const seenKey = (item: StoredItem): string =>
  item.k === 'm' ? `${item.from}/${item.device}/${item.id}` : `/${item.id}`

/**
 * The messages of one room on this device, in sealed segments `log/<room>/<segment>`: opening a
 * room reads its last two, however long it is, and scrolling reads one at a time.
 */
export class History {
  readonly #storage: Storage
  readonly #vault: Vault
  readonly #prefix: string
  readonly #open = new Map<number, readonly StoredItem[]>()
  readonly #seen = new Set<string>()
  readonly #ids = new Set<string>()
  #length = 0

  private constructor(storage: Storage, vault: Vault, room: string) {
    this.#storage = storage
    this.#vault = vault
    this.#prefix = `log/${room}/`
  }

  /** Throws SottoError `crypto_failed` when the last segments are damaged. */
  static async open(storage: Storage, vault: Vault, room: string): Promise<History> {
    const history = new History(storage, vault, room)
    const last = (await storage.keys(history.#prefix)).at(-1)
    if (last === undefined) return history
    const segment = Number.parseInt(last.slice(history.#prefix.length), 36)
    for (const recent of [segment - 1, segment].filter((n) => n >= 0))
      for (const item of await history.#read(recent)) history.#note(item)
    history.#length = segment * SEGMENT + (history.#open.get(segment)?.length ?? 0)
    return history
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

  /** Whether this message is among the last few hundred (older repetitions MLS itself refuses). */
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
    return Promise.all(segments.map((n) => this.#read(n))).then(cut)
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
      const before = changed.get(n) ?? (length % SEGMENT === 0 ? [] : await this.#read(n))
      changed.set(n, [...before, item])
      length += 1
    }
    for (const [n, segment] of changed)
      changes.set(this.#key(n), await this.#vault.seal(this.#key(n), segment))
    return () => {
      for (const [n, segment] of changed) this.#keep(n, segment)
      for (const item of items) this.#note(item)
      this.#length = length
    }
  }

  #note(item: StoredItem): void {
    this.#seen.add(seenKey(item))
    this.#ids.add(item.id)
  }

  #key(segment: number): string {
    return this.#prefix + segment.toString(36).padStart(6, '0')
  }

  async #read(segment: number): Promise<readonly StoredItem[]> {
    const open = this.#open.get(segment)
    if (open !== undefined) return open
    const key = this.#key(segment)
    const sealed = await this.#storage.read(key)
    // Authenticated and written by us alone: its shape needs no second check.
    const items = (await this.#vault.open(key, sealed)) as readonly StoredItem[]
    this.#keep(segment, items)
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
