import type { Storage } from '../../web/chat/storage.ts'

/**
 * A store in memory that behaves as one on disk does in a crash: `crash` gives the store that the
 * next process would find, and from then on nothing that the old one writes is kept.
 */
export class MemoryStorage implements Storage {
  #values: Map<string, unknown>
  #dead = false
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
    if (this.#dead) return new Promise(() => undefined)
    this.onWrite?.(changes)
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
