import { type Bytes, concat } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { readKeyFile } from '../../web/protocol/key_file.ts'
import { encryptKey, readEncryptedKey } from '../../web/protocol/pbes2.ts'
import { readPem, writePem } from '../../web/protocol/pem.ts'
import type { RsaKeyFile } from '../../web/protocol/pkcs8.ts'
import { checkSpki } from '../../web/protocol/spki.ts'
import { full, type Random, seeded } from '../support/random.ts'
import { assert, describe, fails, it } from '../support/suite.ts'
import vectors from '../vectors/backup.json' with { type: 'json' }

const PASSPHRASE = 'correct horse battery staple'
const seeds = vectors.cases.map(({ pem }) => pem).filter((pem) => pem.length > 0)
/** Rounds of PBKDF2 that a mutation may ask for here: what they cost is stated, not searched. */
const FEW_ROUNDS = 5_000
const MOST_MS = 1_000

/** Imports a file. Only SottoErrors come out; what is taken is a key of the template. */
async function tryFile(pem: string): Promise<RsaKeyFile | undefined> {
  if (asksForManyRounds(pem)) return undefined
  const began = performance.now()
  let taken: RsaKeyFile | undefined
  try {
    taken = await readKeyFile(pem, PASSPHRASE)
  } catch (error) {
    assert.instanceOf(error, SottoError, pem)
    assert.include(['bad_key', 'bad_passphrase'], (error as SottoError).code)
  }
  assert.isBelow(performance.now() - began, MOST_MS, pem)
  if (taken) checkSpki(taken.spki, { least: 2048 })
  return taken
}

function asksForManyRounds(pem: string): boolean {
  try {
    return readPem(pem).some(
      ({ label, der }) =>
        label === 'ENCRYPTED PRIVATE KEY' && readEncryptedKey(der).iterations > FEW_ROUNDS,
    )
  } catch {
    return false
  }
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-: \n\r\t\0é*'

function mutateText(text: string, random: Random): string {
  const at = random.below(text.length)
  const some = random.below(40)
  switch (random.below(6)) {
    case 0:
      return text.slice(0, at)
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + some)
    case 2:
      return text.slice(0, at) + random.pick(Array.from(LETTERS)) + text.slice(at + 1)
    case 3:
      return text.slice(0, at) + random.pick(seeds).slice(0, some * 10) + text.slice(at)
    case 4:
      return text.slice(at) + text.slice(0, at)
    default:
      return text.replaceAll(random.pick(['PRIVATE', 'ENCRYPTED ', '-----', '\n', 'END']), () =>
        random.pick(['', 'PUBLIC', 'RSA ', '----', '\r\n', 'END']),
      )
  }
}

/** Mutations where they hurt: half of them in the first bytes, which hold types and lengths. */
function mutateDer(der: Bytes, random: Random): Bytes {
  const at = random.below(random.below(2) ? Math.min(160, der.length + 1) : der.length + 1)
  switch (random.below(5)) {
    case 0:
      return der.slice(0, at)
    case 1:
      return concat(der.subarray(0, at), random.bytes(1 + random.below(4)), der.subarray(at))
    case 2:
      return concat(der.subarray(0, at), der.subarray(at + 1 + random.below(4)))
    default: {
      const copy = new Uint8Array(der)
      if (copy.length === 0) return copy
      const bytes = [0, 1, 2, 4, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0xff, random.below(256)]
      for (let i = random.below(3); i >= 0; i--)
        copy[(at + i * random.below(8)) % copy.length] = random.pick(bytes)
      return copy
    }
  }
}

describe('a mutated key file', () => {
  const rounds = full ? 300_000 : 1_500

  it('of changed text gives a key or a clear error, at once', () =>
    seeded(async (random) => {
      for (let round = 0; round < rounds; round++)
        await tryFile(mutateText(random.pick(seeds), random))
    }))

  it('of changed DER gives a key or a clear error, at once', () =>
    seeded(async (random) => {
      const blocks = seeds.flatMap((pem) => {
        try {
          return readPem(pem).filter(({ label }) => label.endsWith('PRIVATE KEY'))
        } catch {
          return []
        }
      })
      let taken = 0
      for (let round = 0; round < 2 * rounds; round++) {
        const { label, der } = random.pick(blocks)
        // Some stay as they are: that the others fail must not be for another reason.
        const bytes = random.below(50) === 0 ? der : mutateDer(der, random)
        if (await tryFile(writePem(label, bytes))) taken++
      }
      assert.isAbove(taken, 0)
    }))

  it('of changed numbers under the right passphrase gives a clear error', () =>
    seeded(async (random) => {
      const pkcs8 = (
        await readKeyFile(
          vectors.cases.find((c) => c.key === 'rsa2048')?.pem ?? '',
          'パスワード — ünïcödé',
        )
      ).pkcs8
      for (let round = 0; round < (full ? 500 : 4); round++) {
        const bad = mutateDer(pkcs8, random)
        const der = await encryptKey(bad, PASSPHRASE, random.bytes(16), random.bytes(16))
        const file = writePem('ENCRYPTED PRIVATE KEY', der)
        try {
          checkSpki((await readKeyFile(file, PASSPHRASE)).spki, { least: 2048 })
        } catch (error) {
          assert.instanceOf(error, SottoError)
        }
      }
    }))

  it('of pure noise gives a clear error', () =>
    seeded(async (random) => {
      for (let round = 0; round < rounds; round++) {
        const label = random.pick(['PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'RSA PRIVATE KEY'])
        assert.isUndefined(await tryFile(writePem(label, random.bytes(random.below(200)))))
      }
    }))

  it('with lengths of gigabytes allocates nothing', async () => {
    const heads = ['3083ffffff', '3084ffffffff', '3082ffff', '30ff', '3088ffffffffffffffff', '3080']
    for (const head of heads)
      for (const label of ['PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'RSA PRIVATE KEY']) {
        const bytes = Uint8Array.from(head.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
        await fails('bad_key', () => readKeyFile(writePem(label, bytes), PASSPHRASE))
      }
  })

  it('of thousands of begin lines or of nested values takes no time', async () => {
    const begin = '-----BEGIN PRIVATE KEY-----'
    const nested = concat(...Array.from({ length: 10_000 }, () => Uint8Array.of(0x30, 0x80)))
    for (const file of [
      begin.repeat(2_400),
      `${begin}${'A'.repeat(65_000)}`,
      `${'-----BEGIN '.repeat(5_900)}`,
      `${'-'.repeat(65_000)}`,
      `${begin}${'='.repeat(65_000)}-----END PRIVATE KEY-----`,
      writePem('PRIVATE KEY', nested),
      writePem('PRIVATE KEY', new Uint8Array(48_000)),
    ]) {
      const began = performance.now()
      await fails('bad_key', () => readKeyFile(file))
      assert.isBelow(performance.now() - began, MOST_MS)
    }
  })
})
