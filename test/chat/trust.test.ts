import { Trust } from '../../web/chat/trust.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { MemoryStorage } from '../support/memory_storage.ts'
import { assert, describe, it } from '../support/suite.ts'

const key = (n: number): Bytes => new Uint8Array(32).fill(n)

describe('pins', () => {
  it('are made at first sight and kept', async () => {
    const storage = new MemoryStorage()
    const trust = await Trust.open(storage, 'localhost')
    assert.lengthOf(await trust.see([{ user: 'alice', fingerprint: key(1) }]), 0)
    const again = await Trust.open(storage, 'localhost')
    assert.deepEqual(again.person('alice')?.fingerprint, key(1))
    assert.equal(again.word('alice'), 'pinned')
  })

  it('never change by themselves: another key is an alarm, told once', async () => {
    const storage = new MemoryStorage()
    const trust = await Trust.open(storage, 'localhost')
    await trust.see([{ user: 'alice', fingerprint: key(1) }])
    const alarms = await trust.see([{ user: 'alice', fingerprint: key(2) }])
    assert.deepEqual(alarms[0]?.changed, key(2))
    assert.lengthOf(await trust.see([{ user: 'alice', fingerprint: key(2) }]), 0)
    const again = await Trust.open(storage, 'localhost')
    assert.equal(again.word('alice'), 'changed')
    assert.deepEqual(again.person('alice')?.fingerprint, key(1))
  })

  it('take a look-alike name with another key for a changed key', async () => {
    const trust = await Trust.open(new MemoryStorage(), 'localhost')
    await trust.see([{ user: 'alice', fingerprint: key(1) }])
    const alarms = await trust.see([{ user: 'аlice', fingerprint: key(2) }])
    assert.lengthOf(alarms, 1)
  })

  it('follow a person’s decision', async () => {
    const trust = await Trust.open(new MemoryStorage(), 'localhost')
    await trust.see([{ user: 'alice', fingerprint: key(1) }])
    await trust.see([{ user: 'alice', fingerprint: key(2) }])
    await trust.decide('alice', true)
    assert.deepEqual(trust.person('alice')?.fingerprint, key(2))
    assert.equal(trust.word('alice'), 'pinned')
  })

  it('are another endpoint’s own', async () => {
    const storage = new MemoryStorage()
    const one = await Trust.open(storage, 'one.example')
    await one.see([{ user: 'alice', fingerprint: key(1) }])
    await one.pinEndpoint({ fingerprint: key(3), verified: false })
    const two = await Trust.open(storage, 'two.example')
    assert.isUndefined(two.person('alice'))
    assert.isUndefined(two.endpoint)
  })
})
