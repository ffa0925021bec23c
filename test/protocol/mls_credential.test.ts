import { fromHex, hex, utf8 } from '../../web/protocol/bytes.ts'
import { makeBinding, readBinding, verifyBinding } from '../../web/protocol/mls_credential.ts'
import { encodePolicy, type Policy, readPolicy } from '../../web/protocol/mls_policy.ts'
import { assert, describe, fails, it } from '../support/suite.ts'
import vectors from '../vectors/mls_binding.json' with { type: 'json' }
import { DAY, deviceId, HOST, NOW, OPEN, only, person } from './room_people.ts'

describe('the binding of a device to a person', () => {
  for (const { name, outcome, identity, signatureKey, host, now } of vectors.cases)
    it(`made by another implementation, ${name}: ${outcome}`, async () => {
      const verify = () =>
        verifyBinding(fromHex(identity), fromHex(signatureKey), fromHex(host), now)
      if (outcome === 'refuse') await fails('bad_member', verify)
      else assert.equal((await verify()).user, vectors.claim.user)
    })

  it('says what it was made to say', async () => {
    const { claim, cases, fingerprint } = vectors
    const [first] = cases
    const encoded = fromHex(first?.identity ?? '')
    const binding = await readBinding(encoded, fromHex(claim.signatureKey))
    assert.deepEqual(binding, {
      user: claim.user,
      device: fromHex(claim.device),
      spki: fromHex(claim.spki),
      fingerprint: fromHex(fingerprint),
      hostKeyHash: fromHex(claim.host),
      notBefore: claim.notBefore,
      notAfter: claim.notAfter,
      signatureKey: fromHex(claim.signatureKey),
      encoded,
    })
  })

  it('does not hold when any of its bytes is changed', async () => {
    const signatureKey = crypto.getRandomValues(new Uint8Array(32))
    const claim = { user: 'ann', device: deviceId(1), hostKeyHash: HOST, signatureKey }
    const { encoded } = await makeBinding(await person('ann'), claim, NOW)
    assert.equal((await verifyBinding(encoded, signatureKey, HOST, NOW)).user, 'ann')
    for (let i = 0; i < encoded.length; i += 7) {
      const bad = encoded.slice()
      bad[i] = (bad[i] ?? 0) ^ 0x10
      await fails('bad_member', () => verifyBinding(bad, signatureKey, HOST, NOW))
    }
  })

  it('does not hold for a name in any form but its one', async () => {
    const signatureKey = new Uint8Array(32).fill(2)
    const names = [
      'ann\u200b',
      ' ann',
      'an\u202en',
      'ａnn',
      'a\u0301nn',
      'аnn',
      'ann  b',
      'you',
      '',
    ]
    for (const user of names) {
      const claim = { user, device: deviceId(1), hostKeyHash: HOST, signatureKey }
      const { encoded } = await makeBinding(await person('ann'), claim, NOW)
      await fails('bad_member', () => verifyBinding(encoded, signatureKey, HOST, NOW))
    }
  })

  it('allows for clocks that are days apart, and no more than three', async () => {
    const signatureKey = new Uint8Array(32).fill(2)
    const claim = { user: 'ann', device: deviceId(1), hostKeyHash: HOST, signatureKey }
    const { encoded } = await makeBinding(await person('ann'), claim, NOW)
    const verify = (now: number) => verifyBinding(encoded, signatureKey, HOST, now)
    await verify(NOW - 3 * DAY)
    await fails('bad_member', () => verify(NOW - 3 * DAY - 2 * 3_600_000))
    await verify(NOW + 399 * DAY)
    await fails('bad_member', () => verify(NOW + 401 * DAY))
  })
})

describe('the policy of a room', () => {
  const extension = (data: Uint8Array) => [{ extensionType: 0xf507, extensionData: data }]

  it('has one form, with people in the order of their names', async () => {
    const policy = await only('bob', 'ann', 'zoë')
    const bytes = encodePolicy(policy)
    assert.equal(hex(bytes.subarray(0, 35)), `0102${hex(HOST)}03`)
    const read = readPolicy(extension(bytes))
    assert.deepEqual(read.kind === 'members' ? read.members.map(({ user }) => user) : [], [
      'ann',
      'bob',
      'zoë',
    ])
    assert.deepEqual(readPolicy(extension(encodePolicy(OPEN))), OPEN)
    assert.equal(hex(encodePolicy(OPEN)), `0101${hex(HOST)}`)
  })

  it('is refused in any other form', async () => {
    const policy = (await only('ann', 'bob')) as Policy & { kind: 'members' }
    const bytes = encodePolicy(policy)
    const [ann, bob] = policy.members
    if (!ann || !bob) throw new Error('nobody')
    const swapped = bytes.slice()
    swapped.set(bytes.subarray(35 + 36, 35 + 72), 35)
    swapped.set(bytes.subarray(35, 35 + 36), 35 + 36)
    const twice = encodePolicy({ ...policy, members: [ann, ann] })
    const version = bytes.slice()
    version[0] = 2
    for (const data of [swapped, twice, version, bytes.slice(1), utf8(''), bytes.slice(0, -1)])
      await fails('bad_member', () => readPolicy(extension(data)))
    await fails('bad_member', () => readPolicy([]))
    await fails('bad_member', () => readPolicy([...extension(bytes), ...extension(bytes)]))
    await fails('bad_member', () => readPolicy([{ extensionType: 0xf508, extensionData: bytes }]))
  })
})
