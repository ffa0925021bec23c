import { utf8 } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { change, seal } from '../../web/protocol/room.ts'
import { decodeDeviceKeys, encodeDeviceKeys, renewalDue } from '../../web/protocol/room_keys.ts'
import { open } from '../../web/protocol/room_open.ts'
import {
  decodeRoom,
  encodeRoom,
  epoch,
  groupId,
  isRemoved,
  members,
  type RoomState,
} from '../../web/protocol/room_state.ts'
import { full, seeded } from '../support/random.ts'
import { assert, describe, fails, it } from '../support/suite.ts'
import { DAY, device, group, NOW, OPEN, roomOf, TRUST, theSuite } from './room_people.ts'

const AAD = new Uint8Array(56)

async function twoIn(): Promise<[RoomState, RoomState]> {
  const keys = [await device('ann'), await device('bob')]
  return (await roomOf(OPEN, keys)) as [RoomState, RoomState]
}

describe('the stored state of a room', () => {
  it('goes on exactly where it was, past epochs included', async () => {
    let [ann, bob] = await twoIn()
    const early = await seal(bob, utf8('from before'), AAD)
    for (let i = 0; i < 3; i++) {
      const { mls, state } = await change(ann, {}, TRUST)
      ann = await decodeRoom(ann.keys, encodeRoom(state))
      bob = await decodeRoom(bob.keys, encodeRoom((await open(bob, mls, TRUST)).state))
    }
    assert.equal((await open(ann, early.mls, TRUST)).opened.kind, 'message')
    const late = await seal(bob, utf8('from now'), AAD)
    const opened = await open(ann, late.mls, TRUST)
    assert.equal(opened.opened.kind, 'message')
    assert.deepEqual(encodeRoom(await decodeRoom(ann.keys, encodeRoom(ann))), encodeRoom(ann))
    assert.deepEqual(members(ann), members(bob))
    assert.equal(epoch(ann), 4)
    assert.deepEqual(groupId(ann), group())
  })

  it('never has the same message key twice, and tells one message from its repetition', async () => {
    const [ann, bob] = await twoIn()
    const first = await seal(ann, utf8('one'), AAD)
    const second = await seal(await decodeRoom(ann.keys, encodeRoom(first.state)), utf8('two'), AAD)
    const done = await open(bob, first.mls, TRUST)
    const restored = await decodeRoom(bob.keys, encodeRoom(done.state))
    await fails('crypto_failed', () => open(restored, first.mls, TRUST))
    assert.equal((await open(restored, second.mls, TRUST)).opened.kind, 'message')
  })

  it('remembers that the device is out', async () => {
    const [ann, bob] = await twoIn()
    const pending = await change(ann, { remove: [bob.keys.binding] }, TRUST)
    const { state } = await open(bob, pending.mls, TRUST)
    assert.isTrue(isRemoved(await decodeRoom(bob.keys, encodeRoom(state))))
  })

  it('holds no key of the device, and each node of all its trees once', async () => {
    let [ann] = await twoIn()
    const before = encodeRoom(ann).length
    for (let i = 0; i < 4; i++) ann = (await change(ann, {}, TRUST)).state
    const bytes = encodeRoom(ann)
    assert.isBelow(bytes.length, before * 4)
    const text = (part: Uint8Array) => part.join()
    assert.notInclude(text(bytes), text(ann.keys.signKey.slice(16)))
  })

  it('is refused when anything of it is missing or damaged', () =>
    seeded(async (random) => {
      const [ann] = await twoIn()
      const bytes = encodeRoom(ann)
      for (let i = 0; i < (full ? 2000 : 60); i++) {
        const cut = bytes.slice(0, random.below(bytes.length))
        await fails('decode_error', () => decodeRoom(ann.keys, cut))
      }
      for (let i = 0; i < (full ? 2000 : 60); i++) {
        const bad = bytes.slice()
        bad[random.below(bad.length)] = random.below(256)
        try {
          await decodeRoom(ann.keys, bad)
        } catch (error) {
          assert.instanceOf(error, SottoError)
        }
      }
    }))
})

describe('the keys of a device', () => {
  it('come back from the store as they were', async () => {
    const keys = await device('ann')
    const stored = encodeDeviceKeys(keys)
    const again = await decodeDeviceKeys(await theSuite(), stored)
    assert.deepEqual(again.binding, keys.binding)
    assert.deepEqual(again.signKey, keys.signKey)
    for (const length of [0, 10, stored.length - 1])
      await fails('decode_error', () => decodeDeviceKeys(keys.suite, stored.slice(0, length)))
  })

  it('are due for renewal 60 days before their binding ends', async () => {
    const keys = await device('ann')
    assert.isFalse(renewalDue(keys, NOW + 339 * DAY))
    assert.isTrue(renewalDue(keys, NOW + 341 * DAY))
  })
})
