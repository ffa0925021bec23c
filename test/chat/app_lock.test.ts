import { type BrowserProfile, createProfile, loadProfile } from '../../web/chat/profile.ts'
import type { Storage } from '../../web/chat/storage.ts'
import { generateIdentity } from '../../web/protocol/identity.ts'
import { MemoryStorage } from '../support/memory_storage.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

const identity = await generateIdentity()
const PASSPHRASE = 'correct horse battery'

async function locked(): Promise<{ storage: MemoryStorage; profile: BrowserProfile }> {
  const storage = new MemoryStorage()
  const profile = await createProfile(storage, 'alice', identity, false)
  await profile.storage.write(new Map([['x', await profile.vault.seal('x', 'a secret')]]))
  await profile.lock.set(PASSPHRASE)
  return { storage, profile }
}

async function load(storage: Storage) {
  const loaded = await loadProfile(storage)
  if (loaded.state !== 'locked') assert.fail(`the profile is ${loaded.state}`)
  return loaded
}

/** Everything in a store, as text in which a CryptoKey shows. */
async function dump(storage: Storage): Promise<Map<string, unknown>> {
  const keys = await storage.keys('')
  const values = await storage.readMany(keys)
  return new Map(keys.map((key, i) => [key, values[i]]))
}

function keysIn(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0
  if (value instanceof CryptoKey) return 1
  return Object.values(value).reduce((sum: number, part) => sum + keysIn(part), 0)
}

describe('the app lock', () => {
  it('opens with its passphrase only, and a wrong one changes nothing', async () => {
    const { storage } = await locked()
    const before = await dump(storage)
    const door = await load(storage)
    assert.equal(door.user, 'alice')
    await fails('bad_passphrase', () => door.unlock('correct horse batterY'))
    await fails('bad_passphrase', () => door.unlock(''))
    assert.deepEqual(await dump(storage), before)
    const profile = await door.unlock(PASSPHRASE)
    assert.equal(await profile.vault.open('x', await storage.read('x')), 'a secret')
    assert.deepEqual(profile.identity.fingerprint, identity.fingerprint)
    assert.isTrue(profile.lock.isSet)
  })

  it('leaves no key in the store, not even one that comes later', async () => {
    const { storage, profile } = await locked()
    const key = profile.identity.stored().signing
    await profile.storage.write(new Map([['ticket', { id: 1, psk: key }]]))
    assert.deepEqual(await profile.storage.read('ticket'), { id: 1, psk: key }, 'usable meanwhile')
    assert.equal(keysIn([...(await dump(storage)).values()]), 0)
    assert.deepEqual(await storage.keys(''), ['lock', 'profile', 'x'])
    const fresh = await (await load(storage)).unlock(PASSPHRASE)
    await fresh.storage.write(new Map([['ticket', { psk: key }]]))
    assert.equal(keysIn([...(await dump(storage)).values()]), 0)
    assert.deepEqual(await fresh.storage.keys('t'), ['ticket'])
  })

  it('is changed, and then the old passphrase opens nothing', async () => {
    const { storage, profile } = await locked()
    await fails('bad_passphrase', () => profile.lock.change('not this one', 'another one of mine'))
    await fails('bad_passphrase', () => profile.lock.change(PASSPHRASE, 'short'))
    await profile.lock.change(PASSPHRASE, 'another one of mine')
    const door = await load(storage)
    await fails('bad_passphrase', () => door.unlock(PASSPHRASE))
    const again = await door.unlock('another one of mine')
    assert.equal(await again.vault.open('x', await storage.read('x')), 'a secret')
  })

  it('is removed with its passphrase, and the profile is as it was before', async () => {
    const { storage, profile } = await locked()
    await fails('bad_passphrase', () => profile.lock.remove('not this one'))
    assert.isTrue(profile.lock.isSet)
    await profile.lock.remove(PASSPHRASE)
    assert.isFalse(profile.lock.isSet)
    const loaded = await loadProfile(storage)
    if (loaded.state !== 'ready') assert.fail(loaded.state)
    assert.equal(await loaded.profile.vault.open('x', await storage.read('x')), 'a secret')
    assert.isUndefined(await storage.read('lock'))
    await loaded.profile.lock.set('and locked once more')
  })

  it('refuses a short passphrase and a second lock', async () => {
    const storage = new MemoryStorage()
    const profile = await createProfile(storage, 'alice', identity, false)
    await fails('bad_passphrase', () => profile.lock.set('1234567'))
    assert.equal((await loadProfile(storage)).state, 'ready')
    await profile.lock.set(PASSPHRASE)
    await fails('refused', () => profile.lock.set(PASSPHRASE))
  })

  it('is there or not after a crash or a full disk, never in between', async () => {
    const storage = new MemoryStorage()
    const profile = await createProfile(storage, 'alice', identity, false)
    const full = () => {
      throw new Error('full')
    }
    storage.onWrite = full
    assert.instanceOf(await profile.lock.set(PASSPHRASE).catch((error) => error), Error)
    storage.onWrite = undefined
    assert.isFalse(profile.lock.isSet)
    assert.equal((await loadProfile(storage)).state, 'ready')
    let writes = 0
    storage.onWrite = () => {
      writes += 1
    }
    await profile.lock.set(PASSPHRASE)
    assert.equal(writes, 1, 'one write is all or nothing')
    storage.onWrite = full
    assert.instanceOf(await profile.lock.remove(PASSPHRASE).catch((error) => error), Error)
    storage.onWrite = undefined
    assert.isTrue(profile.lock.isSet)
    await (await load(storage)).unlock(PASSPHRASE)
  })

  it('takes the same passphrase from another keyboard', async () => {
    const storage = new MemoryStorage()
    const profile = await createProfile(storage, 'alice', identity, false)
    await profile.lock.set('cafe\u0301 au lait')
    await (await load(storage)).unlock('caf\u00e9 au lait')
  })

  it('does not open when any byte of it was changed, nor spin on a record that asks for hours', async () => {
    const { storage } = await locked()
    const record = (await storage.read('lock')) as Record<string, Uint8Array>
    for (const part of ['salt', 'vault', 'identity', 'spki']) {
      const bytes = record[part]?.slice() ?? new Uint8Array(0)
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
      const other = storage.copy()
      await other.write(new Map([['lock', { ...record, [part]: bytes }]]))
      await fails('bad_passphrase', async () => (await load(other)).unlock(PASSPHRASE))
    }
    for (const iterations of [1, 599_999, 2 ** 40]) {
      const other = storage.copy()
      await other.write(new Map([['lock', { ...record, iterations }]]))
      assert.equal((await loadProfile(other)).state, 'incomplete')
    }
  })
})
