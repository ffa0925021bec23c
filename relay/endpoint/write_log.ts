import type { Bytes } from '../../web/protocol/bytes.ts'
import { nextChain } from './log_chain.ts'
import type { Records } from './sqlite_records.ts'
import type { Row } from './sqlite_schema.ts'
import type { Appended, Keep, NewEntry } from './store.ts'
import { addToGroup, dropFromGroup, setGroupInfo, stale } from './write_rooms.ts'
import { addWelcome } from './write_welcomes.ts'

/** Entries that one transaction deletes at most, so that others don't wait for long. */
const PRUNED_AT_ONCE = 2000
const DAY = 86_400_000

export function append(records: Records, entry: NewEntry): Appended {
  const { tables } = records
  const room = records.room(entry.room)
  const sender = records.sender(entry.sender).id as number
  const id = room.id as number
  const bySameName = 'SELECT seq, chain FROM entry WHERE room = ? AND sender = ? AND msg_id = ?'
  const [first] = tables.query(bySameName, id, sender, entry.msgId)
  if (first !== undefined)
    return { seq: first.seq as number, chain: first.chain as Bytes, repeated: true }
  checkEpoch(room, entry, records.keptEpochs)
  // Looked up before anything changes: an unknown device refuses the whole.
  const added = entry.commit?.added.map((device) => records.device(device).id as number) ?? []
  const removed = entry.commit?.removed.map((device) => records.device(device).id as number) ?? []

  const seq = (room.seq as number) + 1
  const chain = nextChain(room.chain as Bytes, seq, entry.mls)
  tables.add('entry', {
    id: null,
    room: id,
    seq,
    chain,
    sender,
    msg_id: entry.msgId,
    generation: entry.generation,
    epoch: entry.epoch,
    at: records.now,
    mls: entry.mls,
  })
  room.seq = seq
  room.chain = chain
  room.bytes = (room.bytes as number) + entry.mls.length
  records.changed(room)
  if (entry.commit !== undefined) takeCommit(records, room, entry.commit, added, removed)
  return { seq, chain, repeated: false }
}

function checkEpoch(room: Row, entry: NewEntry, keptEpochs: number): void {
  const behind = (room.epoch as number) - entry.epoch
  const most = entry.commit === undefined ? keptEpochs : 0
  if (room.generation !== entry.generation || behind < 0 || behind > most) throw stale()
}

function takeCommit(
  { tables }: Records,
  room: Row,
  commit: NonNullable<NewEntry['commit']>,
  added: readonly number[],
  removed: readonly number[],
): void {
  const id = room.id as number
  room.epoch = (room.epoch as number) + 1
  setGroupInfo(tables, id, commit.groupInfo)
  for (const device of removed) dropFromGroup(tables, id, device)
  for (const device of added) addToGroup(tables, id, device)
  if (commit.welcome !== undefined) addWelcome(tables, room, commit.welcome, added)
}

/** Deletes a part of what is beyond the limits. Returns whether there may be more. */
export function prune(records: Records, keep: Keep): boolean {
  records.flushRooms()
  const before = keep.days === 0 ? 0 : records.now - keep.days * DAY
  const most = keep.roomBytes === 0 ? Number.MAX_SAFE_INTEGER : keep.roomBytes
  // The room's oldest entry decides, so that a pass costs one look-up for each room.
  const due = records.tables.query(
    `SELECT room.room AS name FROM room JOIN entry
      ON entry.room = room.id AND entry.seq = room.oldest
      WHERE room.oldest < room.seq AND (entry.at < ? OR room.bytes > ?)`,
    before,
    most,
  )
  let left = PRUNED_AT_ONCE
  for (const { name } of due) {
    left -= pruneRoom(records, records.room(name as Bytes), before, most, left)
    if (left === 0) return true
  }
  return false
}

/** Deletes from the front of the log only and never its last entry. Returns how many. */
function pruneRoom(
  records: Records,
  room: Row,
  before: number,
  mostBytes: number,
  mostEntries: number,
): number {
  const id = room.id as number
  const entries = records.tables.query(
    `SELECT seq, chain, at, length(mls) AS bytes FROM entry
      WHERE room = ? AND seq >= ? AND seq < ? ORDER BY seq LIMIT ?`,
    id,
    room.oldest as number,
    room.seq as number,
    mostEntries,
  )
  let count = 0
  for (const entry of entries) {
    if ((entry.at as number) >= before && (room.bytes as number) <= mostBytes) break
    room.oldest = (entry.seq as number) + 1
    room.base = entry.chain ?? null
    room.bytes = (room.bytes as number) - (entry.bytes as number)
    count += 1
  }
  records.tables.delete('entry', 'WHERE room = ? AND seq < ?', id, room.oldest as number)
  records.changed(room)
  return count
}
