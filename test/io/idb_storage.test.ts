import { heldStorage, idbStorage } from '../../web/io/idb_storage.ts'
import { storageContract } from '../support/storage_contract.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

let run = 0
storageContract(
  'IndexedDB',
  () => idbStorage(`contract-${run}`),
  () => {
    run += 1
  },
)

describe('IndexedDB', () => {
  it('keeps a key that can’t be exported, usable', async () => {
    const storage = idbStorage('keys')
    const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
      'encrypt',
    ])
    await storage.write(new Map([['key', { key }]]))
    const stored = (await storage.read('key')) as { key: CryptoKey }
    assert.isFalse(stored.key.extractable)
    const iv = new Uint8Array(12)
    await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, stored.key, iv)
    await storage.destroy()
  })

  it('lets another tab delete the profile and is empty afterwards', async () => {
    const one = idbStorage('shared')
    const two = idbStorage('shared')
    await one.write(new Map([['a', 1]]))
    await two.destroy()
    assert.isUndefined(await one.read('a'))
    await one.destroy()
  })

  it('takes nothing from a tab that has lost it, though that tab does not know', async () => {
    const mine = () => true
    const frozen = await heldStorage('fenced', mine)
    await frozen.write(new Map([['a', 1]]))
    const taker = await heldStorage('fenced', mine)
    await fails('unavailable', () =>
      frozen.write(
        new Map([
          ['a', 2],
          ['b', 2],
        ]),
      ),
    )
    assert.deepEqual(await taker.readMany(['a', 'b']), [1, undefined])
    await taker.write(new Map([['a', 3]]))
    const third = await heldStorage('fenced', mine)
    for (const late of [frozen, taker])
      await fails('unavailable', () => late.write(new Map([['a', 4]])))
    assert.equal(await third.read('a'), 3)
    assert.deepEqual(await third.keys(''), ['a'])
    await third.destroy()
  })

  it('is its holder’s to write to, however many there were before', async () => {
    for (let i = 0; i < 140; i++) {
      const storage = await heldStorage('often', () => true)
      await storage.write(new Map([['a', i]]))
      storage.close()
    }
    const last = await heldStorage('often', () => true)
    assert.equal(await last.read('a'), 139)
    await last.destroy()
  })

  it('is not taken by a tab that has lost its profile before it came to that', async () => {
    const holder = await heldStorage('late', () => true)
    await fails('unavailable', () => heldStorage('late', () => false))
    await holder.write(new Map([['a', 1]]))
    await holder.destroy()
  })

  it('is closed for good, from that moment on, with nothing begun after it', async () => {
    const storage = await heldStorage('closed', () => true)
    const before = storage.write(new Map([['a', 1]]))
    await before
    const late = storage.write(new Map([['a', 2]]))
    storage.close()
    await fails('unavailable', () => late)
    await fails('unavailable', () => storage.write(new Map([['a', 3]])))
    const next = await heldStorage('closed', () => true)
    assert.equal(await next.read('a'), 1)
    await next.destroy()
  })
})
