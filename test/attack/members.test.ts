/** THREATS E1, E2, E5 and P1: what members do about those who may not be among them. */
import type { Proposal } from 'ts-mls'
import { type Bytes, concat, utf8 } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { makeBinding } from '../../web/protocol/mls_credential.ts'
import { policyExtension } from '../../web/protocol/mls_policy.ts'
import { change, joinExternal, problemWith, seal } from '../../web/protocol/room.ts'
import {
  type DeviceKeys,
  decodeKeyPackage,
  encodeKeyPackage,
  leafCapabilities,
  makeKeyPackages,
} from '../../web/protocol/room_keys.ts'
import { open } from '../../web/protocol/room_open.ts'
import type { Trust } from '../../web/protocol/room_rules.ts'
import { encodeRoom, type RoomState } from '../../web/protocol/room_state.ts'
import { joinWelcome } from '../../web/protocol/room_welcome.ts'
import {
  adding,
  DAY,
  device,
  deviceId,
  expected,
  group,
  HOST,
  NOW,
  OPEN,
  only,
  openAll,
  person,
  roomOf,
  TRUST,
} from '../protocol/room_people.ts'
import { seeded } from '../support/random.ts'
import { assert, describe, fails, it } from '../support/suite.ts'
import {
  addOf,
  commitAs,
  evilCommit,
  evilGroupInfo,
  evilJoin,
  evilProposal,
  evilRoom,
  type Forged,
  forge,
  spoiling,
  UNUSABLE,
} from './members_evil.ts'

const AAD = new Uint8Array(56)
const MLS10 = 'mls10' as const

/** Ann and Bob are honest; Eve is in the room and does as she likes. */
async function roomWithEve(kind: 'open' | 'members' = 'members') {
  const policy = kind === 'open' ? OPEN : await only('ann', 'bob', 'eve')
  const keys = await Promise.all(['ann', 'bob', 'eve'].map((name) => device(name)))
  const [ann, bob, eve] = await roomOf(policy, keys)
  if (!ann || !bob || !eve) throw new Error('no room')
  return { ann, bob, eve, policy }
}

/** Refused with this code, and the room goes on as if it had never come. */
async function refusedBy(
  honest: { ann: RoomState; bob: RoomState },
  mls: Bytes,
  code = 'bad_member',
  trust: Trust = TRUST,
): Promise<void> {
  const before = encodeRoom(honest.bob)
  await fails(code, () => open(honest.bob, mls, trust))
  assert.deepEqual(encodeRoom(honest.bob), before)
  const hello = await seal(honest.ann, utf8('still here'), AAD)
  const { opened } = await open(honest.bob, hello.mls, TRUST)
  assert.equal(opened.kind, 'message')
  const renewed = await change(honest.ann, {}, TRUST)
  assert.equal((await open(honest.bob, renewed.mls, TRUST)).opened.kind, 'commit')
}

function flip(bytes: Uint8Array, at: number): Bytes {
  const bad = new Uint8Array(bytes)
  const i = at < 0 ? bytes.length + at : at
  bad[i] = (bad[i] ?? 0) ^ 1
  return bad
}

describe('a ghost that a member adds (E1)', () => {
  /** Each makes what Eve puts into her Add. */
  const ghosts: readonly (readonly [string, () => Promise<Forged>])[] = [
    [
      'whose binding has a wrong signature',
      async () => {
        const ghost = await device('bob', 2)
        return forge(ghost, flip(ghost.binding.encoded, -1))
      },
    ],
    [
      'who is nobody that the room is for',
      async () => {
        const ghost = await device('mallory')
        return forge(ghost, ghost.binding.encoded)
      },
    ],
    [
      'who belongs to another server',
      async () => {
        const ghost = await device('bob', 2, { hostKeyHash: new Uint8Array(32).fill(8) })
        return forge(ghost, ghost.binding.encoded)
      },
    ],
    [
      'whose binding has expired',
      async () => {
        const ghost = await device('bob', 2, { now: NOW - 401 * DAY })
        return forge(ghost, ghost.binding.encoded)
      },
    ],
    [
      'whose binding is for the future',
      async () => {
        const ghost = await device('bob', 2, { now: NOW + 4 * DAY })
        return forge(ghost, ghost.binding.encoded)
      },
    ],
    [
      'with a true binding of Bob’s but a signature key of its own',
      async () => {
        const [bob, eve] = [await device('bob', 2), await device('eve', 2)]
        return forge(eve, bob.binding.encoded)
      },
    ],
    [
      'with Bob’s name under another RSA key',
      async () => {
        const identity = await person('mallory')
        const ghost = await device('bob', 2, { identity })
        return forge(ghost, ghost.binding.encoded)
      },
    ],
    [
      'whose binding was changed in any other field',
      async () => {
        const ghost = await device('bob', 2)
        return forge(ghost, flip(ghost.binding.encoded, 1 + 32 + 1 + 3 + 15))
      },
    ],
    [
      'with identity bytes that are no binding',
      async () => forge(await device('bob', 2), utf8('bob')),
    ],
    [
      'with a binding and something behind it',
      async () => {
        const ghost = await device('bob', 2)
        return forge(ghost, concat(ghost.binding.encoded, Uint8Array.of(0)))
      },
    ],
    [
      'that claims to be a device that is in already',
      async () => {
        const ghost = await device('bob', 1)
        return forge(ghost, ghost.binding.encoded)
      },
    ],
    [
      'of an unusual form',
      async () => {
        const ghost = await device('bob', 2)
        return forge(ghost, ghost.binding.encoded, { extensions: true })
      },
    ],
    [
      'that claims to understand more than we do',
      async () => {
        const ghost = await device('bob', 2)
        const capabilities = { ...leafCapabilities(), extensions: [0xf507, 0xf508] }
        return forge(ghost, ghost.binding.encoded, { capabilities })
      },
    ],
  ]
  for (const [name, make] of ghosts)
    it(`${name} is refused by everyone`, async () => {
      const room = await roomWithEve()
      const { mls } = await evilCommit(room.eve, [addOf(await make())])
      await refusedBy(room, mls)
    })

  it('and that the people’s own judgement refuses is refused', async () => {
    const room = await roomWithEve()
    const ghost = await device('bob', 2)
    const { mls } = await evilCommit(
      room.eve,
      [addOf(await forge(ghost, ghost.binding.encoded))],
      false,
    )
    for (const why of [new SottoError('bad_member', 'changed key'), new Error('pins are gone')]) {
      const verify = async () => {
        throw why
      }
      await refusedBy(room, mls, 'bad_member', { now: NOW, verify })
    }
    assert.equal((await open(room.bob, mls, TRUST)).opened.kind, 'commit')
  })

  it('is refused in an open room, where everyone comes in by themselves', async () => {
    const room = await roomWithEve('open')
    const ghost = await device('mallory')
    const { mls } = await evilCommit(room.eve, [addOf(await forge(ghost, ghost.binding.encoded))])
    await refusedBy(room, mls)
  })
})

describe('a key that nobody could encrypt to (E1)', () => {
  for (const [what, spoil] of UNUSABLE) {
    it(`${what} is refused of who comes from outside, and of whom joins by it`, async () => {
      const room = await roomWithEve('open')
      const keys = await device('mallory')
      const forged = await forge(keys, keys.binding.encoded)
      const spoilt = { ...keys, suite: spoiling(keys.suite, spoil) }
      const mls = await evilJoin(spoilt, await evilGroupInfo(room.eve), forged)
      await refusedBy(room, mls, 'crypto_failed')
    })

    it(`${what} is refused of a member, in its leaf or above it`, async () => {
      for (const number of [0, 1]) {
        const room = await roomWithEve('open')
        const suite = spoiling(room.eve.keys.suite, spoil, number)
        const { mls, state } = await evilCommit(
          { ...room.eve, keys: { ...room.eve.keys, suite } },
          [],
        )
        await refusedBy(room, mls, 'crypto_failed')
        const joiner = await device('mallory')
        const groupInfo = await evilGroupInfo({ ...state, keys: room.eve.keys })
        await fails('crypto_failed', () => joinExternal(joiner, groupInfo, expected(OPEN), TRUST))
      }
    })
  }
})

describe('a way in from outside (E1)', () => {
  it('is refused in a room that is not open, even with a member’s help', async () => {
    const room = await roomWithEve()
    const keys = await device('bob', 2)
    const groupInfo = await evilGroupInfo(room.eve)
    const mls = await evilJoin(keys, groupInfo, await forge(keys, keys.binding.encoded))
    await refusedBy(room, mls)
    await fails('bad_member', () => joinExternal(keys, groupInfo, expected(room.policy), TRUST))
  })

  it('is refused with a binding that does not hold', async () => {
    const room = await roomWithEve('open')
    const groupInfo = await evilGroupInfo(room.eve)
    const keys = await device('mallory')
    const other = await device('bob', 2)
    const old = await device('bob', 2, { now: NOW - 401 * DAY })
    const identities = [flip(keys.binding.encoded, -1), other.binding.encoded]
    for (const identity of identities)
      await refusedBy(room, await evilJoin(keys, groupInfo, await forge(keys, identity)))
    const expired = await forge(old, old.binding.encoded)
    await refusedBy(room, await evilJoin(old, groupInfo, expired))
  })

  it('is refused when it takes somebody else’s place', async () => {
    const room = await roomWithEve('open')
    const keys = await device('mallory')
    const forged = await forge(keys, keys.binding.encoded)
    const groupInfo = await evilGroupInfo(room.eve)
    const annsKey = room.ann.keys.binding.signatureKey
    await refusedBy(room, await evilJoin(keys, groupInfo, forged, annsKey))
    const second = await device('ann', 2)
    const annsSecond = await forge(second, second.binding.encoded)
    await refusedBy(room, await evilJoin(second, groupInfo, annsSecond, annsKey))
  })

  it('is refused for a second device of the same number, or a name under a second key', async () => {
    const room = await roomWithEve('open')
    const groupInfo = await evilGroupInfo(room.eve)
    const twin = await device('bob')
    await refusedBy(room, await evilJoin(twin, groupInfo, await forge(twin, twin.binding.encoded)))
    const identity = await person('mallory')
    const other = await device('bob', 2, { identity })
    await refusedBy(
      room,
      await evilJoin(other, groupInfo, await forge(other, other.binding.encoded)),
    )
  })

  it('is refused for a second spelling of a name: of a device that is in, or under a second key', async () => {
    const room = await roomWithEve('open')
    const groupInfo = await evilGroupInfo(room.eve)
    const twin = await device('bob', 1, { user: 'B0b' })
    await refusedBy(room, await evilJoin(twin, groupInfo, await forge(twin, twin.binding.encoded)))
    const other = await device('mallory', 2, { user: 'B0b' })
    await refusedBy(
      room,
      await evilJoin(other, groupInfo, await forge(other, other.binding.encoded)),
    )
  })

  it('is refused when the server’s GroupInfo is of another room or policy', async () => {
    const room = await roomWithEve('open')
    const keys = await device('mallory')
    const groupInfo = await evilGroupInfo(room.ann)
    const others = [
      { groupId: group(2), policy: OPEN },
      { groupId: group(), policy: await only('mallory', 'ann') },
      { groupId: group(), policy: { ...OPEN, host: new Uint8Array(32) } },
    ]
    for (const expect of others)
      await fails('bad_member', () => joinExternal(keys, groupInfo, expect, TRUST))
  })

  it('is not taken by an honest device into a group with a ghost in it', async () => {
    const keys = await device('mallory')
    const eve = await evilRoom(await device('eve'), OPEN)
    const ghost = await device('bob')
    const bad = await forge(ghost, flip(ghost.binding.encoded, -1))
    const { state } = await evilCommit(eve, [addOf(bad)])
    const groupInfo = await evilGroupInfo(state)
    await fails('bad_member', () => joinExternal(keys, groupInfo, expected(OPEN), TRUST))
    const verify = async () => {
      throw new SottoError('bad_member', 'not pinned')
    }
    const clean = await evilGroupInfo(eve)
    const strict = { now: NOW, verify }
    await fails('bad_member', () => joinExternal(keys, clean, expected(OPEN), strict))
    await joinExternal(keys, clean, expected(OPEN), TRUST)
  })

  it('is not taken when a byte of the GroupInfo was changed', () =>
    seeded(async (random) => {
      const room = await roomWithEve('open')
      const keys = await device('mallory')
      const groupInfo = await evilGroupInfo(room.ann)
      for (let i = 0; i < 40; i++) {
        const bad = flip(groupInfo, random.below(groupInfo.length))
        const result = joinExternal(keys, bad, expected(OPEN), TRUST)
        const error: unknown = await result.then(
          () => undefined,
          (thrown) => thrown,
        )
        assert.instanceOf(error, SottoError)
      }
    }))
})

describe('a Welcome that should not be (E1)', () => {
  async function lure(over: {
    ghost?: (keys: DeviceKeys) => Uint8Array
    policy?: 'three'
    to?: DeviceKeys
  }) {
    const policy = await only('ann', 'eve', 'bob')
    const named = over.policy ? await only('ann', 'eve', 'bob', 'mallory') : policy
    let eve = await evilRoom(await device('eve'), named)
    if (over.ghost) {
      const ghost = await device('bob', 66)
      const forged = await forge(ghost, over.ghost(ghost))
      eve = (await evilCommit(eve, [addOf(forged)])).state
    }
    const ann = await device('ann')
    const pairs = await makeKeyPackages(ann, 1, NOW)
    const other = over.to ? await makeKeyPackages(over.to, 1, NOW) : pairs
    const forged = other.map((pair) => addOf({ publicPackage: decodeKeyPackage(pair.package) }))
    const { welcome } = await evilCommit(eve, forged)
    return { ann, pairs, welcome, policy }
  }

  it('into a group with a ghost is refused', async () => {
    for (const ghost of [
      (keys: DeviceKeys) => flip(keys.binding.encoded, -1),
      (keys: DeviceKeys) => flip(keys.binding.encoded, 40),
      () => utf8('nobody'),
    ]) {
      const { ann, pairs, welcome, policy } = await lure({ ghost })
      await fails('bad_member', () => joinWelcome(ann, welcome, pairs, expected(policy), TRUST))
    }
  })

  it('into a group for more people than it should be for is refused', async () => {
    const { ann, pairs, welcome, policy } = await lure({ policy: 'three' })
    await fails('bad_member', () => joinWelcome(ann, welcome, pairs, expected(policy), TRUST))
  })

  it('into a group that is not this room’s is refused', async () => {
    const { ann, pairs, welcome, policy } = await lure({})
    const other = { groupId: group(2), policy }
    await fails('bad_member', () => joinWelcome(ann, welcome, pairs, other, TRUST))
    await joinWelcome(ann, welcome, pairs, expected(policy), TRUST)
  })

  it('to a key that is not ours is refused', async () => {
    const { ann, pairs, welcome, policy } = await lure({ to: await device('bob', 9) })
    await fails('refused', () => joinWelcome(ann, welcome, pairs, expected(policy), TRUST))
    const good = await lure({})
    const wrong = new Uint8Array(64).fill(3)
    const mixed = good.pairs.map((pair) => ({ ...pair, private: wrong }))
    await fails('crypto_failed', () =>
      joinWelcome(good.ann, good.welcome, mixed, expected(policy), TRUST),
    )
  })

  it('with any byte changed is refused', () =>
    seeded(async (random) => {
      const { ann, pairs, welcome, policy } = await lure({})
      for (let i = 0; i < 40; i++) {
        const bad = flip(welcome, random.below(welcome.length))
        const error: unknown = await joinWelcome(ann, bad, pairs, expected(policy), TRUST).then(
          () => undefined,
          (thrown) => thrown,
        )
        assert.instanceOf(error, SottoError)
      }
    }))
})

describe('a change that no member may make (E1)', () => {
  const changes: readonly (readonly [
    string,
    (room: Awaited<ReturnType<typeof roomWithEve>>) => Promise<Bytes>,
  ])[] = [
    [
      'to another list of people',
      async ({ eve }) => {
        const extensions = [policyExtension(await only('ann', 'bob', 'eve', 'mallory'))]
        const proposal: Proposal = {
          proposalType: 'group_context_extensions',
          groupContextExtensions: { extensions },
        }
        return (await evilCommit(eve, [proposal])).mls
      },
    ],
    [
      'to an open room',
      async ({ eve }) => {
        const proposal: Proposal = {
          proposalType: 'group_context_extensions',
          groupContextExtensions: { extensions: [policyExtension(OPEN)] },
        }
        return (await evilCommit(eve, [proposal])).mls
      },
    ],
    [
      'that begins the group anew',
      async ({ eve }) => {
        const { name } = eve.keys.suite
        const reinit = { groupId: group(2), version: MLS10, cipherSuite: name, extensions: [] }
        return (await evilCommit(eve, [{ proposalType: 'reinit', reinit }])).mls
      },
    ],
    [
      'of a kind that nobody knows',
      async ({ eve }) => {
        const proposal: Proposal = { proposalType: 0xf999, proposalData: new Uint8Array(3) }
        return (await evilCommit(eve, [proposal])).mls
      },
    ],
    [
      'by a leaf that is suddenly another device of the same person',
      async ({ eve }) => {
        const { signatureKey } = eve.keys.binding
        const claim = { user: 'eve', device: deviceId(5), hostKeyHash: HOST, signatureKey }
        const other = await makeBinding(await person('eve'), claim, NOW)
        return (await commitAs(eve, other.encoded)).mls
      },
    ],
    [
      'by a leaf that suddenly bears Bob’s binding',
      async ({ eve, bob }) => (await commitAs(eve, bob.keys.binding.encoded)).mls,
    ],
  ]
  for (const [name, make] of changes)
    it(`${name} is refused`, async () => {
      const room = await roomWithEve()
      await refusedBy(room, await make(room))
    })

  it('is refused as a proposal that stands alone, and nothing of it stays', async () => {
    const room = await roomWithEve()
    const remove: Proposal = { proposalType: 'remove', remove: { removed: 0 } }
    for (const isPublic of [true, false]) {
      const proposal = await evilProposal(room.eve, remove, isPublic)
      await refusedBy(room, proposal.mls, 'refused')
      const commit = await evilCommit(proposal.state, [])
      await refusedBy(room, commit.mls, 'crypto_failed')
    }
  })

  it('is refused when a member’s commit comes in clear', async () => {
    const room = await roomWithEve()
    await refusedBy(room, (await evilCommit(room.eve, [], true)).mls, 'refused')
  })

  it('is refused for an own place in the room', async () => {
    const { ann } = await roomWithEve()
    await fails('bad_member', () => change(ann, { remove: [ann.keys.binding] }, TRUST))
  })
})

describe('what is refused', () => {
  /** Who the people’s own judgement was asked about: they are pinned, or an alarm is raised. */
  function asking() {
    const asked: string[] = []
    const verify = async ({ user }: { user: string }) => void asked.push(user)
    return { asked, trust: { now: NOW, verify } }
  }

  it('tells nothing of anybody’s key: a commit whose own leaf says another name', async () => {
    const room = await roomWithEve('open')
    const { signatureKey } = room.eve.keys.binding
    for (const user of ['bob', 'zed']) {
      const claim = { user, device: deviceId(5), hostKeyHash: HOST, signatureKey }
      const { encoded } = await makeBinding(await person('eve'), claim, NOW)
      const { asked, trust } = asking()
      await refusedBy(room, (await commitAs(room.eve, encoded)).mls, 'bad_member', trust)
      assert.deepEqual(asked, [])
    }
  })

  it('tells nothing of anybody’s key: a way in that is not as it should be', async () => {
    const room = await roomWithEve('open')
    const keys = await device('zed')
    const groupInfo = await evilGroupInfo(room.eve)
    const good = await evilJoin(keys, groupInfo, await forge(keys, keys.binding.encoded))
    const { asked, trust } = asking()
    await refusedBy(room, flip(good, -1), 'crypto_failed', trust)
    const mallory = await device('mallory')
    const open = () => joinExternal(mallory, flip(groupInfo, -1), expected(OPEN), trust)
    await fails('crypto_failed', open)
    assert.deepEqual(asked, [])
    await joinExternal(mallory, groupInfo, expected(OPEN), trust)
    assert.sameMembers(asked, ['ann', 'bob', 'eve', 'mallory'])
  })

  it('tells nothing of anybody’s key: a Welcome that is not as it should be', async () => {
    const { eve, policy } = await roomWithEve()
    const keys = await device('bob', 2)
    const packages = await makeKeyPackages(keys, 1, NOW)
    const { welcome } = await change(eve, { add: packages.map((p) => adding(keys, p)) }, TRUST)
    const { asked, trust } = asking()
    const bad = flip(welcome ?? AAD, -1)
    await fails('crypto_failed', () => joinWelcome(keys, bad, packages, expected(policy), trust))
    assert.deepEqual(asked, [])
  })

  it('tells nothing of anybody’s key: a key package that its device has not signed', async () => {
    const { ann } = await roomWithEve()
    const keys = await device('bob', 2)
    const [pair] = await makeKeyPackages(keys, 1, NOW)
    const { asked, trust } = asking()
    const bad = { package: flip(pair?.package ?? AAD, -1) }
    assert.equal((await problemWith(ann, adding(keys, bad), trust))?.code, 'bad_member')
    await fails('crypto_failed', () => change(ann, { add: [adding(keys, bad)] }, trust))
    assert.deepEqual(asked, [])
  })
})

describe('key packages that the server hands out (E2)', () => {
  async function annAlone() {
    const [ann] = await roomOf(await only('ann', 'bob', 'eve'), [await device('ann')])
    if (!ann) throw new Error('no room')
    const bob = await device('bob')
    const [pair] = await makeKeyPackages(bob, 1, NOW)
    if (!pair) throw new Error('no package')
    return { ann, bob, pair, asked: adding(bob, pair) }
  }

  it('are not taken when they are another person’s, or another device’s', async () => {
    const { ann, asked } = await annAlone()
    for (const keys of [await device('eve'), await device('bob', 2)]) {
      const [other] = await makeKeyPackages(keys, 1, NOW)
      const add = [{ ...asked, package: other?.package ?? AAD }]
      await fails('bad_member', () => change(ann, { add }, TRUST))
    }
  })

  it('are not taken when the server made them itself', async () => {
    const { ann, bob, asked } = await annAlone()
    const server = await device('eve', 3)
    const { publicPackage } = await forge(server, bob.binding.encoded)
    const add = [{ ...asked, package: encodeKeyPackage(publicPackage) }]
    await fails('bad_member', () => change(ann, { add }, TRUST))
  })

  it('are not taken when nobody could encrypt to them', async () => {
    const { ann, bob, asked } = await annAlone()
    for (const [, spoil] of UNUSABLE)
      for (const number of [0, 1]) {
        const keys = { ...bob, suite: spoiling(bob.suite, spoil, number) }
        const { publicPackage } = await forge(keys, bob.binding.encoded)
        const add = [{ ...asked, package: encodeKeyPackage(publicPackage) }]
        await fails('bad_member', () => change(ann, { add }, TRUST))
      }
  })

  it('are not taken when they have expired', async () => {
    const { ann, bob, asked } = await annAlone()
    const [old] = await makeKeyPackages(bob, 1, NOW - 91 * DAY)
    const add = [{ ...asked, package: old?.package ?? AAD }]
    await fails('bad_member', () => change(ann, { add }, TRUST))
    const later = { now: NOW + 91 * DAY, verify: TRUST.verify }
    await fails('bad_member', () => change(ann, { add: [asked] }, later))
  })

  it('are taken from a device whose clock is two days ahead', async () => {
    const { ann, bob } = await annAlone()
    const [pair] = await makeKeyPackages(bob, 1, NOW + 2 * DAY)
    const { added } = await change(ann, { add: pair ? [adding(bob, pair)] : [] }, TRUST)
    assert.lengthOf(added, 1)
  })

  it('are not taken when their binding is about to end', async () => {
    const { ann } = await annAlone()
    const old = await device('bob', 1, { now: NOW - 341 * DAY })
    const [pair] = await makeKeyPackages(old, 1, NOW)
    await fails('bad_member', () => change(ann, { add: pair ? [adding(old, pair)] : [] }, TRUST))
  })

  it('are not taken twice into one room', async () => {
    const { ann, bob, pair, asked } = await annAlone()
    await fails('bad_member', () => change(ann, { add: [asked, asked] }, TRUST))
    const first = await change(ann, { add: [asked] }, TRUST)
    const again = await change(first.state, { add: [asked] }, TRUST)
    assert.lengthOf(again.added, 0)
    const welcome = first.welcome ?? AAD
    const { used } = await joinWelcome(bob, welcome, [pair], expected(ann.policy), TRUST)
    await fails('refused', () => joinWelcome(bob, welcome, [], expected(ann.policy), TRUST))
    assert.equal(used, pair)
  })

  it('are not taken with any byte changed', () =>
    seeded(async (random) => {
      const { ann, asked } = await annAlone()
      for (let i = 0; i < 60; i++) {
        const bad = flip(asked.package, random.below(asked.package.length))
        const error: unknown = await change(ann, { add: [{ ...asked, package: bad }] }, TRUST).then(
          () => undefined,
          (thrown) => thrown,
        )
        assert.instanceOf(error, SottoError)
      }
    }))
})

describe('a message that comes again (E5)', () => {
  it('is opened once, in whatever order and epoch it is shown', () =>
    seeded(async (random) => {
      let { ann, bob } = await roomWithEve()
      const sealed: Bytes[] = []
      for (let i = 0; i < 12; i++) {
        const { mls, state } = await seal(ann, utf8(`message ${i}`), AAD)
        sealed.push(mls)
        ann = state
      }
      const seen = new Set<Bytes>()
      for (let i = 0; i < 60; i++) {
        const mls = random.pick(sealed)
        if (seen.has(mls)) {
          await fails('crypto_failed', () => open(bob, mls, TRUST))
          continue
        }
        bob = (await open(bob, mls, TRUST)).state
        seen.add(mls)
      }
      const renewed = await change(ann, {}, TRUST)
      bob = (await open(bob, renewed.mls, TRUST)).state
      for (const mls of seen) await fails('crypto_failed', () => open(bob, mls, TRUST))
      await fails('stale_epoch', () => open(bob, renewed.mls, TRUST))
    }))

  it('is not taken for one of another room', async () => {
    const { ann } = await roomWithEve()
    const other = await evilRoom(await device('ann'), OPEN, group(9))
    const { mls } = await seal(other, utf8('hello'), AAD)
    await fails('refused', () => open(ann, mls, TRUST))
  })
})

describe('a message that is out of all order (P1)', () => {
  it('is refused when it is too many messages or epochs ahead', async () => {
    const room = await roomWithEve()
    let { ann } = room
    for (let i = 0; i < 202; i++) ann = (await seal(ann, AAD, AAD)).state
    const far = await seal(ann, utf8('far ahead'), AAD)
    await refusedBy(room, far.mls, 'crypto_failed')
    const once = await change(room.ann, {}, TRUST)
    const twice = await change(once.state, {}, TRUST)
    await refusedBy(room, twice.mls, 'stale_epoch')
    const early = await seal(twice.state, utf8('early'), AAD)
    await refusedBy(room, early.mls, 'stale_epoch')
  })

  it('is refused when it is longer than rooms take, or empty', async () => {
    const room = await roomWithEve()
    await refusedBy(room, new Uint8Array(2 ** 20 + 1), 'limit')
    await refusedBy(room, new Uint8Array(0), 'decode_error')
    await fails('limit', () => seal(room.ann, new Uint8Array(2 ** 20), AAD))
  })

  it('is refused when its view or its epoch was changed on the way', async () => {
    const room = await roomWithEve()
    const { mls } = await seal(room.ann, utf8('hello'), AAD)
    const view = flip(mls, 4 + 21 + 8 + 1 + 1)
    await refusedBy(room, view, 'crypto_failed')
    const epoch = flip(mls, 4 + 21 + 7)
    await fails('stale_epoch', () => open(room.bob, epoch, TRUST))
  })
})

describe('a removed member (P3)', () => {
  it('can read nothing new and make nobody read them', async () => {
    const { ann, bob, eve } = await roomWithEve()
    const removal = await change(ann, { remove: [eve.keys.binding] }, TRUST)
    const { states } = await openAll([bob], removal.mls)
    const [bobAfter] = states
    if (!bobAfter) throw new Error('no room')
    const { mls } = await seal(removal.state, utf8('without her'), AAD)
    await fails('stale_epoch', () => open(eve, mls, TRUST))
    const evil = await evilCommit(eve, [])
    await fails('stale_epoch', () => open(bobAfter, evil.mls, TRUST))
    const forgedEpoch = await seal(evil.state, utf8('as if I were in'), AAD)
    await fails('crypto_failed', () => open(bobAfter, forgedEpoch.mls, TRUST))
    assert.equal((await open(bobAfter, mls, TRUST)).opened.kind, 'message')
  })
})
