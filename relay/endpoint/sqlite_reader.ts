import type { DatabaseSync } from 'node:sqlite'
import { type Bytes, equal } from '../../web/protocol/bytes.ts'
import { nextChain } from './log_chain.ts'
import type { Row } from './sqlite_schema.ts'
import { soundRow, Tables } from './sqlite_tables.ts'
import type { Account, Device, Entry, GroupDevice, Room, StoredWelcome } from './store.ts'
import { damaged } from './verify.ts'

/** Names of accounts that are remembered. */
const MOST_REMEMBERED = 20_000

const BY_SKELETON = 'account = (SELECT id FROM account WHERE skeleton = ?)'

/** Reads what is on disk, on a connection of its own: never what a transaction has yet to commit. */
export class SqliteReader {
  readonly #db: DatabaseSync
  readonly #tables: Tables
  readonly #skeletons = new Map<number, string>()

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#tables = new Tables(db)
  }

  close(): void {
    this.#db.close()
  }

  account(skeleton: string): Account | undefined {
    const row = this.#tables.one('account', 'WHERE skeleton = ?', skeleton)
    return row === undefined ? undefined : accountOf(row)
  }

  /** Leaves damaged records out. */
  accounts(): Account[] {
    const rows = this.#tables.query('SELECT * FROM account ORDER BY id')
    return rows.filter((row) => soundRow('account', row)).map(accountOf)
  }

  devices(skeleton: string): Device[] {
    return this.#tables.all('device', `WHERE ${BY_SKELETON} ORDER BY id`, skeleton).map(knownDevice)
  }

  device({ skeleton, device }: GroupDevice): Device | undefined {
    const row = this.#tables.one('device', `WHERE ${BY_SKELETON} AND device = ?`, skeleton, device)
    return row === undefined ? undefined : knownDevice(row)
  }

  deviceCount(skeleton: string): number {
    const count = `SELECT count(*) AS count FROM device WHERE ${BY_SKELETON} AND revoked = 0`
    return this.#tables.query(count, skeleton)[0]?.count as number
  }

  /** Throws RoomStopped when its record is damaged, or that of a member. */
  room(room: Bytes): Room | undefined {
    const [row] = this.#tables.query('SELECT * FROM room WHERE room = ?', room)
    return row === undefined ? undefined : this.#roomOf(row)
  }

  /** Whatever else of them is damaged, their ids and members are those of the indexes (verify.ts). */
  roomsOf(skeleton: string): Bytes[] {
    const account = this.#tables.one('account', 'WHERE skeleton = ?', skeleton)
    if (account === undefined) return []
    const id = account.id as number
    return this.#tables
      .query('SELECT room FROM room WHERE first = ? OR second = ? ORDER BY id', id, id)
      .map((row) => row.room as Bytes)
  }

  privateRoom(a: string, b: string): Bytes | undefined {
    const ids = [a, b].map((one) => this.#tables.one('account', 'WHERE skeleton = ?', one)?.id)
    const [first, second] = (ids as number[]).sort((x, y) => x - y)
    if (first === undefined || second === undefined) return undefined
    const [row] = this.#tables.query(
      'SELECT room FROM room WHERE first = ? AND second = ?',
      first,
      second,
    )
    return row?.room as Bytes | undefined
  }

  groupInfo(room: Bytes): Bytes | undefined {
    const info = 'WHERE id = (SELECT id FROM room WHERE room = ?)'
    return this.#tables.one('group_info', info, room)?.info as Bytes | undefined
  }

  groupDevices(room: Bytes): GroupDevice[] {
    return this.#tables
      .query(
        `SELECT account.skeleton AS skeleton, device.device AS device FROM group_device
          JOIN device ON device.id = group_device.device
          JOIN account ON account.id = device.account
          WHERE group_device.room = (SELECT id FROM room WHERE room = ?) ORDER BY group_device.id`,
        room,
      )
      .map((row) => ({ skeleton: row.skeleton as string, device: row.device as Bytes }))
  }

  /** Checks every entry that it shows, and the chain from the one before. Throws RoomStopped. */
  entries(room: Bytes, after: number, most: number, mostBytes: number): Entry[] {
    return this.#snapshot(() => this.#entries(room, after, most, mostBytes))
  }

  #entries(room: Bytes, after: number, most: number, mostBytes: number): Entry[] {
    const row = this.#tables.one('room', 'WHERE room = ?', room)
    if (row === undefined) return []
    const start = Math.max(after + 1, row.oldest as number)
    let chain = this.#chainBefore(row, start)
    const shown: Entry[] = []
    for (const entry of this.#tables.query(
      `SELECT * FROM entry WHERE room = ?1 AND seq >= ?2 AND seq <= ?3 ORDER BY seq`,
      row.id as number,
      start,
      this.#lastOfPage(row, start, most, mostBytes),
    )) {
      const seq = start + shown.length
      const mls = entry.mls as Bytes
      if (entry.seq !== seq) throw damaged(`entry ${seq} is missing`)
      chain = nextChain(chain, seq, mls)
      if (!soundRow('entry', entry) || !equal(chain, entry.chain as Bytes))
        throw damaged(`entry ${seq} was changed`)
      shown.push({ seq, chain, mls })
    }
    if (shown.length === 0 && start <= (row.seq as number) && most > 0)
      throw damaged(`entry ${start} is missing`)
    return shown
  }

  keyPackageStock(owner: GroupDevice): { stock: number; lastResort: boolean } {
    const [row] = this.#tables.query(
      `SELECT sum(last_resort = 0) AS stock, sum(last_resort) AS resorts FROM key_package
        WHERE device = ?`,
      this.#deviceId(owner),
    )
    return {
      stock: (row?.stock as number | null) ?? 0,
      lastResort: ((row?.resorts as number | null) ?? 0) > 0,
    }
  }

  lastResort(owner: GroupDevice): Bytes | undefined {
    const row = this.#tables.one(
      'key_package',
      'WHERE device = ? AND last_resort = 1',
      this.#deviceId(owner),
    )
    return row?.package as Bytes | undefined
  }

  welcome(room: Bytes, device: GroupDevice): StoredWelcome | undefined {
    const oldest = `WHERE id = (SELECT min(welcome.id) FROM welcome_for
      JOIN welcome ON welcome.id = welcome_for.welcome
      JOIN room ON room.id = welcome.room AND room.generation = welcome.generation
      WHERE welcome_for.device = ? AND room.room = ?)`
    const row = this.#tables.one('welcome', oldest, this.#deviceId(device), room)
    if (row === undefined) return undefined
    return {
      id: row.id as number,
      generation: row.generation as number,
      mls: row.mls as Bytes,
      seq: row.seq as number,
      chain: row.chain as Bytes,
    }
  }

  /** All queries of `read` see the same commit, while the writer goes on. */
  #snapshot<T>(read: () => T): T {
    this.#db.exec('BEGIN')
    try {
      return read()
    } finally {
      this.#db.exec('COMMIT')
    }
  }

  /** 0, which no row has, when there is no such device. */
  #deviceId({ skeleton, device }: GroupDevice): number {
    const [row] = this.#tables.query(
      `SELECT id FROM device WHERE account = (SELECT id FROM account WHERE skeleton = ?)
        AND device = ?`,
      skeleton,
      device,
    )
    return (row?.id as number | undefined) ?? 0
  }

  #roomOf(row: Row): Room {
    if (!soundRow('room', row)) throw damaged('its record was changed')
    const members = [row.first, row.second].filter((id) => typeof id === 'number')
    return {
      room: row.room as Bytes,
      kind: row.kind as Room['kind'],
      members: members.map((id) => this.#skeleton(id as number)),
      seq: row.seq as number,
      chain: row.chain as Bytes,
      oldest: row.oldest as number,
      generation: row.generation as number | null,
      epoch: row.epoch as number,
    }
  }

  /** Of an account by its row; remembered, since it never changes. */
  #skeleton(id: number): string {
    let skeleton = this.#skeletons.get(id)
    if (skeleton === undefined) {
      const [account] = this.#tables.query('SELECT * FROM account WHERE id = ?', id)
      if (account === undefined) throw damaged('a member is missing')
      if (!soundRow('account', account)) throw damaged('a record of account')
      skeleton = account.skeleton as string
      if (this.#skeletons.size >= MOST_REMEMBERED) this.#skeletons.clear()
      this.#skeletons.set(id, skeleton)
    }
    return skeleton
  }

  #chainBefore(room: Row, start: number): Bytes {
    if (start === room.oldest) return room.base as Bytes
    if (start > (room.seq as number)) return room.chain as Bytes
    const [row] = this.#tables.query(
      'SELECT chain FROM entry WHERE room = ? AND seq = ?',
      room.id as number,
      start - 1,
    )
    if (row === undefined) throw damaged(`entry ${start - 1} is missing`)
    return row.chain as Bytes
  }

  /** The last sequence number of a page that begins at `start`. */
  #lastOfPage(room: Row, start: number, most: number, mostBytes: number): number {
    const sizes = this.#tables.query(
      'SELECT seq, length(mls) AS bytes FROM entry WHERE room = ? AND seq >= ? ORDER BY seq LIMIT ?',
      room.id as number,
      start,
      most,
    )
    let last = start - 1
    let bytes = 0
    for (const size of sizes) {
      bytes += size.bytes as number
      if (last >= start && bytes > mostBytes) break
      last = size.seq as number
    }
    return last
  }
}

function knownDevice(row: Row): Device {
  return {
    device: row.device as Bytes,
    lastSeen: row.last_seen as number,
    revoked: row.revoked === 1,
  }
}

function accountOf(row: Row): Account {
  const { salt, hash, cost } = row
  return {
    skeleton: row.skeleton as string,
    user: row.user as string,
    spki: row.spki as Bytes,
    password:
      salt === null ? null : { salt: salt as Bytes, hash: hash as Bytes, cost: cost as number },
    disabled: row.disabled === 1,
    createdAt: row.created_at as number,
  }
}
