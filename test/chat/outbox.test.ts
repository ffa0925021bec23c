import { Outbox } from '../../web/chat/outbox.ts'
import { openVault } from '../../web/chat/vault.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { MemoryStorage } from '../support/memory_storage.ts'
import { assert, describe, it } from '../support/suite.ts'

const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
  'encrypt',
  'decrypt',
])
const vault = openVault(key)
const id = (n: number): Bytes => new Uint8Array(16).fill(n)
const texts = (outbox: Outbox) => outbox.entries.map(({ text }) => text)

describe('the outbox', () => {
  it('keeps what was typed, in order, over a crash', async () => {
    const storage = new MemoryStorage()
    const outbox = await Outbox.open(storage, vault, 'r')
    await Promise.all([1, 2, 3, 4].map((n) => outbox.add(id(n), `text ${n}`, n)))
    const again = await Outbox.open(storage.crash(), vault, 'r')
    assert.deepEqual(texts(again), ['text 1', 'text 2', 'text 3', 'text 4'])
  })

  it('gives later messages later places, also after it was opened again', async () => {
    const storage = new MemoryStorage()
    const outbox = await Outbox.open(storage, vault, 'r')
    const first = await outbox.add(id(1), 'one', 1)
    await outbox.add(id(2), 'two', 2)
    await outbox.remove(first)
    const again = await Outbox.open(storage, vault, 'r')
    await again.add(id(3), 'three', 3)
    assert.deepEqual(texts(await Outbox.open(storage, vault, 'r')), ['two', 'three'])
  })

  it('never shows a sealed state that was not written', async () => {
    const storage = new MemoryStorage()
    const outbox = await Outbox.open(storage, vault, 'r')
    const entry = await outbox.add(id(1), 'one', 1)
    const changes = new Map<string, unknown>()
    const adopt = await outbox.stage([{ ...entry, sealed: id(9) }], [], changes)
    assert.isNull(outbox.find(id(1))?.sealed)
    await storage.write(changes)
    adopt()
    const again = await Outbox.open(storage, vault, 'r')
    assert.deepEqual(again.find(id(1))?.sealed, id(9))
  })

  it('finds an entry by the id that it has now, and by no other', async () => {
    const outbox = await Outbox.open(new MemoryStorage(), vault, 'r')
    const first = await outbox.add(id(1), 'one', 1)
    await outbox.add(id(2), 'two', 2)
    await outbox.update([{ ...first, msgId: id(3) }])
    assert.isUndefined(outbox.find(id(1)))
    assert.equal(outbox.find(id(3))?.text, 'one')
    assert.equal(outbox.find(id(2))?.text, 'two')
    await outbox.remove(first)
    assert.isUndefined(outbox.find(id(3)))
  })

  it('loses nothing that is added while another entry leaves', async () => {
    const storage = new MemoryStorage()
    const outbox = await Outbox.open(storage, vault, 'r')
    const first = await outbox.add(id(1), 'one', 1)
    const changes = new Map<string, unknown>()
    const adopt = await outbox.stage([], [first], changes)
    await outbox.add(id(2), 'two', 2)
    await storage.write(changes)
    adopt()
    assert.deepEqual(texts(outbox), ['two'])
    assert.deepEqual(texts(await Outbox.open(storage, vault, 'r')), ['two'])
  })

  it('writes no text in clear', async () => {
    const storage = new MemoryStorage()
    let written = ''
    storage.onWrite = (changes) => {
      for (const value of changes.values())
        written += new TextDecoder('latin1').decode(value as Uint8Array)
    }
    await (await Outbox.open(storage, vault, 'r')).add(id(1), 'a canary sings', 1)
    assert.notInclude(written, 'canary')
  })
})
