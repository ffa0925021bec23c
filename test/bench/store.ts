import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Bytes, utf8 } from '../../web/protocol/bytes.ts'
import { deviceOf, open, people, roomOf } from '../support/store_fixture.ts'
import { type Figure, median } from './figure.ts'

/** An MLS message of a few words, padded. */
const MESSAGE = 600
const ROUNDS = 5
const MESSAGES = 6000
/** Senders who each wait for an acknowledgement before the next message. */
const SENDERS = [1, 16, 256]

function fresh(length: number): Bytes {
  return new Uint8Array(randomBytes(length))
}

/** Runs `work` in an empty directory on the disk on which the store would be. */
async function inDirectory<T>(work: (dir: string) => Promise<T> | T): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'sotto-bench-'))
  try {
    return await work(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Acknowledged messages a second through the store, by so many senders at once. */
export function storeAppends(senders: number, messages: number): Promise<number> {
  return inDirectory(async (dir) => {
    const store = await open(dir)
    await people(store, 'ann', 'bob')
    const room = await roomOf(store, 'ann', 'bob')
    const sender = deviceOf('ann')
    const each = Math.ceil(messages / senders)
    const bodies = Array.from({ length: 64 }, () => fresh(MESSAGE))
    const ids = fresh(16 * each * senders)
    const send = async (from: number): Promise<void> => {
      for (let n = from * each; n < (from + 1) * each; n++)
        await store.append({
          room,
          sender,
          msgId: ids.slice(16 * n, 16 * n + 16),
          mls: bodies[n % bodies.length] as Bytes,
          generation: 0,
          epoch: 0,
          commit: undefined,
        })
    }
    const start = performance.now()
    await Promise.all(Array.from({ length: senders }, (_, i) => send(i)))
    const seconds = (performance.now() - start) / 1000
    await store.close()
    return (each * senders) / seconds
  })
}

/** The same bytes (message, id and chain) into one bare table, synced after each `group`. */
export function bareAppends(group: number, messages: number): Promise<number> {
  return inDirectory((dir) => {
    const db = new DatabaseSync(join(dir, 'bare.db'))
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    db.exec('CREATE TABLE entry (id INTEGER PRIMARY KEY, msg_id BLOB, chain BLOB, mls BLOB) STRICT')
    const insert = db.prepare('INSERT INTO entry (msg_id, chain, mls) VALUES (?, ?, ?)')
    const bodies = Array.from({ length: 64 }, () => fresh(MESSAGE))
    const ids = fresh(16 * messages)
    const chain = utf8('0123456789abcdef0123456789abcdef')
    const start = performance.now()
    for (let n = 0; n < messages; ) {
      db.exec('BEGIN IMMEDIATE')
      for (const end = Math.min(messages, n + group); n < end; n++)
        insert.run(ids.subarray(16 * n, 16 * n + 16), chain, bodies[n % bodies.length] as Bytes)
      db.exec('COMMIT')
    }
    const seconds = (performance.now() - start) / 1000
    db.close()
    return messages / seconds
  })
}

/** Each round measures both, one right after the other, so that both meet the same disk. */
async function compare(senders: number): Promise<Figure> {
  const messages = senders === 1 ? MESSAGES / 10 : MESSAGES
  const ours: number[] = []
  const ratios: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const [store, bare] = [
      await storeAppends(senders, messages),
      await bareAppends(senders, messages),
    ]
    ours.push(store)
    ratios.push(store / bare)
  }
  return {
    name: `acknowledged messages through the store, ${senders} at a time`,
    value: median(ours),
    unit: '/s',
    ratio: median(ratios),
    against: `bare SQLite, a synced commit for every ${senders}`,
  }
}

export async function bench(): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const senders of SENDERS) figures.push(await compare(senders))
  return figures
}
