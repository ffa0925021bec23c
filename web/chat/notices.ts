import type { Notice } from './model.ts'
import type { Storage } from './storage.ts'
import type { Vault } from './vault.ts'

const KEY = 'notices'
/** Older ones than these many make room: they have been on the screen for long. */
const MOST = 50

/**
 * What the person has to know. A notice stays, over reloads too, until it is dismissed or decided;
 * the same one is not raised twice.
 */
export class Notices {
  readonly #storage: Storage
  readonly #vault: Vault
  #list: readonly Notice[]
  /** Writes wait for one another. */
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(storage: Storage, vault: Vault, list: readonly Notice[]) {
    this.#storage = storage
    this.#vault = vault
    this.#list = list
  }

  /** Damaged ones are forgotten: what still holds is noticed again. */
  static async open(storage: Storage, vault: Vault): Promise<Notices> {
    const sealed = await storage.read(KEY)
    const list = await vault.open(KEY, sealed).catch(() => [])
    return new Notices(storage, vault, list as Notice[])
  }

  /** Newest first. */
  get list(): readonly Notice[] {
    return this.#list
  }

  /** Shows a notice; one with the same id, up to a `#`, makes room for it. */
  raise(notice: Notice): void {
    const others = this.#list.filter(({ id }) => subject(id) !== subject(notice.id))
    this.#set([notice, ...others].slice(0, MOST))
  }

  dismiss(id: string): void {
    if (this.#list.some((notice) => notice.id === id))
      this.#set(this.#list.filter((notice) => notice.id !== id))
  }

  #set(list: readonly Notice[]): void {
    this.#list = list
    // What can't be stored is on the screen all the same; the store's failure has its own notice.
    this.#tail = this.#tail
      .then(async () => this.#storage.write(new Map([[KEY, await this.#vault.seal(KEY, list)]])))
      .catch(() => undefined)
  }
}

function subject(id: string): string {
  return id.split('#', 1)[0] ?? id
}
