import { Trust } from '../../web/chat/trust.ts'
import { openVault } from '../../web/chat/vault.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { vaultKey } from '../support/history_fixture.ts'
import { MemoryStorage } from '../support/memory_storage.ts'
import { assert, describe, it } from '../support/suite.ts'

const vault = openVault(await vaultKey())
const key = (n: number): Bytes => new Uint8Array(32).fill(n)

describe('pins', () => {
  it('are made at first sight and kept', async () => {
    const storage = new MemoryStorage()
    const trust = await Trust.open(storage, vault, 'localhost')
    assert.lengthOf(await trust.see([{ user: 'alice', fingerprint: key(1) }]), 0)
    const again = await Trust.open(storage, vault, 'localhost')
    assert.deepEqual(again.person('alice')?.fingerprint, key(1))
    assert.equal(again.word('alice'), 'pinned')
  })

  it('never change by themselves: another key is an alarm, told once', async () => {
    const storage = new MemoryStorage()
    const trust = await Trust.open(storage, vault, 'localhost')
    await trust.see([{ user: 'alice', fingerprint: key(1) }])
    const alarms = await trust.see([{ user: 'alice', fingerprint: key(2) }])
    assert.deepEqual(alarms[0]?.changed, key(2))
    assert.lengthOf(await trust.see([{ user: 'alice', fingerprint: key(2) }]), 0)
    const again = await Trust.open(storage, vault, 'localhost')
    assert.equal(again.word('alice'), 'changed')
    assert.deepEqual(again.person('alice')?.fingerprint, key(1))
  })

  it('take a look-alike name with another key for a changed key', async () => {
    const trust = await Trust.open(new MemoryStorage(), vault, 'localhost')
    await trust.see([{ user: 'alice', fingerprint: key(1) }])
    const alarms = await trust.see([{ user: 'аlice', fingerprint: key(2) }])
    assert.lengthOf(alarms, 1)
  })

  it('take names that look alike for one person too when they are seen at once', async () => {
    for (const user of ['alice', 'аlice']) {
      const trust = await Trust.open(new MemoryStorage(), vault, 'localhost')
      const alarms = await trust.see([
        { user: 'alice', fingerprint: key(1) },
        { user, fingerprint: key(2) },
      ])
      assert.deepEqual(alarms[0]?.changed, key(2))
      assert.deepEqual(trust.person('alice')?.fingerprint, key(1))
      assert.equal(trust.word(user), 'changed')
    }
  })

  it('follow a person’s decision', async () => {
    const trust = await Trust.open(new MemoryStorage(), vault, 'localhost')
    await trust.see([{ user: 'alice', fingerprint: key(1) }])
    await trust.see([{ user: 'alice', fingerprint: key(2) }])
    await trust.decide('alice', true)
    assert.deepEqual(trust.person('alice')?.fingerprint, key(2))
    assert.equal(trust.word('alice'), 'pinned')
  })

  it('are verified by a person, and not verified after all', async () => {
    const storage = new MemoryStorage()
    const trust = await Trust.open(storage, vault, 'localhost')
    await trust.see([{ user: 'alice', fingerprint: key(1) }])
    for (const verified of [true, false]) {
      await trust.verified('alice', verified)
      const again = await Trust.open(storage, vault, 'localhost')
      assert.equal(again.word('alice'), verified ? 'verified' : 'pinned')
    }
  })

  it('are another endpoint’s own', async () => {
    const storage = new MemoryStorage()
    const one = await Trust.open(storage, vault, 'one.example')
    await one.see([{ user: 'alice', fingerprint: key(1) }])
    await one.pinEndpoint({ fingerprint: key(3), verified: false })
    const two = await Trust.open(storage, vault, 'two.example')
    assert.isUndefined(two.person('alice'))
    assert.isUndefined(two.endpoint)
  })

  it('are all kept when they are made at the same time', async () => {
    const storage = new MemoryStorage()
    const trust = await Trust.open(storage, vault, 'localhost')
    const names = ['alice', 'bob', 'cyd', 'dan']
    await Promise.all(names.map((user, n) => trust.see([{ user, fingerprint: key(n + 1) }])))
    const again = await Trust.open(storage, vault, 'localhost')
    assert.deepEqual(
      names.map((user) => again.person(user)?.fingerprint),
      names.map((_, n) => key(n + 1)),
    )
  })

  it('stand in the store without a name in the clear', async () => {
    const storage = new MemoryStorage()
    const trust = await Trust.open(storage, vault, 'localhost')
    await trust.see([{ user: 'alice', fingerprint: key(1) }])
    const keys = await storage.keys('')
    const values = (await storage.readMany(keys)) as Uint8Array[]
    const text = keys.join() + values.map((one) => new TextDecoder('latin1').decode(one)).join()
    assert.notInclude(text, 'alice')
  })

  it('that were deleted or edited are missed, until the person goes on without them', async () => {
    const storage = new MemoryStorage()
    const trust = await Trust.open(storage, vault, 'localhost')
    assert.isFalse(trust.lost, 'there were none yet')
    await trust.pinEndpoint({ fingerprint: key(3), verified: true })
    await storage.write(new Map([['room/00', Uint8Array.of(1)]]))
    for (const value of [undefined, Uint8Array.of(1, 2, 3)]) {
      const other = storage.copy()
      await other.write(new Map([['pins/localhost', value]]))
      const lost = await Trust.open(other, vault, 'localhost')
      assert.isTrue(lost.lost)
      assert.isUndefined(lost.endpoint)
      assert.isTrue((await Trust.open(other, vault, 'localhost')).lost, 'it stays so')
      await lost.startAnew()
      assert.isFalse((await Trust.open(other, vault, 'localhost')).lost)
    }
  })
})
