/**
 * One profile's store, keys and values. `write` is the only way to change it and is one atomic,
 * durable transaction: after it resolves everything in it survives a crash, and if the process
 * dies before that, nothing of it is there. Values are whatever structured clone takes; a store on
 * disk may keep CryptoKeys in memory only, so nothing but tickets may rest on one in Node.
 * Rejects with SottoError `unavailable` (with cause) when the medium fails or is full.
 */
export interface Storage {
  read(key: string): Promise<unknown>
  readMany(keys: readonly string[]): Promise<unknown[]>
  /** Keys that begin with `prefix`, in code point order. */
  keys(prefix: string): Promise<string[]>
  /** Sets each key to its value; `undefined` deletes it. */
  write(changes: ReadonlyMap<string, unknown>): Promise<void>
  /** Deletes everything this profile ever stored. */
  destroy(): Promise<void>
  close(): void
}
