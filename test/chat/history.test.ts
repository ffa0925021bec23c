import { History, type StoredItem } from '../../web/chat/history.ts'
import { SEGMENT } from '../../web/chat/segment.ts'
import { openVault } from '../../web/chat/vault.ts'
import { MemoryStorage } from '../support/memory_storage.ts'
import { assert, describe, it } from '../support/suite.ts'

const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
  'encrypt',
  'decrypt',
])
const vault = openVault(key)
const item = (n: number, from = 'alice'): StoredItem => ({
  k: 'm',
  id: n.toString(16).padStart(32, '0'),
  from,
  device: 'd',
  mine: false,
  text: `message ${n}`,
  at: n,
})
const items = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => item(from + i))

async function append(history: History, storage: MemoryStorage, list: StoredItem[]) {
  const changes = new Map<string, unknown>()
  const adopt = await history.stage(list, changes)
  await storage.write(changes)
  adopt()
}

describe('a room’s history on the device', () => {
  it('recognises the last thousands when they come again, and keeps no endless list', async () => {
    const history = await History.open(new MemoryStorage(), vault, 'r')
    for (let n = 0; n < 10_000; n += 1_000) history.remember(items(n, n + 1_000))
    assert.isTrue(items(6_000, 10_000).every((one) => history.has(one) && history.hasId(one.id)))
    assert.isFalse(items(0, 5_000).some((one) => history.has(one) || history.hasId(one.id)))
  })

  it('gives back what was appended, over segments and after it was opened again', async () => {
    const storage = new MemoryStorage()
    const history = await History.open(storage, vault, 'r')
    await append(history, storage, items(0, 300))
    await append(history, storage, items(300, 301))
    await append(history, storage, items(301, 1000))
    const again = await History.open(storage, vault, 'r')
    assert.equal(again.length, 1000)
    assert.deepEqual(await again.range(250, 270), items(250, 270))
    assert.deepEqual(await again.range(0, 1000), items(0, 1000))
    assert.deepEqual(await again.range(990, 2000), items(990, 1000))
    assert.deepEqual(await again.range(5, 5), [])
  })

  it('has nothing before its write has succeeded', async () => {
    const storage = new MemoryStorage()
    const history = await History.open(storage, vault, 'r')
    await history.stage(items(0, 3), new Map())
    assert.equal(history.length, 0)
    assert.isFalse(history.has(item(1)))
  })

  it('opens a long room by its last segments only', async () => {
    const storage = new MemoryStorage()
    const history = await History.open(storage, vault, 'r')
    await append(history, storage, items(0, 40 * SEGMENT + 3))
    const read: string[] = []
    const counting = storage.copy()
    const original = counting.readMany.bind(counting)
    counting.readMany = (names: readonly string[]) => {
      read.push(...names)
      return original(names)
    }
    const again = await History.open(counting, vault, 'r', 40 * SEGMENT + 3)
    assert.lengthOf(read, 16)
    assert.isArray(again.range(again.length - 50, again.length), 'the last ones come at once')
  })

  it('knows a repetition by sender, device and id, and another’s message of the same id not', async () => {
    const storage = new MemoryStorage()
    const history = await History.open(storage, vault, 'r')
    await append(history, storage, [item(1)])
    assert.isTrue(history.has(item(1)))
    assert.isFalse(history.has(item(1, 'bob')))
    assert.isTrue((await History.open(storage, vault, 'r')).has(item(1)))
  })

  it('is unreadable under another key or in another place', async () => {
    const storage = new MemoryStorage()
    await append(await History.open(storage, vault, 'r'), storage, [item(1)])
    const sealed = await storage.read('lines/r/000000')
    assert.notInclude(new TextDecoder('latin1').decode(sealed as Uint8Array), 'message')
    await storage.write(new Map([['lines/s/000000', sealed]]))
    const other = await History.open(storage, vault, 's')
    assert.equal(other.length, 1)
    assert.match((other.last as { text: string }).text, /no longer on this device/)
  })

  it('shows what was lost as lost, in its place, and goes on after it', async () => {
    const storage = new MemoryStorage()
    await append(await History.open(storage, vault, 'r'), storage, items(0, 3 * SEGMENT + 10))
    await storage.write(
      new Map<string, unknown>([
        ['lines/r/000001', undefined],
        ['lines/r/000003', Uint8Array.of(1, 2, 3)],
      ]),
    )
    const history = await History.open(storage, vault, 'r', 3 * SEGMENT + 10)
    assert.equal(history.length, 3 * SEGMENT + 10)
    await append(history, storage, [item(9_999)])
    const again = await History.open(storage, vault, 'r', history.length)
    const all = await again.range(0, again.length)
    const kinds = all.map(({ k }) => k).join('')
    const lost = (n: number) => 's'.repeat(n)
    const kept = (n: number) => 'm'.repeat(n)
    assert.equal(kinds, kept(SEGMENT) + lost(SEGMENT) + kept(SEGMENT) + lost(10) + kept(1))
  })

  it('is gone from the store and from memory once it was wiped', async () => {
    const storage = new MemoryStorage()
    const history = await History.open(storage, vault, 'r')
    await append(history, storage, items(0, 600))
    const changes = new Map<string, unknown>()
    const adopt = await history.stageWipe(changes)
    assert.equal(history.length, 600, 'nothing happens before the write')
    await storage.write(changes)
    adopt()
    assert.deepEqual(await storage.keys(''), [])
    assert.equal(history.length, 0)
    assert.deepEqual(await history.range(0, 600), [])
    assert.isTrue(history.has(item(1)), 'what comes a second time is still recognised')
    await append(history, storage, items(600, 601))
    assert.deepEqual(await (await History.open(storage, vault, 'r')).range(0, 9), [item(600)])
  })
})
