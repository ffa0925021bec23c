import { createProfile, loadProfile, repairProfile } from '../../web/chat/profile.ts'
import { databaseName, idbStorage } from '../../web/io/idb_storage.ts'
import { forgetProfile, rememberProfile, wipedProfiles } from '../../web/io/profiles.ts'
import { generateIdentity } from '../../web/protocol/identity.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

const PASSPHRASE = 'correct horse battery'
const identity = await generateIdentity()

function keysIn(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0
  if (value instanceof CryptoKey) return 1
  return Object.values(value).reduce((sum: number, part) => sum + keysIn(part), 0)
}

describe('a profile in IndexedDB', () => {
  it('opens behind its app lock with the passphrase only, and rests without a key', async () => {
    const storage = idbStorage('locked')
    const made = await createProfile(storage, 'alice', identity, false)
    await made.storage.write(new Map([['x', await made.vault.seal('x', 'a secret')]]))
    await made.lock.set(PASSPHRASE)
    made.storage.close()

    const fresh = idbStorage('locked')
    const keys = await fresh.keys('')
    assert.deepEqual(keys, ['lock', 'profile', 'x'])
    assert.equal(keysIn(await fresh.readMany(keys)), 0)
    const loaded = await loadProfile(fresh)
    if (loaded.state !== 'locked') assert.fail(loaded.state)
    await fails('bad_passphrase', () => loaded.unlock('wrong horse battery'))
    const profile = await loaded.unlock(PASSPHRASE)
    assert.equal(await profile.vault.open('x', await fresh.read('x')), 'a secret')
    await profile.lock.change(PASSPHRASE, 'another passphrase')
    await profile.lock.remove('another passphrase')
    const open = await loadProfile(fresh)
    if (open.state !== 'ready') assert.fail(open.state)
    assert.equal(await open.profile.vault.open('x', await fresh.read('x')), 'a secret')
    await fresh.destroy()
  })

  it('is whole again after its key was deleted and imported', async () => {
    const storage = idbStorage('partly')
    const made = await createProfile(storage, 'alice', identity, true)
    await storage.write(new Map([['identity', undefined]]))
    const loaded = await loadProfile(storage)
    if (loaded.state !== 'incomplete') assert.fail(loaded.state)
    assert.deepEqual(loaded.missing, ['identity'])
    const repaired = await repairProfile(storage, 'alice', identity)
    if (repaired.state !== 'ready') assert.fail(repaired.state)
    assert.deepEqual(repaired.profile.device, made.device)
    await storage.destroy()
  })
})

describe('profiles that the browser has wiped', () => {
  const entry = { id: 'e'.repeat(32), user: 'alice', madeAt: 1 }
  const wiped = async () => (await wipedProfiles()).filter(({ id }) => id === entry.id)

  it('are named: database gone, database empty, or list gone', async () => {
    const storage = idbStorage(entry.id)
    await createProfile(storage, 'alice', identity, false)
    await rememberProfile(entry)
    assert.deepEqual(await wiped(), [], 'nothing is wiped yet')

    await storage.destroy()
    assert.deepEqual(await wiped(), [{ id: entry.id, user: 'alice' }])
    const again = idbStorage(entry.id)
    assert.isUndefined(await again.read('profile'))
    const names = (await indexedDB.databases()).map(({ name }) => name)
    assert.include(names, databaseName(entry.id), 'it was opened again, and is empty')
    assert.deepEqual(await wiped(), [{ id: entry.id, user: 'alice' }])

    await createProfile(again, 'alice', identity, false)
    assert.deepEqual(await wiped(), [])
    await forgetProfile(entry.id)
    localStorage.setItem(`sotto.profile.${entry.id}`, 'alice')
    assert.deepEqual(await wiped(), [{ id: entry.id, user: 'alice' }])
    localStorage.removeItem(`sotto.profile.${entry.id}`)
    await again.destroy()
  })
})
