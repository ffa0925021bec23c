import * as cborg from 'cborg'
import { concat, fromHex, hex, utf8 } from '../../web/protocol/bytes.ts'
import { decode, encode } from '../../web/protocol/cbor.ts'
import { full, type Random, seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

const COUNT = full ? 100_000 : 5_000
/** The library as strict as it can be set. */
const STRICT = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  rejectDuplicateMapKeys: true,
}
const EDGES = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]
const LETTERS = ['a', 'z', 'A', '~', '\0', 'é', 'ß', '–', '字', '\uffff', '😀', '𐀀']

function text(chance: Random): string {
  const letters = chance.below(2) === 0 ? LETTERS.slice(0, 4) : LETTERS
  const length = chance.below(chance.below(8) === 0 ? 90 : 5)
  return Array.from({ length }, () => chance.pick(letters)).join('')
}

function value(chance: Random, deep = 0): unknown {
  switch (chance.below(deep < 5 ? 9 : 6)) {
    case 0:
      return chance.pick(EDGES)
    case 1:
      return -1 - chance.below(chance.pick([24, 300, 2 ** 31]))
    case 2:
      return chance.bytes(chance.below(chance.below(20) === 0 ? 70_000 : 40))
    case 3:
      return text(chance)
    case 4:
      return chance.pick([true, false, null])
    case 5:
      return chance.u32()
    case 6:
      return Array.from({ length: chance.below(6) }, () => value(chance, deep + 1))
    default: {
      const entries = Array.from({ length: chance.below(8) }, () => [
        text(chance),
        value(chance, deep + 1),
      ])
      return Object.fromEntries(entries)
    }
  }
}

function refuses(bytes: Uint8Array, what = hex(bytes)): void {
  try {
    decode(bytes)
  } catch (error) {
    assert.isTrue(error instanceof RangeError || error instanceof TypeError, String(error))
    return
  }
  assert.fail(`took ${what}`)
}

describe('CBOR', () => {
  it('is byte for byte what another implementation writes, and reads back as it was', () =>
    seeded((chance) => {
      for (let i = 0; i < COUNT; i++) {
        const one = value(chance)
        const encoded = encode(one)
        assert.equal(hex(encoded), hex(cborg.encode(one)))
        assert.deepEqual(decode(encoded), one)
      }
    }))

  it('sorts keys as they are encoded, whatever order they were put in', () => {
    // U+FFFF comes after U+10000 in UTF-16, before it in UTF-8.
    const keys = ['😀', '\uffff', 'é', 'zz', 'b', 'aaaa', 'a', '']
    const map = Object.fromEntries(keys.map((key, i) => [key, i]))
    const turned = Object.fromEntries(Object.entries(map).reverse())
    assert.equal(hex(encode(map)), hex(encode(turned)))
    assert.deepEqual(Object.keys(decode(encode(map)) as object), [
      '',
      'a',
      'b',
      'zz',
      'é',
      '\uffff',
      'aaaa',
      '😀',
    ])
  })

  it('gives a key that would be the prototype as an own one', () => {
    const map = decode(fromHex('a1695f5f70726f746f5f5fa16161f5')) as object
    assert.equal(Object.getPrototypeOf(map), Object.prototype)
    assert.deepEqual(Object.entries(map), [['__proto__', { a: true }]])
    assert.equal(hex(encode(map)), 'a1695f5f70726f746f5f5fa16161f5')
  })

  it('gives bytes that stay as they are when the message is overwritten', () => {
    const message = encode([new Uint8Array([1, 2, 3])])
    const [bytes] = decode(message) as [Uint8Array]
    message.fill(0)
    assert.deepEqual([...bytes], [1, 2, 3])
    assert.equal(bytes.buffer.byteLength, 3)
  })

  it('says what it can’t encode instead of writing something else', () => {
    const deep = Array.from({ length: 17 }).reduce((inside) => [inside], 1)
    const round: unknown[] = []
    round.push(round)
    const strange = [undefined, 0.5, Number.NaN, 2 ** 53, 1n, () => 1, Symbol('x'), new Date(0)]
    const views = [new Map(), new Uint16Array(1), new ArrayBuffer(1), new (class A {})()]
    for (const one of [...strange, ...views, deep, round]) {
      assert.throws(() => encode(one), TypeError)
      assert.throws(() => encode({ one }), TypeError)
    }
    assert.throws(() => encode({ '\ud800': 1, '\ud801': 2 }), TypeError)
  })

  for (const [what, ...encodings] of [
    ['a number in more bytes than it needs', '1817', '190017', '1900ff', '1a0000ffff', '3800'],
    ['a number of eight bytes that four would hold', '1b00000000ffffffff'],
    ['a number past 2^53 - 1', '1b0020000000000000', '1bffffffffffffffff', '3b001fffffffffffff'],
    ['a length in more bytes than it needs', '580161', '780161', '980100', 'b8016100f5'],
    ['an indefinite length', '5f4101ff', '7f6161ff', '9f00ff', 'bf616100ff', 'ff'],
    ['a tag', 'c000', 'd81800', 'c11a514b67b0'],
    ['a float', 'f90000', 'fa00000000', 'fb3ff0000000000000', 'f97e00'],
    ['undefined and other simple values', 'f7', 'e0', 'f3', 'f800', 'f814', 'f8ff', 'f90014'],
    ['reserved lengths', '1c', '3d', '5e', '7c', '9d', 'be', 'dc', 'fd'],
    ['a key twice', 'a2616100616101'],
    ['keys out of order', 'a2616200616101', 'a262616100616101'],
    ['a key that is not text', 'a10000', 'a1416100', 'a1f500', 'a18000'],
    ['text that is not UTF-8', '61ff', '62c0af', '63eda080', 'a161ff00'],
    ['bytes after the end', '0000', 'f5f5', '8000', 'a000'],
    ['an early end', '', '18', '41', '5903e8', '6261', '81', 'a1', 'a16161', '1b000000'],
    ['lengths far beyond the end', '5affffffff', '7b001fffffffffffff', '9affffffff', 'baffffffff'],
  ] as const) {
    it(`refuses ${what}`, () => {
      for (const encoding of encodings) refuses(fromHex(encoding))
      // Inside an array and a map too.
      for (const encoding of encodings.filter((some) => some !== '')) {
        refuses(fromHex(`82f5${encoding}`))
        refuses(fromHex(`a16161${encoding}`))
      }
    })
  }

  it('reads sixteen levels and refuses more, without a stack to overflow', () => {
    const nested = (head: string, deep: number) =>
      concat(...Array.from({ length: deep }, () => fromHex(head)), fromHex('00'))
    for (const head of ['81', 'a16161']) {
      decode(nested(head, 16))
      refuses(nested(head, 17))
      refuses(nested(head, 100_000), 'a hundred thousand levels')
    }
  })

  it('takes a length at its word only as far as there are bytes', () => {
    // Each level claims as many elements as there are bytes left.
    const claims = concat(...Array.from({ length: 15 }, () => fromHex('9a00010000')))
    refuses(concat(claims, new Uint8Array(65_536)), 'arrays in arrays')
    refuses(concat(fromHex('ba00010000'), new Uint8Array(65_536)), 'a map of half the size')
  })

  it('of arbitrary bytes takes only those that it would write itself', () =>
    seeded((chance) => {
      let taken = 0
      for (let i = 0; i < COUNT * 4; i++) {
        const bytes = chance.below(2) === 0 ? chance.bytes(chance.below(12)) : damaged(chance)
        let read: unknown
        try {
          read = decode(bytes)
        } catch (error) {
          assert.isTrue(error instanceof RangeError || error instanceof TypeError, String(error))
          continue
        }
        taken += 1
        assert.equal(hex(encode(read)), hex(bytes))
        // cborg drops U+FEFF at the beginning of a text.
        if (!hex(bytes).includes('efbbbf')) assert.deepEqual(cborg.decode(bytes, STRICT), read)
      }
      assert.isAbove(taken, COUNT / 10)
    }))
})

/** A value's encoding with a byte changed, cut off, put in or repeated. */
function damaged(chance: Random): Uint8Array {
  const bytes = encode({ text: text(chance), list: [chance.below(300), value(chance, 4)] })
  const at = chance.below(bytes.length)
  switch (chance.below(4)) {
    case 0:
      bytes[at] = chance.below(256)
      return bytes
    case 1:
      return bytes.slice(0, at)
    case 2:
      return concat(bytes.slice(0, at), chance.bytes(1), bytes.slice(at))
    default:
      return concat(bytes, chance.below(4) === 0 ? utf8('a') : bytes.slice(at, at))
  }
}
