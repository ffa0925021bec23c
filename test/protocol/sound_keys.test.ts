import { type Bytes, fromHex, hex } from '../../web/protocol/bytes.ts'
import { mlsSuite } from '../../web/protocol/mls_provider.ts'
import { isEd25519Key, isX25519Key, isXWingKey } from '../../web/protocol/sound_keys.ts'
import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { SMALL_ORDER, withHighBit } from '../support/primitives_contract.ts'
import { seeded } from '../support/random.ts'
import { assert, before, describe, it } from '../support/suite.ts'

const PRIME = 2n ** 255n - 19n
/** y of all points of small order on Edwards's curve: of orders 4, 1, 2 and 8. */
const SMALL_Y = [
  0n,
  1n,
  PRIME - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
]

/** 32 bytes, the lowest first. */
function bytesOf(n: bigint): Bytes {
  return fromHex(n.toString(16).padStart(64, '0')).reverse() as Bytes
}

describe('public keys, by their bytes alone', () => {
  it('of Ed25519 are none when they are of small order, or spelt as no engine spells them', () => {
    const beyond = Array.from({ length: 19 }, (_, i) => PRIME + BigInt(i))
    for (const key of [...SMALL_Y, ...beyond].map(bytesOf))
      for (const one of [key, withHighBit(key)]) assert.isFalse(isEd25519Key(one), hex(one))
    for (const y of [2n, 3n, PRIME - 2n, PRIME - 3n]) assert.isTrue(isEd25519Key(bytesOf(y)))
    for (const length of [0, 31, 33]) assert.isFalse(isEd25519Key(new Uint8Array(length).fill(9)))
  })

  it('of X25519 are none when no secret can be agreed with them', () => {
    for (const point of SMALL_ORDER) assert.isFalse(isX25519Key(point), hex(point))
    for (const length of [0, 31, 33]) assert.isFalse(isX25519Key(new Uint8Array(length).fill(9)))
  })

  it('are taken as the engine makes them', async () => {
    for (let i = 0; i < 20; i++) {
      assert.isTrue(isX25519Key((await webPrimitives.x25519()).publicKey))
      assert.isTrue(isEd25519Key((await webPrimitives.ed25519()).publicKey))
    }
  })

  describe('of X-Wing', () => {
    let key: Bytes
    before(async () => {
      const { hpke } = await mlsSuite()
      key = (await hpke.exportPublicKey((await hpke.generateKeyPair()).publicKey)) as Bytes
    })

    it('are taken as they are made, and of no other length', () => {
      assert.isTrue(isXWingKey(key))
      assert.isFalse(isXWingKey(key.slice(1)))
      assert.isFalse(isXWingKey(new Uint8Array([...key, 0])))
      assert.isFalse(isXWingKey(new Uint8Array(0)))
    })

    it('are none with a coefficient that is not below the modulus, wherever it stands', () =>
      seeded((random) => {
        for (const n of [0, 1, 2, 766, 767, ...Array.from({ length: 50 }, () => random.below(768))])
          for (const value of [3328, 3329, 4095])
            assert.equal(isXWingKey(withCoefficient(key, n, value)), value < 3329, `${n}: ${value}`)
      }))

    it('are none with a share of small order', () => {
      for (const point of SMALL_ORDER) {
        const spoilt = key.slice()
        spoilt.set(point, 1184)
        assert.isFalse(isXWingKey(spoilt))
      }
    })
  })
})

/** The n-th of 768 coefficients of 12 bits, two in three bytes (FIPS 203, ByteEncode). */
function withCoefficient(key: Bytes, n: number, value: number): Bytes {
  const copy = key.slice()
  const at = Math.floor(n / 2) * 3
  const [a = 0, b = 0, c = 0] = copy.subarray(at)
  const [low, high] = n % 2 === 0 ? [value, (b >>> 4) | (c << 4)] : [a | ((b & 0xf) << 8), value]
  copy.set([low & 0xff, (low >>> 8) | ((high & 0xf) << 4), high >>> 4], at)
  return copy
}
