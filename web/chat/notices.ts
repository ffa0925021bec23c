import type { Notice } from './model.ts'
import type { Storage } from './storage.ts'

const KEY = 'notices'
/** Older ones than these many make room: they have been on the screen for long. */
const MOST = 50

/**
 * What the person has to know. A notice stays, over reloads too, until it is dismissed or decided;
 * the same one is not raised twice.
 */
export class Notices {
  readonly #storage: Storage
  #list: readonly Notice[]

  private constructor(storage: Storage, list: readonly Notice[]) {
    this.#storage = storage
    this.#list = list
  }

  static async open(storage: Storage): Promise<Notices> {
    return new Notices(storage, ((await storage.read(KEY)) as Notice[] | undefined) ?? [])
  }

  /** Newest first. */
  get list(): readonly Notice[] {
    return this.#list
  }

  /** Shows a notice; one with the same id makes room for it. */
  raise(notice: Notice): void {
    this.#set([notice, ...this.#list.filter(({ id }) => id !== notice.id)].slice(0, MOST))
  }

  dismiss(id: string): void {
    if (this.#list.some((notice) => notice.id === id))
      this.#set(this.#list.filter((notice) => notice.id !== id))
  }

  #set(list: readonly Notice[]): void {
    this.#list = list
    // What can't be stored is on the screen all the same; the store's failure has its own notice.
    this.#storage.write(new Map([[KEY, list]])).catch(() => undefined)
  }
}
