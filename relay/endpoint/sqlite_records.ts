import type { DatabaseSync } from 'node:sqlite'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import type { Row } from './sqlite_schema.ts'
import { Tables } from './sqlite_tables.ts'
import type { GroupDevice } from './store.ts'

/** Rooms and devices, a kilobyte each, that are remembered between transactions. */
const MOST_ROOMS = 4_000
const MOST_DEVICES = 2_000

/**
 * The records that a transaction works on. Rooms and devices are remembered from one transaction
 * to the next, so after a rollback this object is thrown away with what it remembers.
 */
export class Records {
  readonly tables: Tables
  readonly keptEpochs: number
  /** The store's time of this transaction. */
  now = 0
  readonly #rooms = new Map<string, Row>()
  readonly #devices = new Map<string, Row>()
  readonly #changedRooms = new Set<Row>()

  constructor(db: DatabaseSync, keptEpochs: number) {
    this.tables = new Tables(db)
    this.keptEpochs = keptEpochs
  }

  begin(now: number): void {
    if (this.#rooms.size > MOST_ROOMS) this.#rooms.clear()
    if (this.#devices.size > MOST_DEVICES) this.#devices.clear()
    this.now = now
  }

  /** Writes what the transaction gathered. Returns the number of commits with this one. */
  end(): number {
    this.flushRooms()
    const store = this.tables.one('store', 'WHERE id = 1')
    if (store === undefined) throw new Error('the store has no row of itself')
    const commits = (store.commits as number) + 1
    this.tables.update('store', { ...store, commits, clock: this.now })
    return commits
  }

  /** Says that a room's row was changed: it is written once, at the transaction's end. */
  changed(room: Row): void {
    this.#changedRooms.add(room)
  }

  /** For what looks at the rooms by SQL within the transaction. */
  flushRooms(): void {
    for (const room of this.#changedRooms) this.tables.update('room', room)
    this.#changedRooms.clear()
  }

  /** These throw SottoError `refused` when there is none. */
  account(skeleton: string): Row {
    const account = this.tables.one('account', 'WHERE skeleton = ?', skeleton)
    if (account === undefined) throw new SottoError('refused', 'There is no such account.')
    return account
  }

  room(room: Bytes): Row {
    const key = latin1(room)
    const known = this.#rooms.get(key)
    if (known !== undefined) return known
    const row = this.tables.one('room', 'WHERE room = ?', room)
    if (row === undefined) throw new SottoError('refused', 'There is no such room.')
    this.#rooms.set(key, row)
    return row
  }

  device(device: GroupDevice): Row {
    const row = this.findDevice(device)
    if (row === undefined) throw new SottoError('refused', 'There is no such device.')
    return row
  }

  /** A device that may still write. */
  sender(device: GroupDevice): Row {
    const row = this.device(device)
    if (row.revoked === 1) throw new SottoError('refused', 'This device was removed.')
    return row
  }

  findDevice({ skeleton, device }: GroupDevice): Row | undefined {
    const key = `${skeleton}/${latin1(device)}`
    const known = this.#devices.get(key)
    if (known !== undefined) return known
    const account = this.tables.one('account', 'WHERE skeleton = ?', skeleton)
    if (account === undefined) return undefined
    const where = 'WHERE account = ? AND device = ?'
    const row = this.tables.one('device', where, account.id as number, device)
    if (row !== undefined) this.#devices.set(key, row)
    return row
  }
}

/** Bytes as the key of a map. */
function latin1(bytes: Bytes): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
