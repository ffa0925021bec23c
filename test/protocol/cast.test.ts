import { concat, equal, hex, utf8 } from '../../web/protocol/bytes.ts'
import {
  CAST_MLS_MOST,
  type CastEntry,
  CastOpener,
  CastSealer,
  chain,
  firstChain,
} from '../../web/protocol/cast.ts'
import { webPrimitives as p } from '../../web/protocol/web_primitives.ts'
import { NonceLog, recordNonces } from '../support/nonce_recorder.ts'
import { seeded } from '../support/random.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

const ROOM = new Uint8Array(16).fill(1)
const OTHER_ROOM = new Uint8Array(16).fill(2)
const CS = new Uint8Array(32).fill(3)

async function endpoint(secret = CS) {
  const logKey = await p.ed25519()
  const opener = (room = ROOM) => CastOpener.make(p, secret, logKey.publicKey, room)
  return { logKey, sealer: new CastSealer(p, secret, logKey), opener }
}

function entry(seq: number, change: Partial<CastEntry> = {}): CastEntry {
  return {
    room: ROOM,
    seq,
    chain: new Uint8Array(32).fill(seq),
    mls: utf8(`mls ${seq}`),
    ...change,
  }
}

describe('a cast', () => {
  it('reaches every subscriber as it was sealed once', async () => {
    const { sealer, opener } = await endpoint()
    const frame = await sealer.seal(entry(9))
    for (const subscriber of [await opener(), await opener()]) {
      assert.isTrue(subscriber.owns(frame))
      assert.deepEqual(await subscriber.open(frame), entry(9))
    }
    assert.isTrue(equal(frame.slice(0, 16), await sealer.kid()))
  })

  it('is told from a record by its kid', async () => {
    const { sealer, opener } = await endpoint()
    const other = await endpoint(new Uint8Array(32).fill(4))
    const subscriber = await opener()
    assert.isFalse(subscriber.owns(await other.sealer.seal(entry(1))))
    assert.isFalse(subscriber.owns(new Uint8Array(3)))
    assert.isTrue(subscriber.owns(await sealer.seal(entry(1))))
  })

  it('that is repeated or overtaken is dropped, and a gap is left to be fetched', async () => {
    const { sealer, opener } = await endpoint()
    const subscriber = await opener()
    const frames = await Promise.all([1, 2, 3, 4].map((seq) => sealer.seal(entry(seq))))
    const open = async (index: number) => (await subscriber.open(frames[index] ?? CS))?.seq
    assert.equal(await open(0), 1)
    assert.isUndefined(await open(0))
    assert.equal(await open(2), 3)
    assert.isUndefined(await open(1))
    assert.equal(await open(3), 4)
  })

  it('by a subscriber who holds the cast secret, without the log key, is refused', async () => {
    const { opener } = await endpoint()
    const forger = await endpoint()
    const subscriber = await opener()
    const forged = await forger.sealer.seal(entry(5))
    assert.isTrue(subscriber.owns(forged))
    await fails('crypto_failed', () => subscriber.open(forged))
  })

  it('of one room is nothing in another, even under the same secret', async () => {
    const { sealer, opener } = await endpoint()
    const elsewhere = await opener(OTHER_ROOM)
    const frame = await sealer.seal(entry(1))
    await fails('crypto_failed', () => elsewhere.open(frame))
  })

  it('with any bit flipped is refused', () =>
    seeded(async (random) => {
      const { sealer, opener } = await endpoint()
      const frame = await sealer.seal(entry(1))
      for (let i = 0; i < 200; i++) {
        const bit = 16 * 8 + random.below((frame.length - 16) * 8)
        const changed = new Uint8Array(frame)
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const subscriber = await opener()
        await fails('crypto_failed', () => subscriber.open(changed))
      }
    }))

  it('cut short at any byte is refused', async () => {
    const { sealer, opener } = await endpoint()
    const frame = await sealer.seal(entry(1))
    const subscriber = await opener()
    for (let end = 16; end < frame.length; end += 7)
      await fails('crypto_failed', () => subscriber.open(frame.slice(0, end)))
    await fails('crypto_failed', () => subscriber.open(concat(frame, CS)))
    assert.equal((await subscriber.open(frame))?.seq, 1)
  })

  it('under an old secret is nothing to who was told the new one', async () => {
    const old = await endpoint()
    const subscriber = await (await endpoint(new Uint8Array(32).fill(9))).opener()
    assert.isFalse(subscriber.owns(await old.sealer.seal(entry(1))))
  })

  it('takes as much as a frame holds and no more', async () => {
    const { sealer, opener } = await endpoint()
    const frame = await sealer.seal(entry(1, { mls: new Uint8Array(CAST_MLS_MOST) }))
    assert.equal(frame.length, 65_556)
    assert.equal((await (await opener()).open(frame))?.mls.length, CAST_MLS_MOST)
    const long = entry(2, { mls: new Uint8Array(CAST_MLS_MOST + 1) })
    await fails('limit', () => sealer.seal(long))
  })

  it('sealed beside others at once has a nonce of its own', async () => {
    const log = new NonceLog()
    const sealer = new CastSealer(recordNonces(p, log), CS, await p.ed25519())
    await Promise.all(Array.from({ length: 50 }, (_, seq) => sealer.seal(entry(seq))))
    assert.isUndefined(log.reused)
    assert.equal(log.count, 50)
  })
})

describe('the chain of a log', () => {
  it('changes with every entry, place and room', async () => {
    const start = await firstChain(p, ROOM)
    const links = [
      start,
      await firstChain(p, OTHER_ROOM),
      await chain(p, start, 1, utf8('a')),
      await chain(p, start, 2, utf8('a')),
      await chain(p, start, 1, utf8('b')),
      await chain(p, await chain(p, start, 1, utf8('a')), 2, utf8('b')),
      await chain(p, await chain(p, start, 1, utf8('b')), 2, utf8('a')),
    ]
    assert.equal(new Set(links.map(hex)).size, links.length)
  })
})
