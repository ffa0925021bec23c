import type { Bytes } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { firstChain } from './log_chain.ts'
import type { Records } from './sqlite_records.ts'
import type { Tables } from './sqlite_tables.ts'
import type { GroupDevice, NewRoom } from './store.ts'
import { dropRoomsWelcomes, dropWelcomes, welcomesFor } from './write_welcomes.ts'

export function createRoom(records: Records, room: NewRoom): void {
  const { tables } = records
  const members = [...new Set(room.members)].map((one) => records.account(one).id as number)
  if (members.length !== (room.kind === 'private' ? 2 : 0))
    throw new SottoError('refused', 'A private room is one of two people.')
  // In one order, so that the pair is unique.
  const [first = null, second = null] = members.sort((a, b) => a - b)
  const taken =
    tables.one('room', 'WHERE room = ?', room.room) ??
    tables.one('room', 'WHERE first = ? AND second = ?', first, second)
  if (taken !== undefined) throw new SottoError('refused', 'There is such a room already.')
  const chain = firstChain(room.room)
  tables.add('room', {
    id: null,
    room: room.room,
    kind: room.kind,
    first,
    second,
    seq: 0,
    chain,
    oldest: 1,
    base: chain,
    bytes: 0,
    generation: null,
    epoch: 0,
  })
}

export function leaveRoom(records: Records, room: Bytes, skeleton: string): void {
  const { tables } = records
  const row = records.room(room)
  const account = records.account(skeleton).id as number
  if (row.first === account) row.first = null
  if (row.second === account) row.second = null
  records.changed(row)
  records.flushRooms()
  for (const device of tables.all('device', 'WHERE account = ?', account))
    dropWelcomes(tables, row.id as number, device.id as number)
}

export function createGroup(
  records: Records,
  room: Bytes,
  generation: number,
  groupInfo: Bytes,
  by: GroupDevice,
): void {
  const { tables } = records
  const row = records.room(room)
  const device = records.sender(by).id as number
  const next = row.generation === null ? 0 : (row.generation as number) + 1
  if (generation !== next) throw stale()
  row.generation = generation
  row.epoch = 0
  records.changed(row)
  const id = row.id as number
  setGroupInfo(tables, id, groupInfo)
  tables.delete('group_device', 'WHERE room = ?', id)
  tables.add('group_device', { id: null, room: id, device })
  dropRoomsWelcomes(tables, id)
}

/** Unless a Welcome waits for it: the commit that adds it may have come while it asked. */
export function dropGroupDevice(records: Records, room: Bytes, device: GroupDevice): void {
  const id = records.room(room).id as number
  const known = records.findDevice(device)?.id as number | undefined
  if (known === undefined || welcomesFor(records.tables, id, known).length > 0) return
  dropFromGroup(records.tables, id, known)
}

/** Every group, and whatever lets anybody into one, is gone; rooms and their logs stay. */
export function forgetGroups({ tables }: Records): void {
  for (const table of ['group_device', 'group_info', 'welcome_for', 'welcome'] as const)
    tables.delete(table, '')
  tables.delete('key_package', '')
}

export function setGroupInfo(tables: Tables, room: number, info: Bytes): void {
  tables.delete('group_info', 'WHERE id = ?', room)
  tables.add('group_info', { id: room, info })
}

export function addToGroup(tables: Tables, room: number, device: number): void {
  dropFromGroup(tables, room, device)
  tables.add('group_device', { id: null, room, device })
}

/** The device is out of the group; Welcomes into earlier epochs are of no use to it. */
export function dropFromGroup(tables: Tables, room: number, device: number): void {
  tables.delete('group_device', 'WHERE room = ? AND device = ?', room, device)
  dropWelcomes(tables, room, device)
}

export function stale(): SottoError {
  return new SottoError('stale_epoch', 'The group has moved on: bring it up to date and try again.')
}
