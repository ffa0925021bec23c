import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { BoundedQueue } from './bounded_queue.ts'
import type { PasswordHash } from './store.ts'

/**
 * log2 of scrypt's N (RFC 7914): with r = 8 and p = 1 one hash takes 64 MiB and 0.1 to 0.2 s of one
 * core. Enough, since a password is only asked for after the identity key. Kept with each hash, so
 * that a larger one can be taken later.
 */
const COST = 16
const LOWEST_COST = 14
const HIGHEST_COST = 20
const BLOCK = 8
const SALT_LENGTH = 16
const HASH_LENGTH = 32

/** Hashes under way: 128 MiB at most, and threads are left for the handshakes. */
const AT_ONCE = 2
const MOST_WAITING = 40

/** What is compared where there is no password: the same work, and never equal. */
const NOBODY: PasswordHash = {
  salt: new Uint8Array(SALT_LENGTH),
  hash: new Uint8Array(HASH_LENGTH),
  cost: COST,
}

/** Hashes passwords, and compares them, a few at a time. */
export class Passwords {
  readonly #line = new BoundedQueue(AT_ONCE, MOST_WAITING, 'Too many passwords at once.')

  /** Throws SottoError `busy` when too many hashes wait already. */
  async hash(password: string): Promise<PasswordHash> {
    const salt = new Uint8Array(randomBytes(SALT_LENGTH))
    return { salt, hash: await this.#derive(password, salt, COST), cost: COST }
  }

  /**
   * Whether the password is the one that was hashed. Without a hash, as for an unknown account, the
   * same work is done for nothing. Throws SottoError `busy` when too many hashes wait already.
   */
  async verify(password: string, expected: PasswordHash | null): Promise<boolean> {
    const { salt, hash, cost } = expected ?? NOBODY
    const derived = await this.#derive(password, salt, cost)
    const same = hash.length === derived.length && timingSafeEqual(derived, hash)
    return same && expected !== null
  }

  /** The password counts in its composed form (NFC), however the keyboard made it. */
  #derive(password: string, salt: Bytes, cost: number): Promise<Bytes> {
    if (cost < LOWEST_COST || cost > HIGHEST_COST)
      throw new SottoError(
        'internal',
        'A stored password has a cost that this version does not know.',
      )
    const maxmem = 2 ** cost * BLOCK * 256
    const options: ScryptOptions = { N: 2 ** cost, r: BLOCK, p: 1, maxmem }
    return this.#line.run(
      () =>
        new Promise((resolve, reject) => {
          scrypt(password.normalize('NFC'), salt, HASH_LENGTH, options, (error, hash) => {
            if (error === null) resolve(new Uint8Array(hash))
            else reject(new SottoError('internal', 'A password could not be checked.'))
          })
        }),
    )
  }
}
