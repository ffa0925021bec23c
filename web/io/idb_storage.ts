import { promisifyRequest, type UseStore } from 'idb-keyval'
import type { Storage } from '../chat/storage.ts'
import { SottoError } from '../protocol/errors.ts'

const STORE = 'sotto'
/**
 * Beside the values, whose keys are texts, stand numbers: under 0 how many pages have held this
 * store one after the other, and one number for each holder of late that holds it no more.
 */
const HOLDERS = 0
const MOST_FORMER = 64
/** Chromium: an error undoes a transaction also when `commit` was called before it. */
const ERRORS_UNDO = 'userAgentData' in navigator
/** Above every character that a key of ours ends with. */
const LAST = '\uffff'

/** The name of a profile's database: one each, so that deleting one can't touch another. */
export function databaseName(profile: string): string {
  return `sotto-${profile}`
}

function open(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name)
  request.onupgradeneeded = () => request.result.createObjectStore(STORE)
  return promisifyRequest(request)
}

/**
 * An idb-keyval store whose transactions are strict: `complete` comes after the data has reached
 * the disk, not merely the system's cache. The browser may close a database by itself (its files
 * were deleted, another tab deletes it); the next use then opens it afresh. Our own `close` is final.
 */
class StrictStore {
  readonly name: string
  #database: Promise<IDBDatabase> | undefined
  #closed = false
  /** Which holder of the store this is; 0 for who only looks. */
  #holder = 0

  constructor(name: string) {
    this.name = name
  }

  use: UseStore = async (mode, callback) => callback(await this.#begin(mode, 'strict'))

  /**
   * From here on no earlier holder can write any more, however late it wakes. It need not be on the
   * disk at once: a power cut ends all of them.
   */
  async hold(mine: () => boolean): Promise<void> {
    const objects = await this.#begin('readwrite', 'relaxed')
    if (!mine()) throw gone()
    const before = objects.get(HOLDERS)
    before.onsuccess = () => {
      const former = (before.result as number | undefined) ?? 0
      this.#holder = former + 1
      objects.put(this.#holder, HOLDERS)
      if (former > HOLDERS) objects.put(true, former)
      if (former - MOST_FORMER > HOLDERS) objects.delete(former - MOST_FORMER)
    }
    return promisifyRequest(objects.transaction)
  }

  /**
   * Ends a write. Its requests are followed by one that fails, and all with it, when another page
   * has taken the store. `commit` is said at once where that holds, for the page may be gone before
   * the requests have been answered; elsewhere (Firefox commits all the same) when this has passed.
   */
  end(objects: IDBObjectStore): void {
    const commit = () => objects.transaction.commit()
    const guard = this.#holder === 0 ? undefined : objects.add(true, this.#holder)
    if (guard !== undefined) objects.delete(this.#holder)
    if (guard === undefined || ERRORS_UNDO) commit()
    else guard.onsuccess = commit
  }

  async #begin(mode: IDBTransactionMode, durability: IDBTransactionDurability) {
    const database = await this.#open()
    // Said by another tab meanwhile, and heard at once: nothing is begun any more.
    if (this.#closed) throw gone()
    return database.transaction(STORE, mode, { durability }).objectStore(STORE)
  }

  async close(): Promise<void> {
    this.#closed = true
    const database = this.#database
    this.#database = undefined
    ;(await database?.catch(() => undefined))?.close()
  }

  #open(): Promise<IDBDatabase> {
    this.#database ??= open(this.name).then(
      (database) => {
        const forget = () => {
          this.#database = undefined
        }
        database.onclose = forget
        database.onversionchange = () => {
          forget()
          database.close()
        }
        return database
      },
      (error) => {
        this.#database = undefined
        throw error
      },
    )
    return this.#database
  }
}

function gone(): SottoError {
  return new SottoError('unavailable', 'Another tab has this person now. Nothing is stored here.')
}

function unavailable(cause: unknown): SottoError {
  if (cause instanceof SottoError) return cause
  if (cause instanceof DOMException && cause.name === 'ConstraintError') return gone()
  const full = cause instanceof DOMException && cause.name === 'QuotaExceededError'
  const text = full
    ? 'The browser has no room left for Sotto. Free some disk space, then try again.'
    : 'The browser could not read or write Sotto’s storage. Reload the page; if it happens again, export your identity.'
  return new SottoError('unavailable', text, { cause })
}

async function guarded<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw unavailable(cause)
  }
}

/**
 * The store of a profile for the page that has claimed it: whoever had it before and does not know
 * yet can't write any more. Rejects with SottoError `unavailable` when it is not `mine` any more.
 */
export async function heldStorage(profile: string, mine: () => boolean): Promise<Storage> {
  const store = new StrictStore(databaseName(profile))
  await guarded(store.hold(mine))
  return storageOf(store)
}

/** The store of one profile in IndexedDB; CryptoKeys are kept as what they are. */
export function idbStorage(profile: string): Storage {
  return storageOf(new StrictStore(databaseName(profile)))
}

function storageOf(store: StrictStore): Storage {
  const { name, use } = store
  return {
    read: (key) =>
      guarded(use('readonly', (objects): Promise<unknown> => promisifyRequest(objects.get(key)))),
    readMany: (keys) =>
      guarded(
        use(
          'readonly',
          (objects): Promise<unknown[]> =>
            Promise.all(keys.map((key) => promisifyRequest(objects.get(key)))),
        ),
      ),
    keys: (prefix) =>
      guarded(
        use('readonly', (objects) =>
          promisifyRequest(
            objects.getAllKeys(IDBKeyRange.bound(prefix, prefix + LAST)) as IDBRequest<string[]>,
          ),
        ),
      ),
    write: (changes) =>
      guarded(
        use('readwrite', (objects): Promise<void> => {
          try {
            for (const [key, value] of changes) {
              if (value === undefined) objects.delete(key)
              else objects.put(value, key)
            }
          } catch (error) {
            // A value that can't be cloned: what was already put must not be committed.
            objects.transaction.abort()
            throw error
          }
          store.end(objects)
          return promisifyRequest(objects.transaction)
        }),
      ),
    destroy: async () => {
      await store.close()
      await guarded(promisifyRequest(indexedDB.deleteDatabase(name)))
    },
    close: () => void store.close(),
  }
}
