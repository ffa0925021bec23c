import {
  base64url,
  concat,
  equal,
  fromBase64url,
  fromHex,
  fromUtf8,
  hex,
  lp8,
  lp16,
  Reader,
  u16,
  u24,
  u32,
  u64,
  utf8,
} from '../../web/protocol/bytes.ts'
import { assert, describe, it } from '../support/suite.ts'

describe('bytes', () => {
  it('are big-endian and read back as written', () => {
    const written = concat(
      u16(0x0102),
      u24(0x030405),
      u32(0xfffefdfc),
      u64(2 ** 53 - 1),
      lp8(utf8('é')),
    )
    assert.equal(hex(written), '0102030405fffefdfc001fffffffffffff02c3a9')
    const reader = new Reader(written)
    assert.equal(reader.u16(), 0x0102)
    assert.equal(reader.u24(), 0x030405)
    assert.equal(reader.u32(), 0xfffefdfc)
    assert.equal(reader.u64(), 2 ** 53 - 1)
    assert.equal(fromUtf8(reader.lp8()), 'é')
    reader.end()
  })

  it('refuse a length that promises more than there is', () => {
    assert.throws(() => new Reader(u16(3)).lp16(), RangeError)
    assert.throws(() => new Reader(u16(3)).u32(), RangeError)
    assert.throws(() => new Reader(new Uint8Array(9).fill(255)).u64(), RangeError)
  })

  it('refuse what is left over, and what a length field cannot say', () => {
    assert.throws(() => new Reader(u16(3)).end(), RangeError)
    assert.throws(() => lp8(new Uint8Array(256)), RangeError)
    assert.throws(() => lp16(new Uint8Array(65_536)), RangeError)
    assert.throws(() => u64(-1), RangeError)
    assert.throws(() => u64(2 ** 53), RangeError)
  })

  it('a reader gives copies, so what it read cannot change under its holder', () => {
    const source = Uint8Array.of(1, 2, 3)
    const taken = new Reader(source).take(3)
    source[0] = 9
    assert.deepEqual([...taken], [1, 2, 3])
  })

  it('compare by value whatever the first difference is', () => {
    assert.isTrue(equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2)))
    assert.isFalse(equal(Uint8Array.of(1, 2), Uint8Array.of(1, 3)))
    assert.isFalse(equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3)))
  })

  it('survive hex and base64url, and nothing else passes for either', () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    assert.deepEqual(fromHex(hex(all)), all)
    assert.deepEqual(fromBase64url(base64url(all)), all)
    for (const text of ['a', 'gg', '0 ', '0x']) assert.throws(() => fromHex(text), SyntaxError)
    for (const text of ['+', '/', 'AA=', ' ']) assert.throws(() => fromBase64url(text), SyntaxError)
  })
})
