import { type Bytes, fromUtf8, hex, utf8 } from '../../web/protocol/bytes.ts'
import { KEPT_EPOCHS } from '../../web/protocol/mls_header.ts'
import { change, joinExternal, padTo, seal } from '../../web/protocol/room.ts'
import { makeKeyPackages } from '../../web/protocol/room_keys.ts'
import { type Opened, open } from '../../web/protocol/room_open.ts'
import { epoch, isRemoved, members, type RoomState } from '../../web/protocol/room_state.ts'
import { joinWelcome } from '../../web/protocol/room_welcome.ts'
import { random, seeded } from '../support/random.ts'
import { assert, describe, fails, it } from '../support/suite.ts'
import {
  adding,
  DAY,
  device,
  deviceId,
  expected,
  NOW,
  OPEN,
  only,
  openAll,
  roomOf,
  TRUST,
  welcomed,
} from './room_people.ts'

const AAD = utf8('the view of the sender')

async function threeIn(kind: 'open' | 'members'): Promise<[RoomState, RoomState, RoomState]> {
  const policy = kind === 'open' ? OPEN : await only('ann', 'bob', 'cyd')
  const keys = ['ann', 'bob', 'cyd'].map((name) => device(name))
  return (await roomOf(policy, await Promise.all(keys))) as [RoomState, RoomState, RoomState]
}

function names(state: RoomState): string[] {
  return members(state).map(({ user }) => user)
}

/** The opened thing, which must be of this kind. */
function expectKind<K extends Opened['kind']>(opened: Opened, kind: K): Opened & { kind: K } {
  assert.equal(opened.kind, kind)
  return opened as Opened & { kind: K }
}

for (const kind of ['open', 'members'] as const)
  describe(`people in a room of kind ${kind}`, () => {
    it('all see the same devices in the same epoch', async () => {
      const states = await threeIn(kind)
      assert.deepEqual(states.map(epoch), [2, 2, 2])
      for (const state of states) assert.deepEqual(names(state), ['ann', 'bob', 'cyd'])
      const secrets = states.map(({ group }) => hex(group.keySchedule.epochAuthenticator as Bytes))
      assert.equal(new Set(secrets).size, 1)
    })

    it('read each other, and see who wrote', async () => {
      const states = await threeIn(kind)
      for (const [i, from] of states.entries()) {
        const { mls, state } = await seal(from, utf8(`from ${i}`), AAD)
        states[i] = state
        for (const [j, to] of states.entries()) {
          if (i === j) continue
          const done = await open(to, mls, TRUST)
          const message = expectKind(done.opened, 'message')
          assert.equal(fromUtf8(message.body), `from ${i}`)
          assert.equal(message.sender.user, ['ann', 'bob', 'cyd'][i])
          assert.deepEqual(message.aad, AAD)
          states[j] = done.state
        }
      }
    })

    it('know their own message when it comes back, but can’t open it', async () => {
      const [ann] = await threeIn(kind)
      const { mls, state } = await seal(ann, utf8('hello'), AAD)
      expectKind((await open(state, mls, TRUST)).opened, 'own')
    })

    it('go on with new keys when one of them renews', async () => {
      const [ann, bob, cyd] = await threeIn(kind)
      const pending = await change(ann, {}, TRUST, AAD)
      const others = await openAll([bob, cyd], pending.mls)
      for (const opened of others.opened) {
        const commit = expectKind(opened, 'commit')
        assert.equal(commit.committer.user, 'ann')
        assert.deepEqual([commit.added, commit.removed, commit.epoch], [[], [], 3])
        assert.deepEqual(commit.aad, AAD)
      }
      const { mls } = await seal(pending.state, utf8('new keys'), AAD)
      for (const state of others.states)
        expectKind((await open(state, mls, TRUST)).opened, 'message')
    })

    it('can all still be read in the state from before an operation', async () => {
      const [ann, bob] = await threeIn(kind)
      const first = await seal(ann, utf8('one'), AAD)
      await change(bob, {}, TRUST)
      await open(bob, first.mls, TRUST)
      const again = await open(bob, first.mls, TRUST)
      assert.equal(fromUtf8(expectKind(again.opened, 'message').body), 'one')
    })
  })

describe('two who change a room at once', () => {
  it('agree on the winner, and the other makes the change again', async () => {
    const [ann, bob, cyd] = await threeIn('members')
    const dan = await device('cyd', 2)
    const packages = await makeKeyPackages(dan, 2, NOW)
    const [first, second] = packages.map((pair) => adding(dan, pair))
    if (!first || !second) throw new Error('no packages')
    const wins = await change(ann, { remove: [{ user: 'cyd', device: deviceId(1) }] }, TRUST)
    const loses = await change(bob, { add: [first] }, TRUST)
    assert.equal(wins.epoch, loses.epoch)
    const after = await open(bob, wins.mls, TRUST)
    await fails('stale_epoch', () => open(after.state, loses.mls, TRUST))
    await fails('stale_epoch', () => open(wins.state, loses.mls, TRUST))
    const again = await change(after.state, { add: [second] }, TRUST)
    const annAfter = await open(wins.state, again.mls, TRUST)
    const welcome = again.welcome ?? new Uint8Array(0)
    const joined = await joinWelcome(dan, welcome, packages, expected(ann.policy), TRUST)
    for (const state of [again.state, annAfter.state, joined.state])
      assert.deepEqual(names(state).sort(), ['ann', 'bob', 'cyd'])
    expectKind((await open(cyd, wins.mls, TRUST)).opened, 'removed')
  })

  it('both come in when they join an open room at the same time, one after the other', async () => {
    const [ann] = await roomOf(OPEN, [await device('ann')])
    if (!ann) throw new Error('no room')
    const { groupInfo } = await change(ann, {}, TRUST)
    const [bob, cyd] = [await device('bob'), await device('cyd')]
    const now = (await change(ann, {}, TRUST)).state
    assert.equal(epoch(now), 1)
    const renewed = await change(ann, {}, TRUST)
    const wins = await joinExternal(bob, renewed.groupInfo, expected(OPEN), TRUST)
    const loses = await joinExternal(cyd, renewed.groupInfo, expected(OPEN), TRUST)
    const annAfter = await open(renewed.state, wins.mls, TRUST)
    await fails('stale_epoch', () => open(annAfter.state, loses.mls, TRUST))
    const again = await joinExternal(cyd, wins.groupInfo, expected(OPEN), TRUST)
    const both = await openAll([annAfter.state, wins.state], again.mls)
    for (const state of [...both.states, again.state])
      assert.deepEqual(names(state), ['ann', 'bob', 'cyd'])
    assert.isAbove(groupInfo.length, 0)
  })
})

describe('devices that leave a room', () => {
  it('are told, and open nothing that is sealed later', async () => {
    const [ann, bob, cyd] = await threeIn('members')
    const pending = await change(ann, { remove: [{ user: 'cyd', device: deviceId(1) }] }, TRUST)
    assert.deepEqual(
      pending.removed.map(({ user }) => user),
      ['cyd'],
    )
    const out = await open(cyd, pending.mls, TRUST)
    assert.equal(expectKind(out.opened, 'removed').committer.user, 'ann')
    assert.isTrue(isRemoved(out.state))
    const { mls } = await seal(pending.state, utf8('she is gone'), AAD)
    await fails('refused', () => open(out.state, mls, TRUST))
    await fails('refused', () => seal(out.state, utf8('I am not'), AAD))
    await fails('stale_epoch', () => open(cyd, mls, TRUST))
    const bobAfter = await open(bob, pending.mls, TRUST)
    expectKind((await open(bobAfter.state, mls, TRUST)).opened, 'message')
    const old = await seal(cyd, utf8('from the old epoch'), AAD)
    expectKind((await open(bobAfter.state, old.mls, TRUST)).opened, 'message')
  })

  it('go in any number in one commit, with those that are not there passed over', async () => {
    const keys = await Promise.all(Array.from({ length: 12 }, (_, i) => device('ann', i)))
    const states = await roomOf(OPEN, keys)
    const gone = keys.slice(3, 9).map(({ binding }) => binding)
    const strangers = [{ user: 'nobody', device: deviceId(3) }]
    const [first, ...others] = states as [RoomState, ...RoomState[]]
    const pending = await change(first, { remove: [...gone, ...strangers] }, TRUST)
    assert.lengthOf(pending.removed, 6)
    const { opened } = await openAll(others, pending.mls)
    const kinds = opened.map((one) => one.kind)
    assert.deepEqual(kinds, [
      ...Array(2).fill('commit'),
      ...Array(6).fill('removed'),
      ...Array(3).fill('commit'),
    ])
  })

  it('can be the very place that another takes in the same commit', async () => {
    const [ann, bob, cyd] = await threeIn('members')
    const keys = await device('cyd', 2)
    const [pair] = await makeKeyPackages(keys, 1, NOW)
    if (!pair) throw new Error('no package')
    const remove = [{ user: 'cyd', device: deviceId(1) }]
    const pending = await change(ann, { add: [adding(keys, pair)], remove }, TRUST)
    expectKind((await open(cyd, pending.mls, TRUST)).opened, 'removed')
    const commit = expectKind((await open(bob, pending.mls, TRUST)).opened, 'commit')
    assert.deepEqual([...(commit.added[0]?.device ?? [])], [...deviceId(2)])
    assert.deepEqual([...(commit.removed[0]?.device ?? [])], [...deviceId(1)])
  })

  it('are removed along with the next change when their time is over', async () => {
    const keys = [await device('ann'), await device('bob', 1, { now: NOW - 200 * DAY })]
    const [ann] = await roomOf(await only('ann', 'bob'), keys)
    if (!ann) throw new Error('no room')
    assert.deepEqual(names((await change(ann, {}, TRUST)).state), ['ann', 'bob'])
    const later = { now: NOW + 201 * DAY, verify: TRUST.verify }
    const after = await change(ann, {}, later)
    assert.deepEqual(names(after.state), ['ann'])
    assert.lengthOf(after.removed, 1)
  })

  it('come back by a new key package, in one commit or two', async () => {
    const [ann, bob] = await roomOf(await only('ann', 'bob'), [
      await device('ann'),
      await device('bob'),
    ])
    if (!ann || !bob) throw new Error('no room')
    const sameKeys = await makeKeyPackages(bob.keys, 1, NOW)
    const first = await change(ann, { add: sameKeys.map((p) => adding(bob.keys, p)) }, TRUST)
    assert.deepEqual([first.added.length, first.removed.length], [0, 1])
    const second = await change(
      first.state,
      { add: sameKeys.map((p) => adding(bob.keys, p)) },
      TRUST,
    )
    assert.deepEqual([second.added.length, second.removed.length], [1, 0])
    const newKeys = await device('bob')
    const pairs = await makeKeyPackages(newKeys, 1, NOW)
    const third = await change(second.state, { add: pairs.map((p) => adding(newKeys, p)) }, TRUST)
    assert.deepEqual([third.added.length, third.removed.length], [1, 1])
    const welcome = third.welcome ?? new Uint8Array(0)
    await joinWelcome(newKeys, welcome, pairs, expected(ann.policy), TRUST)
  })

  it('take their own old place when they join an open room again', async () => {
    const [ann, bob, cyd] = await threeIn('open')
    const { groupInfo, state, mls } = await change(ann, {}, TRUST)
    const again = await joinExternal(bob.keys, groupInfo, expected(OPEN), TRUST)
    assert.lengthOf(again.removed, 1)
    const cydAfter = await open((await open(cyd, mls, TRUST)).state, again.mls, TRUST)
    const commit = expectKind(cydAfter.opened, 'commit')
    assert.deepEqual([commit.added.length, commit.removed.length], [1, 1])
    assert.deepEqual(names((await open(state, again.mls, TRUST)).state), ['ann', 'bob', 'cyd'])
    const bobBefore = (await open(bob, mls, TRUST)).state
    expectKind((await open(bobBefore, again.mls, TRUST)).opened, 'removed')
  })
})

describe('messages from before a change', () => {
  it(`are opened up to ${KEPT_EPOCHS} epochs back`, async () => {
    const [ann, bob] = await threeIn('open')
    const sealed: Bytes[] = []
    let [from, to, writer] = [ann, bob, bob]
    for (let i = 0; i <= KEPT_EPOCHS; i++) {
      const one = await seal(writer, utf8(`epoch ${i}`), AAD)
      sealed.push(one.mls)
      const { mls, state } = await change(from, {}, TRUST)
      const next = await open(to, mls, TRUST)
      from = state
      to = next.state
      writer = next.state
    }
    const [tooOld, ...kept] = sealed as [Bytes, ...Bytes[]]
    await fails('stale_epoch', () => open(from, tooOld, TRUST))
    for (const mls of kept) {
      const message = expectKind((await open(from, mls, TRUST)).opened, 'message')
      assert.equal(message.sender.user, 'bob')
    }
  })

  it('are still known as those of a device that is gone', async () => {
    const [ann, bob, cyd] = await threeIn('open')
    const { mls } = await seal(cyd, utf8('last words'), AAD)
    const pending = await change(ann, { remove: [{ user: 'cyd', device: deviceId(1) }] }, TRUST)
    const after = await open(bob, pending.mls, TRUST)
    const message = expectKind((await open(after.state, mls, TRUST)).opened, 'message')
    assert.equal(message.sender.user, 'cyd')
  })
})

describe('the length of a sealed message', () => {
  it('is the same for all bodies of one step', async () => {
    const [ann] = await threeIn('open')
    const length = async (body: number) => (await seal(ann, new Uint8Array(body), AAD)).mls.length
    assert.equal(await length(0), await length(186))
    assert.isAbove(await length(187), await length(186))
    assert.equal((await length(187)) - (await length(186)), 256)
    assert.equal(await length(5000), await length(5050))
  })

  it('goes in steps of 256 bytes, past 4 KiB of 1,024', () => {
    assert.deepEqual(
      [1, 256, 257, 4096, 4097, 5120, 5121].map(padTo),
      [256, 256, 512, 4096, 5120, 5120, 6144],
    )
  })
})

describe('a room where anything is changed by anyone', () => {
  it('keeps all its members together', () =>
    seeded(async ({ seed }) => {
      const chance = random(seed)
      const policy = await only('ann', 'bob')
      const pool = await Promise.all(
        Array.from({ length: 9 }, (_, i) => device(i % 2 ? 'bob' : 'ann', i)),
      )
      const inside = new Map<number, RoomState>()
      const [first] = await roomOf(policy, pool.slice(0, 1))
      if (first) inside.set(0, first)
      for (let step = 0; step < 25; step++) {
        const ids = [...inside.keys()]
        const who = chance.pick(ids)
        const outside = pool.map((_, i) => i).filter((i) => !inside.has(i))
        const add = chance.below(4) === 0 ? [] : outside.slice(0, chance.below(3))
        const others = ids.filter((i) => i !== who)
        const remove = others.length > 0 && chance.below(2) === 0 ? [chance.pick(others)] : []
        await anyChange(pool, inside, who, add, remove)
      }
      const states = [...inside.values()]
      const secrets = states.map(({ group }) => hex(group.keySchedule.epochAuthenticator as Bytes))
      assert.equal(new Set(secrets).size, 1)
    }))
})

async function anyChange(
  pool: readonly Awaited<ReturnType<typeof device>>[],
  inside: Map<number, RoomState>,
  who: number,
  add: readonly number[],
  remove: readonly number[],
): Promise<void> {
  const at = (i: number) => inside.get(i) as RoomState
  const keysOf = (i: number) => pool[i] as (typeof pool)[number]
  const pairs = await Promise.all(
    add.map(async (i) => ({ i, packages: await makeKeyPackages(keysOf(i), 1, NOW) })),
  )
  const pending = await change(
    at(who),
    {
      add: pairs.flatMap(({ i, packages }) => packages.map((pair) => adding(keysOf(i), pair))),
      remove: remove.map((i) => keysOf(i).binding),
    },
    TRUST,
  )
  for (const i of [...inside.keys()]) {
    if (i === who) continue
    const { state, opened } = await open(at(i), pending.mls, TRUST)
    assert.equal(opened.kind, remove.includes(i) ? 'removed' : 'commit')
    inside.set(i, state)
  }
  inside.set(who, pending.state)
  for (const i of remove) inside.delete(i)
  const welcome = pending.welcome ?? new Uint8Array(0)
  for (const { i, packages } of pairs) {
    const expect = expected(pending.state.policy)
    inside.set(i, (await joinWelcome(keysOf(i), welcome, packages, expect, TRUST)).state)
  }
}

describe('a Welcome', () => {
  it('says which key package it used up', async () => {
    const [ann] = await roomOf(await only('ann', 'bob'), [await device('ann')])
    const keys = await device('bob')
    if (!ann) throw new Error('no room')
    const pairs = await makeKeyPackages(keys, 3, NOW)
    const add = pairs.slice(1, 2).map((pair) => adding(keys, pair))
    const { welcome } = await change(ann, { add }, TRUST)
    const expect = expected(ann.policy)
    const { used } = await joinWelcome(keys, welcome ?? new Uint8Array(0), pairs, expect, TRUST)
    assert.equal(used, pairs[1])
  })

  it('brings in the device that then reads and writes', async () => {
    const [ann] = await roomOf(await only('ann', 'bob'), [await device('ann')])
    if (!ann) throw new Error('no room')
    const { pending, state } = await welcomed(ann, await device('bob'))
    const { mls } = await seal(state, utf8('I am here'), AAD)
    expectKind((await open(pending.state, mls, TRUST)).opened, 'message')
  })
})
