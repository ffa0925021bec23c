import { idbStorage } from '../../web/io/idb_storage.ts'
import { storageContract } from '../support/storage_contract.ts'
import { assert, describe, it } from '../support/suite.ts'

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
})
