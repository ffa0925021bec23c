import { type Bytes, concat, u8, u16, u32, u64, utf8 } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { MAX_MLS, readMlsHeader } from '../../web/protocol/mls_header.ts'
import { seal } from '../../web/protocol/room.ts'
import { decodeView, encodeView, VIEW_LENGTH } from '../../web/protocol/view.ts'
import { full, seeded } from '../support/random.ts'
import { assert, describe, fails, it } from '../support/suite.ts'
import { device, group, OPEN, roomOf } from './room_people.ts'

const VIEW = encodeView({
  msgId: new Uint8Array(16).fill(1),
  seq: 77,
  chain: new Uint8Array(32).fill(2),
})

/** A vector of RFC 9420, 2.1.2. */
function vector(bytes: Uint8Array): Bytes {
  const { length } = bytes
  if (length < 64) return concat(u8(length), bytes)
  if (length < 2 ** 14) return concat(u16(length | 0x4000), bytes)
  return concat(u32((length | 0x8000_0000) >>> 0), bytes)
}

function privateMessage(contentType: number, aad: Uint8Array = VIEW, length = 100): Bytes {
  const front = concat(u16(1), u16(2), vector(group()), u64(5), u8(contentType), vector(aad))
  return concat(front, vector(new Uint8Array(28)), vector(new Uint8Array(length)))
}

describe('the header of a room message', () => {
  it('says group, epoch, kind and view of what a member sealed', async () => {
    const [ann] = await roomOf(OPEN, [await device('ann')])
    if (!ann) throw new Error('no room')
    const { mls } = await seal(ann, utf8('hello'), VIEW)
    assert.deepEqual(readMlsHeader(mls), {
      wireFormat: 'private',
      groupId: group(),
      epoch: 0,
      contentType: 'application',
      external: false,
      authenticatedData: VIEW,
    })
  })

  it('tells messages, proposals and commits apart', () => {
    const kinds = [1, 2, 3].map((type) => readMlsHeader(privateMessage(type)).contentType)
    assert.deepEqual(kinds, ['application', 'proposal', 'commit'])
    for (const type of [0, 4, 255])
      assert.throws(() => readMlsHeader(privateMessage(type)), SottoError)
  })

  it('tells who joins from outside from who is in', () => {
    const make = (...sender: number[]) =>
      concat(u16(1), u16(1), vector(group()), u64(9), new Uint8Array(sender), vector(VIEW), u8(3))
    assert.isTrue(readMlsHeader(make(4)).external)
    assert.isFalse(readMlsHeader(make(1, 0, 0, 0, 7)).external)
    assert.isFalse(readMlsHeader(make(3)).external)
    assert.throws(() => readMlsHeader(make(5)), SottoError)
  })

  it('is refused when it is cut anywhere, or goes on', async () => {
    const whole = privateMessage(1)
    for (let length = 0; length < whole.length; length++)
      await fails('decode_error', () => readMlsHeader(whole.subarray(0, length)))
    await fails('decode_error', () => readMlsHeader(concat(whole, u8(0))))
  })

  it('is refused with a length that is not in its shortest form', async () => {
    const long = concat(u16(1), u16(2), u16(20 | 0x4000), group(), privateMessage(1).slice(25))
    await fails('decode_error', () => readMlsHeader(long))
    const eight = concat(u16(1), u16(2), u8(0xc0), new Uint8Array(200))
    await fails('decode_error', () => readMlsHeader(eight))
  })

  it('is refused when the message is longer than rooms take', async () => {
    await fails('limit', () => readMlsHeader(new Uint8Array(MAX_MLS + 1)))
    assert.equal(readMlsHeader(privateMessage(1, VIEW, MAX_MLS - 200)).epoch, 5)
  })

  it('holds against bytes at random', () =>
    seeded((random) => {
      const whole = privateMessage(1)
      for (let i = 0; i < (full ? 1_000_000 : 20_000); i++) {
        const bytes = i % 4 === 0 ? random.bytes(random.below(200)) : whole.slice()
        for (let flips = random.below(4); flips >= 0 && bytes.length > 0; flips--)
          bytes[random.below(bytes.length)] = random.below(256)
        try {
          const { groupId, authenticatedData } = readMlsHeader(bytes)
          assert.isAtMost(groupId.length + authenticatedData.length, bytes.length)
        } catch (error) {
          assert.instanceOf(error, SottoError)
        }
      }
    }))
})

describe('the view of a message', () => {
  it('has 56 bytes: id, sequence number, chain', () => {
    assert.equal(VIEW.length, VIEW_LENGTH)
    const { msgId, seq, chain } = decodeView(VIEW)
    assert.deepEqual(encodeView({ msgId, seq, chain }), VIEW)
    assert.equal(seq, 77)
    assert.throws(() => encodeView({ msgId, seq, chain: msgId }), RangeError)
  })

  it('is refused at any other length and past 2^53', () =>
    seeded(async (random) => {
      for (const length of [0, 1, 55, 57, 112])
        await fails('decode_error', () => decodeView(random.bytes(length)))
      const far = VIEW.slice()
      far[16] = 0xff
      await fails('decode_error', () => decodeView(far))
      for (let i = 0; i < (full ? 1_000_000 : 5_000); i++) {
        const bytes = random.bytes(VIEW_LENGTH)
        try {
          assert.deepEqual(encodeView(decodeView(bytes)), bytes)
        } catch (error) {
          assert.instanceOf(error, SottoError)
        }
      }
    }))
})
