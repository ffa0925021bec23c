import type { RoomId } from './model.ts'
import type { Storage } from './storage.ts'
import type { Vault } from './vault.ts'

const KEY = 'drafts'

/** So many writes are under way at most; what is typed meanwhile shares the next one. */
const AT_ONCE = 8

/**
 * What was typed and not sent, by room, sealed in the store. A write is handed to the store at each
 * keystroke, without waiting for the disk: the page may be gone the moment after.
 */
export class Drafts {
  readonly #storage: Storage
  readonly #vault: Vault
  readonly #texts: Map<string, string>
  #sealing: Promise<void> | undefined
  readonly #writing = new Set<Promise<void>>()
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
    this.#write()
  }

  /**
   * Forgets a room's draft in the transaction that `write` makes of the changes it is given. What is
   * typed elsewhere meanwhile is written after it.
   */
  async forget(
    room: RoomId,
    write: (changes: Map<string, unknown>) => Promise<void>,
  ): Promise<void> {
    while (this.#busy) await this.settled()
    const work = this.#sealed([...this.#texts].filter(([of]) => of !== room))
      .then((value) => write(new Map([[KEY, value]])))
      .then(() => void this.#texts.delete(room))
    this.#sealing = work
      .catch(() => undefined)
      .finally(() => {
        this.#sealing = undefined
        this.#write()
      })
    await work
  }

  /** Resolves when everything typed so far has been written, or could not be. */
  async settled(): Promise<void> {
    while (this.#busy) await Promise.all([this.#sealing, ...this.#writing])
  }

  get #busy(): boolean {
    return this.#sealing !== undefined || this.#writing.size > 0
  }

  #write(): void {
    if (!this.#again || this.#writing.size >= AT_ONCE) return
    this.#sealing ??= this.#seal().finally(() => {
      this.#sealing = undefined
      this.#write()
    })
  }

  /** One after the other, so that the store gets them in the order in which they were typed. */
  async #seal(): Promise<void> {
    this.#again = false
    const value = await this.#sealed([...this.#texts])
    const writing = this.#storage
      .write(new Map([[KEY, value]]))
      // A full disk has its own notice as soon as something is to be sent.
      .catch(() => undefined)
      .finally(() => {
        this.#writing.delete(writing)
        this.#write()
      })
    this.#writing.add(writing)
  }

  async #sealed(texts: readonly [string, string][]): Promise<unknown> {
    return texts.length === 0 ? undefined : this.#vault.seal(KEY, texts)
  }
}
