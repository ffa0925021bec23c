/** THREATS P1 and C.3: whatever comes as a message, a room answers with an error and goes on. */
import { type Bytes, concat, utf8 } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { change, joinExternal, seal } from '../../web/protocol/room.ts'
import { decodeKeyPackage, makeKeyPackages } from '../../web/protocol/room_keys.ts'
import { open } from '../../web/protocol/room_open.ts'
import type { RoomState } from '../../web/protocol/room_state.ts'
import { joinWelcome } from '../../web/protocol/room_welcome.ts'
import { full, type Random, seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'
import { adding, device, expected, NOW, OPEN, only, roomOf, TRUST } from './room_people.ts'

const AAD = new Uint8Array(56)
const OPENED = full ? 100_000 : 1_200
/** Longest time that anything may take, in ms; what is here takes a hundredth of it. */
const HANG = 1_000

/** Flips, cuts, doublings, foreign lengths: up to four of them. */
function mutate(random: Random, seeds: readonly Bytes[]): Bytes {
  let bytes: Bytes = random.pick(seeds).slice()
  for (let left = random.below(4); left >= 0; left--) {
    const at = random.below(bytes.length + 1)
    const kind = random.below(6)
    if (kind === 0) bytes = bytes.slice(0, at)
    else if (kind === 1) bytes = concat(bytes.subarray(0, at), random.bytes(random.below(40)))
    else if (kind === 2) bytes = concat(bytes, bytes.subarray(at))
    else if (kind === 3) bytes.set(random.bytes(Math.min(4, bytes.length - at)), at)
    else if (at < bytes.length) bytes[at] = kind === 4 ? 0xff : random.below(256)
  }
  return bytes
}

/** Resolves to what came out, or to the SottoError that was thrown; anything else fails the test. */
async function outcome<T>(work: () => T | Promise<T>): Promise<T | SottoError> {
  const start = performance.now()
  try {
    return await work()
  } catch (error) {
    assert.instanceOf(error, SottoError, String((error as Error).stack))
    return error as SottoError
  } finally {
    assert.isBelow(performance.now() - start, HANG)
  }
}

async function roomOfTwo(kind: 'open' | 'members'): Promise<[RoomState, RoomState]> {
  const policy = kind === 'open' ? OPEN : await only('ann', 'bob')
  const keys = [await device('ann'), await device('bob')]
  return (await roomOf(policy, keys)) as [RoomState, RoomState]
}

describe('a room that is sent rubbish', () => {
  it('answers every mutated message and commit with an error, and goes on', () =>
    seeded(async (random) => {
      const [ann, bob] = await roomOfTwo('open')
      const { groupInfo, mls: renewal } = await change(ann, {}, TRUST)
      const joining = await joinExternal(await device('cyd'), groupInfo, expected(OPEN), TRUST)
      const removal = await change(ann, { remove: [bob.keys.binding] }, TRUST)
      const message = await seal(ann, utf8('hello'), AAD)
      const seeds = [message.mls, message.mls, renewal, removal.mls, joining.mls]
      for (let i = 0; i < OPENED; i++) {
        const mls = mutate(random, seeds)
        const result = await outcome(() => open(bob, mls, TRUST))
        const isAsItWas = seeds.some((seed) => String(seed) === String(mls))
        if (!isAsItWas && !(result instanceof SottoError)) assert.equal(result.opened.kind, 'own')
      }
      assert.equal((await open(bob, message.mls, TRUST)).opened.kind, 'message')
    }))

  it('answers mutated key packages, GroupInfos and Welcomes with an error', () =>
    seeded(async (random) => {
      const [ann] = await roomOfTwo('members')
      const keys = await device('bob', 2)
      const pairs = await makeKeyPackages(keys, 1, NOW)
      const add = pairs.map((pair) => adding(keys, pair))
      const { welcome } = await change(ann, { add }, TRUST)
      const [lobby] = await roomOfTwo('open')
      const { groupInfo } = await change(lobby, {}, TRUST)
      const packages = pairs.map((pair) => pair.package)
      for (let i = 0; i < (full ? 100_000 : 1_500); i++)
        await outcome(() => decodeKeyPackage(mutate(random, packages)))
      for (let i = 0; i < (full ? 5_000 : 100); i++) {
        const [info, inside] = [mutate(random, [groupInfo]), mutate(random, [welcome ?? AAD])]
        await outcome(() => joinExternal(keys, info, expected(OPEN), TRUST))
        await outcome(() => joinWelcome(keys, inside, pairs, expected(ann.policy), TRUST))
      }
    }))

  it('answers bytes at random with an error', () =>
    seeded(async (random) => {
      const [, bob] = await roomOfTwo('open')
      for (let i = 0; i < OPENED; i++) {
        const bytes = random.bytes(random.below(300))
        const front = Uint8Array.of(0, 1, 0, 1 + random.below(5))
        const mls = random.below(2) === 0 ? bytes : concat(front, bytes)
        assert.instanceOf(await outcome(() => open(bob, mls, TRUST)), SottoError)
      }
    }))
})
