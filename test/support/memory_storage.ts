import type { Storage } from '../../web/chat/storage.ts'

/** A dead process hears of nothing any more. */
const NEVER = new Promise<never>(() => undefined)

/**
 * A store in memory that behaves as one on disk does in a crash: `crash` gives the store that the
 * next process would find, and from then on nothing that the old one writes is kept.
 */
export class MemoryStorage implements Storage {
  #values: Map<string, unknown>
  #dead = false
  #dying: { left: number; readonly keep: boolean; done(): void } | undefined
  /** Called before each write; what it throws is the medium's failure. */
  onWrite: ((changes: ReadonlyMap<string, unknown>) => void) | undefined

  constructor(values: Map<string, unknown> = new Map()) {
    this.#values = values
  }

  async read(key: string): Promise<unknown> {
    return this.#values.get(key)
  }

  async readMany(keys: readonly string[]): Promise<unknown[]> {
    return keys.map((key) => this.#values.get(key))
  }

  async keys(prefix: string): Promise<string[]> {
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix)).sort()
  }

  async write(changes: ReadonlyMap<string, unknown>): Promise<void> {
    if (this.#dead) return NEVER
    this.onWrite?.(changes)
    const dying = this.#dying
    if (dying !== undefined && dying.left-- === 0) {
      if (dying.keep) this.#apply(changes)
      this.#dead = true
      dying.done()
      return NEVER
    }
    this.#apply(changes)
  }

  /**
   * The process dies at its next write but `left`, before or (`keep`) right after that write is on
   * the disk. Resolves when it has happened.
   */
  dieAt(left: number, keep: boolean): Promise<void> {
    return new Promise((done) => {
      this.#dying = { left, keep, done }
    })
  }

  /** Nothing of that, if it has not happened yet. */
  live(): void {
    this.#dying = undefined
  }

  #apply(changes: ReadonlyMap<string, unknown>): void {
    for (const [key, value] of changes)
      if (value === undefined) this.#values.delete(key)
      else this.#values.set(key, key === 'ticket' ? value : structuredClone(value))
  }

  async destroy(): Promise<void> {
    this.#values.clear()
  }

  close(): void {}

  /** The process died here. */
  crash(): MemoryStorage {
    this.#dead = true
    return new MemoryStorage(new Map(this.#values))
  }

  /** What a copy of the disk would hold. */
  copy(): MemoryStorage {
    return new MemoryStorage(new Map(this.#values))
  }
}
