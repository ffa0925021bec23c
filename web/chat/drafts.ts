import type { RoomId } from './model.ts'
import type { Storage } from './storage.ts'
import type { Vault } from './vault.ts'

const KEY = 'drafts'

/**
 * What was typed and not sent, by room, sealed in the store. Keystrokes while a write is under way
 * share the next one.
 */
export class Drafts {
  readonly #storage: Storage
  readonly #vault: Vault
  readonly #texts: Map<string, string>
  #writing: Promise<void> | undefined
  #again = false

  private constructor(storage: Storage, vault: Vault, texts: Map<string, string>) {
    this.#storage = storage
    this.#vault = vault
    this.#texts = texts
  }

  /** Damaged ones are gone. */
  static async open(storage: Storage, vault: Vault): Promise<Drafts> {
    const sealed = await storage.read(KEY)
    const texts = await vault.open(KEY, sealed).catch(() => [])
    return new Drafts(storage, vault, new Map(texts as [string, string][]))
  }

  get(room: RoomId): string {
    return this.#texts.get(room) ?? ''
  }

  set(room: RoomId, text: string): void {
    if (this.get(room) === text) return
    if (text === '') this.#texts.delete(room)
    else this.#texts.set(room, text)
    this.#again = true
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  /** Resolves when everything typed so far has been written, or could not be. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async #write(): Promise<void> {
    while (this.#again) {
      this.#again = false
      const texts = [...this.#texts]
      const value = texts.length === 0 ? undefined : await this.#vault.seal(KEY, texts)
      // A full disk has its own notice as soon as something is to be sent.
      await this.#storage.write(new Map([[KEY, value]])).catch(() => undefined)
    }
  }
}
