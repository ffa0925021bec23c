/** Runs in the page: a device with one long room, filled once, then opened and searched. */
import { History, type StoredItem } from '../../web/chat/history.ts'
import { search } from '../../web/chat/search.ts'
import { openVault } from '../../web/chat/vault.ts'
import { idbStorage } from '../../web/io/idb_storage.ts'
import { hex } from '../../web/protocol/bytes.ts'
import { append, searchable, vaultKey, word } from '../support/history_fixture.ts'
import { type Random, random } from '../support/random.ts'

const ROOM = 'bench'
const PAGE = 50
/** Written at once. */
const BATCH = 8_192
const VOCABULARY = 30_000

/** Numbers below `most`, in which small ones are common as words are in a language (Zipf's law). */
function zipf(from: Random, most: number): number {
  return Math.floor(most ** (from.u32() / 2 ** 32)) - 1
}

function* messages(count: number): Generator<StoredItem> {
  const chance = random(7)
  const words = Array.from({ length: VOCABULARY }, (_, n) => `${word(chance)}${n.toString(36)}`)
  for (let n = 0; n < count; n++) {
    const length = 3 + chance.below(14)
    const some = Array.from({ length }, () => words[zipf(chance, VOCABULARY)])
    if (n === Math.floor(count / 10)) some.push('xylophone')
    if (n % 20 === 3) some.push('marmalade')
    if (n % 20 === 13) some.push('bicycle')
    if (n % 2_000 === 7) some.push('seldom')
    const [id, device] = [hex(chance.bytes(16)), 'd'.repeat(32)]
    const from = `person ${chance.below(40)}`
    yield { k: 'm', id, from, device, mine: false, text: some.join(' '), at: 1.7e12 + n }
  }
}

async function device() {
  const storage = idbStorage(ROOM)
  const key = (await storage.read('vault')) as CryptoKey | undefined
  return { storage, vault: openVault(key ?? (await vaultKey())), key }
}

const bench = {
  async fill(count: number): Promise<void> {
    const { storage } = await device()
    const key = await vaultKey()
    await storage.write(new Map([['vault', key]]))
    const history = await History.open(storage, openVault(key), ROOM)
    let batch: StoredItem[] = []
    for (const item of messages(count)) {
      batch.push(item)
      if (batch.length < BATCH) continue
      await append(history, storage, batch)
      batch = []
    }
    await append(history, storage, batch)
    await storage.write(new Map([['length', history.length]]))
  },

  /** Milliseconds from nothing to the newest page of messages at hand. */
  async open(): Promise<number> {
    const start = performance.now()
    const { storage, vault } = await device()
    const length = (await storage.read('length')) as number
    const history = await History.open(storage, vault, ROOM, length)
    const page = await history.range(length - PAGE, length)
    const ms = performance.now() - start
    if (page.length !== PAGE) throw new Error(`${page.length} messages came`)
    Object.assign(globalThis, { opened: history })
    return ms
  },

  /** Milliseconds until the first page of hits, and how many there are. */
  async search(query: string): Promise<{ ms: number; hits: number }> {
    const { opened: history } = globalThis as unknown as { opened: History }
    const start = performance.now()
    const { hits } = await search([searchable(history)], query, {})
    return { ms: performance.now() - start, hits: hits.length }
  },

  /** Bytes at rest. */
  async size(): Promise<{ index: number; log: number }> {
    const { storage } = await device()
    const bytes = async (prefix: string) => {
      const values = await storage.readMany(await storage.keys(prefix))
      return values.reduce((sum: number, value) => sum + (value as Uint8Array).length, 0)
    }
    return { index: await bytes('postings/'), log: await bytes('lines/') }
  },
}

Object.assign(globalThis, { bench })

export type HistoryBench = typeof bench
