import { promisifyRequest, type UseStore } from 'idb-keyval'
import type { Storage } from '../chat/storage.ts'
import { SottoError } from '../protocol/errors.ts'

const STORE = 'sotto'
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
 * were deleted, another tab deletes it); the next use then opens it afresh.
 */
class StrictStore {
  readonly #name: string
  #database: Promise<IDBDatabase> | undefined

  constructor(name: string) {
    this.#name = name
  }

  use: UseStore = async (mode, callback) => {
    const database = await this.#open()
    const transaction = database.transaction(STORE, mode, { durability: 'strict' })
    return callback(transaction.objectStore(STORE))
  }

  async close(): Promise<void> {
    const database = this.#database
    this.#database = undefined
    ;(await database?.catch(() => undefined))?.close()
  }

  #open(): Promise<IDBDatabase> {
    this.#database ??= open(this.#name).then(
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

function unavailable(cause: unknown): SottoError {
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

/** The store of one profile in IndexedDB; CryptoKeys are kept as what they are. */
export function idbStorage(profile: string): Storage {
  const name = databaseName(profile)
  const store = new StrictStore(name)
  const use = store.use
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
          // Said at once: the page may be gone before the requests have been answered.
          objects.transaction.commit()
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
