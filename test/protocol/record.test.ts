import { concat, hex, u8, u24 } from '../../web/protocol/bytes.ts'
import { Z } from '../../web/protocol/key_schedule.ts'
import {
  bucket,
  CONTENT,
  decodeInner,
  encodeInner,
  INNER_MOST,
  PAYLOAD_MOST,
  RecordOpener,
  RecordSealer,
} from '../../web/protocol/record.ts'
import { webPrimitives as p } from '../../web/protocol/web_primitives.ts'
import { full, seeded } from '../support/random.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

async function pair() {
  const secret = await p.hmacKey(new Uint8Array(32).fill(3))
  return { sealer: new RecordSealer(p, secret), opener: new RecordOpener(p, secret) }
}

const app = (length: number) =>
  ({ content: 'app', payload: new Uint8Array(length).fill(7) }) as const

describe('a record', () => {
  it('has one of 76 sizes, whatever is in it', () => {
    const sizes = new Set<number>()
    for (let length = 0; length <= PAYLOAD_MOST; length += 13) sizes.add(bucket(length))
    assert.equal(sizes.size, 16 + 60)
    assert.equal(bucket(0), 256)
    assert.equal(bucket(254), 256)
    assert.equal(bucket(255), 512)
    assert.equal(bucket(4094), 4096)
    assert.equal(bucket(4095), 5120)
    assert.equal(bucket(PAYLOAD_MOST), INNER_MOST)
  })

  it('comes out as it went in, at every edge of a bucket', async () => {
    const { sealer, opener } = await pair()
    for (const length of [0, 1, 253, 254, 255, 4093, 4094, 4095, 5118, 5119, PAYLOAD_MOST]) {
      const frame = await sealer.seal(app(length))
      assert.equal(frame.length, 4 + bucket(length) + 16)
      assert.equal(hex(frame.slice(0, 4)), hex(concat(u8(0x17), u24(frame.length - 4))))
      const inner = await opener.open(frame)
      assert.equal(inner.content, 'app')
      assert.equal(inner.payload.length, length)
    }
  })

  it('cannot be longer than 64 KiB', async () => {
    const { sealer } = await pair()
    assert.throws(() => sealer.seal(app(PAYLOAD_MOST + 1)), RangeError)
    assert.equal(sealer.seq, 0)
  })

  it('keeps its payload’s own zeros and 0x80s', () => {
    const payload = Uint8Array.of(0x80, 0, 0x80, 0, 0)
    assert.deepEqual(decodeInner(encodeInner({ content: 'app', payload })).payload, payload)
  })

  it('is refused with padding in another way, or with an unknown content', () => {
    const good = encodeInner(app(10))
    const wrong = [
      good.slice(0, 255),
      concat(good, new Uint8Array(256)),
      new Uint8Array(256),
      new Uint8Array(0),
      concat(u8(0x80), new Uint8Array(255)),
      concat(u8(0), good.slice(1)),
      concat(u8(7), good.slice(1)),
      concat(good.slice(0, 255), u8(1)),
    ]
    for (const inner of wrong) assert.throws(() => decodeInner(inner))
  })

  it('seals two at once under two numbers, and gives them in order', async () => {
    const { sealer, opener } = await pair()
    const frames: string[] = []
    const both = [app(60_000), app(1)].map(async (inner) => {
      const frame = await sealer.seal(inner)
      frames.push(hex(frame.slice(0, 4)))
      return frame
    })
    assert.equal(sealer.seq, 2)
    const [first, second] = await Promise.all(both)
    assert.deepEqual(
      frames,
      [first, second].map((frame) => hex(frame?.slice(0, 4) ?? Z)),
    )
    const opened = [first, second].map((frame) => opener.open(frame ?? Z))
    assert.deepEqual(
      (await Promise.all(opened)).map(({ payload }) => payload.length),
      [60_000, 1],
    )
  })

  it('opens under the next key after an update, with numbers from 0', async () => {
    const { sealer, opener } = await pair()
    const before = sealer.seal(app(1))
    sealer.update()
    assert.equal(sealer.seq, 0)
    const after = await sealer.seal(app(2))
    await opener.open(await before)
    opener.update()
    assert.equal((await opener.open(after)).payload.length, 2)
  })

  it('opens at its own place only: not twice, not early, not without its header', async () => {
    const { sealer } = await pair()
    const frames = [await sealer.seal(app(1)), await sealer.seal(app(2))]
    const [first, second] = frames as [(typeof frames)[0], (typeof frames)[0]]
    const again = (await pair()).opener
    await again.open(first)
    await fails('bad_record', () => again.open(first))
    await fails('bad_record', async () => (await pair()).opener.open(second))
    for (const frame of [first.slice(0, 3), first.slice(1), concat(first, u8(0)), first.slice(4)])
      await fails('bad_record', async () => (await pair()).opener.open(frame))
  })

  it('of any bytes at all is refused by name, and never crashes the opener', () =>
    seeded(async (random) => {
      for (let i = 0; i < (full ? 1_000_000 : 2000); i++) {
        const { opener } = await pair()
        const length = random.below(3) === 0 ? 272 : random.below(600)
        const frame = random.bytes(4 + length)
        if (random.below(2) === 0) frame.set(concat(u8(0x17), u24(length)))
        await fails('bad_record', () => opener.open(frame))
      }
    }))

  it('of any plaintext at all is read in one way or refused by name', () =>
    seeded(async (random) => {
      for (let i = 0; i < (full ? 1_000_000 : 5000); i++) {
        const inner = random.bytes(random.pick([0, 1, 2, 255, 256, 512, 5120, 5121]))
        if (random.below(2) === 0) inner.fill(0, random.below(inner.length + 1))
        if (random.below(2) === 0 && inner.length > 0) inner[0] = 1 + random.below(6)
        if (random.below(2) === 0) inner[random.below(inner.length)] = 0x80
        try {
          const read = decodeInner(inner)
          assert.equal(hex(encodeInner(read)), hex(inner))
          assert.include(Object.keys(CONTENT), read.content)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'decode_error')
        }
      }
    }))
})
