import type { Bytes } from '../../web/protocol/bytes.ts'
import type { Records } from './sqlite_records.ts'
import type { Row } from './sqlite_schema.ts'
import type { Tables } from './sqlite_tables.ts'
import type { GroupDevice } from './store.ts'

/** One Welcome is stored once for all devices that a commit added, until each has taken it. */
export function addWelcome(
  tables: Tables,
  room: Row,
  mls: Bytes,
  devices: readonly number[],
): void {
  const { id = null, generation = null, seq = null, chain = null } = room
  const welcome = tables.add('welcome', { id: null, room: id, generation, seq, chain, mls })
  for (const device of devices) tables.add('welcome_for', { id: null, welcome, device })
}

export function deleteWelcome(records: Records, id: number, device: GroupDevice): void {
  const known = records.findDevice(device)
  if (known !== undefined) dropWelcome(records.tables, id, known.id as number)
}

/** All that wait in this room for this device. */
export function dropWelcomes(tables: Tables, room: number, device: number): void {
  for (const id of welcomesFor(tables, room, device)) dropWelcome(tables, id, device)
}

/** Numbers of those that wait in this room for this device. */
export function welcomesFor(tables: Tables, room: number, device: number): number[] {
  const waiting = tables.query(
    `SELECT welcome.id AS id FROM welcome_for JOIN welcome ON welcome.id = welcome_for.welcome
      WHERE welcome_for.device = ? AND welcome.room = ?`,
    device,
    room,
  )
  return waiting.map(({ id }) => id as number)
}

export function dropRoomsWelcomes(tables: Tables, room: number): void {
  const theirs = 'WHERE welcome IN (SELECT id FROM welcome WHERE room = ?)'
  tables.delete('welcome_for', theirs, room)
  tables.delete('welcome', 'WHERE room = ?', room)
}

export function dropWelcome(tables: Tables, id: number, device: number): void {
  tables.delete('welcome_for', 'WHERE device = ? AND welcome = ?', device, id)
  const unused = 'WHERE id = ? AND NOT EXISTS (SELECT 1 FROM welcome_for WHERE welcome = ?)'
  tables.delete('welcome', unused, id, id)
}
