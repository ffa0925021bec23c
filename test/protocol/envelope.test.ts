import { type Bytes, concat, fromUtf8, utf8 } from '../../web/protocol/bytes.ts'
import {
  CLOSE_CODES,
  decodeClose,
  decodeTopic,
  encodeClose,
  encodeTcpFrame,
  encodeTopic,
  MAX_CLOSE_TEXT,
  MAX_FRAME,
  MAX_TRUNK,
  TcpFrameReader,
  TRUNK,
  type TrunkMessage,
  type TrunkOp,
  TrunkReader,
} from '../../web/protocol/envelope.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { full, type Random, seeded } from '../support/random.ts'
import { assert, describe, fails, it } from '../support/suite.ts'
import { trunkMessage } from '../support/trunk_message.ts'

const OPS = Object.values(TRUNK)
const BODY: Record<TrunkOp, (random: Random) => number> = {
  [TRUNK.open]: () => 16,
  [TRUNK.data]: (random) => random.below(random.below(20) === 0 ? MAX_FRAME + 1 : 300),
  [TRUNK.close]: (random) => 2 + random.below(MAX_CLOSE_TEXT + 1),
  [TRUNK.subscribe]: () => 4,
  [TRUNK.unsubscribe]: () => 4,
  [TRUNK.cast]: (random) => 1 + random.below(random.below(20) === 0 ? MAX_FRAME : 300),
}

/** The bytes in pieces of every size from one byte on. */
function* chunks(bytes: Bytes, random: Random): Generator<Bytes> {
  for (let at = 0; at < bytes.length; ) {
    const most = random.pick([1, 5, 9, 100, 1500, 70_000])
    const end = at + 1 + random.below(most)
    yield bytes.slice(at, end)
    at = end
  }
}

function same(got: TrunkMessage, sent: TrunkMessage): void {
  assert.equal(got.op, sent.op)
  assert.equal(got.id, sent.id)
  assert.deepEqual(got.body, sent.body)
}

function lengthOf(length: number, ...rest: number[]): Bytes {
  return concat(encodeTopic(length), Uint8Array.from(rest))
}

describe('the envelope', () => {
  it('gives back every trunk message and TCP frame, however the stream is cut', () =>
    seeded((random) => {
      for (let run = 0; run < (full ? 2000 : 40); run++) {
        const sent = Array.from({ length: 30 }, (): TrunkMessage => {
          const op = random.pick(OPS)
          return { op, id: random.u32(), body: random.bytes(BODY[op](random)) }
        })
        const stream = concat(...sent.map(({ op, id, body }) => trunkMessage(op, id, body)))
        const reader = new TrunkReader()
        const got = [...chunks(stream, random)].flatMap((chunk) => reader.push(chunk))
        assert.equal(got.length, sent.length)
        for (const [i, message] of got.entries()) same(message, sent[i] as TrunkMessage)
        assert.equal(reader.pending, 0)

        const frames = sent.map(({ body }) => body).filter((body) => body.length > 0)
        const tcp = new TcpFrameReader()
        const parts = [...chunks(concat(...frames.map(encodeTcpFrame)), random)]
        assert.deepEqual(
          parts.flatMap((chunk) => tcp.push(chunk)),
          frames,
        )
      }
    }))

  it('reads a frame of exactly the greatest length, byte by byte', () => {
    const frame = new Uint8Array(MAX_FRAME).fill(0xa5)
    const reader = new TcpFrameReader()
    const got: Bytes[] = []
    for (const byte of encodeTcpFrame(frame)) got.push(...reader.push(Uint8Array.of(byte)))
    assert.deepEqual(got, [frame])
  })

  it('refuses a length at once that is too long, zero, or 2^32 - 1', async () => {
    const tcp = (length: number) => new TcpFrameReader().push(lengthOf(length))
    await fails('limit', () => tcp(MAX_FRAME + 1))
    await fails('limit', () => tcp(2 ** 32 - 1))
    await fails('decode_error', () => tcp(0))
    const trunk = (length: number) => new TrunkReader().push(lengthOf(length))
    await fails('limit', () => trunk(MAX_TRUNK + 1))
    await fails('limit', () => trunk(2 ** 32 - 1))
    for (let length = 0; length < 5; length++) await fails('decode_error', () => trunk(length))
  })

  it('refuses a wrong length too when it comes a byte at a time', async () => {
    const reader = new TcpFrameReader()
    for (const byte of [0xff, 0xff, 0xff]) assert.deepEqual(reader.push(Uint8Array.of(byte)), [])
    await fails('limit', () => reader.push(Uint8Array.of(0xff)))
  })

  it('sets no memory aside for bytes that were only announced', () => {
    const reader = new TcpFrameReader()
    reader.push(lengthOf(MAX_FRAME, 1, 2, 3))
    assert.equal(reader.pending, 7)
  })

  it('takes nothing more after an error', async () => {
    const reader = new TrunkReader()
    await fails('limit', () => reader.push(lengthOf(2 ** 32 - 1)))
    await fails('decode_error', () => reader.push(trunkMessage(TRUNK.data, 1, utf8('later'))))
  })

  it('refuses unknown operations and bodies that do not fit theirs', async () => {
    const message = (op: number, body: number) =>
      new TrunkReader().push(lengthOf(5 + body, op, 0, 0, 0, 1, ...new Array<number>(body).fill(0)))
    for (const op of [0, 7, 255]) await fails('decode_error', () => message(op, 0))
    const wrong: readonly (readonly [TrunkOp, number])[] = [
      [TRUNK.open, 15],
      [TRUNK.open, 17],
      [TRUNK.close, 1],
      [TRUNK.close, 3 + MAX_CLOSE_TEXT],
      [TRUNK.subscribe, 3],
      [TRUNK.subscribe, 5],
      [TRUNK.unsubscribe, 0],
      [TRUNK.cast, 0],
    ]
    for (const [op, body] of wrong) {
      await fails('decode_error', () => message(op, body))
    }
  })

  it('meets random bytes with messages or a named error, and nothing else', () =>
    seeded((random) => {
      for (let run = 0; run < (full ? 1_000_000 : 20_000); run++) {
        // Small lengths, so that some of it is messages.
        const rubbish = random.bytes(random.below(64))
        if (rubbish.length > 3) rubbish.set([0, 0, 0, random.below(24)])
        for (const reader of [new TrunkReader(), new TcpFrameReader()]) {
          try {
            for (const chunk of chunks(rubbish, random)) reader.push(chunk)
            assert.isAtMost(reader.pending, rubbish.length)
          } catch (error) {
            assert.instanceOf(error, SottoError)
          }
        }
      }
    }))

  it('carries a close code and its text, cut at a character to what a close frame holds', async () => {
    assert.deepEqual(decodeClose(encodeClose(4002, 'too slow')), { code: 4002, text: 'too slow' })
    const long = decodeClose(encodeClose(1000, 'ü'.repeat(100)))
    assert.equal(long.text, 'ü'.repeat(61))
    await fails('decode_error', () => decodeClose(Uint8Array.of(0x0f, 0xa0, 0xff)))
    assert.equal(decodeTopic(encodeTopic(0xfedcba98)), 0xfedcba98)
  })

  it('has a code of its own and a sentence for every way a connection ends', () => {
    const reasons = Object.values(CLOSE_CODES)
    assert.equal(new Set(reasons.map(({ code }) => code)).size, reasons.length)
    for (const { code, text } of reasons) {
      assert.isAtMost(utf8(text).length, MAX_CLOSE_TEXT)
      if (code >= 4000) assert.match(fromUtf8(utf8(text)), /^[A-Z].*\.$/)
    }
  })
})
