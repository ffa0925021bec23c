import { type Bytes, EMPTY, fromHex, hex } from '../../web/protocol/bytes.ts'
import { checkSpki, fingerprint, importForVerify, spkiOf } from '../../web/protocol/spki.ts'
import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { full, seeded } from '../support/random.ts'
import { assert, describe, fails, it } from '../support/suite.ts'
import vectors from '../vectors/spki.json' with { type: 'json' }

interface Case {
  readonly name: string
  readonly least: 2048 | 3072
  readonly der: string
  readonly accept: boolean
  readonly fingerprint?: string
}

const cases = vectors.cases as readonly Case[]

/** The calls of `subtle.importKey` while `work` runs. */
async function importsDuring(work: () => Promise<unknown>): Promise<number> {
  const { subtle } = crypto
  const real = subtle.importKey
  let calls = 0
  const counting = (...args: unknown[]): unknown => {
    calls++
    return Reflect.apply(real, subtle, args)
  }
  subtle.importKey = counting as typeof real
  try {
    await work()
  } finally {
    subtle.importKey = real
  }
  return calls
}

describe('a public key that comes over the wire', () => {
  it('is tried in more than sixty shapes', () => {
    assert.isAbove(cases.filter(({ accept }) => !accept).length, 60)
    assert.isAbove(cases.filter(({ accept }) => accept).length, 8)
  })

  for (const { name, least, der, accept, fingerprint: print } of cases) {
    const spki = fromHex(der)
    if (accept)
      it(`is taken: ${name}`, async () => {
        const modulus = checkSpki(spki, { least })
        assert.deepEqual(spkiOf(modulus), spki)
        assert.equal(hex(await fingerprint(webPrimitives, spki)), print)
      })
    else
      it(`is refused before any RSA: ${name}`, async () => {
        const imports = await importsDuring(async () => {
          await fails('bad_key', () => checkSpki(spki, { least }))
          if (least === 2048) await fails('bad_key', () => importForVerify(spki))
        })
        assert.equal(imports, 0)
      })
  }

  it('that is real is taken by this engine for both uses', async () => {
    const real = cases.filter(({ name }) => /^\d+ bits, as an/.test(name))
    assert.lengthOf(real, 6)
    for (const { der, least, accept } of real) {
      if (!accept) continue
      assert.equal((await importForVerify(fromHex(der))).type, 'public')
      const { length } = checkSpki(fromHex(der), { least })
      const ct = await webPrimitives.rsaEncrypt(fromHex(der), EMPTY, EMPTY)
      assert.equal(ct.length, length)
    }
  })

  it('is refused with any one bit outside the modulus flipped', async () => {
    const good = fromHex(cases[0]?.der ?? '')
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bad = new Uint8Array(good)
      bad[bit >> 3] = (bad[bit >> 3] as number) ^ (0x80 >> (bit & 7))
      const at = bit >> 3
      const inside = at >= 33 && at < 33 + 384
      const matters = !inside || bit === 33 * 8 || bit === (33 + 384) * 8 - 1
      if (matters) await fails('bad_key', () => checkSpki(bad, { least: 2048 }))
      else checkSpki(bad, { least: 2048 })
    }
  })

  it('is never anything but the template, whatever is mutated', () =>
    seeded(async (random) => {
      const seeds = cases.map(({ der }) => fromHex(der)).filter((der) => der.length < 600)
      const rounds = full ? 1_000_000 : 20_000
      let taken = 0
      for (let round = 0; round < rounds; round++) {
        const bytes = mutate(random.pick(seeds), random)
        let modulus: Bytes | undefined
        try {
          modulus = checkSpki(bytes, { least: 2048 })
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'bad_key')
        }
        if (modulus === undefined) continue
        taken++
        assert.equal(hex(spkiOf(modulus)), hex(bytes))
      }
      assert.isAbove(taken, 0)
    }))
})

function mutate(bytes: Bytes, random: Parameters<Parameters<typeof seeded>[0]>[0]): Bytes {
  const at = random.below(bytes.length + 1)
  switch (random.below(4)) {
    case 0:
      return Uint8Array.of(...bytes.subarray(0, at), ...random.bytes(1), ...bytes.subarray(at))
    case 1:
      return Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + 1))
    case 2:
      return bytes.slice(0, at)
    default: {
      const copy = new Uint8Array(bytes)
      for (let i = random.below(3); i >= 0; i--) copy[random.below(copy.length)] = random.below(256)
      return copy
    }
  }
}
