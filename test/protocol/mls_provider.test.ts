import { fromHex, hex, utf8 } from '../../web/protocol/bytes.ts'
import { libraryMlKem, type MlKem, nativeMlKem } from '../../web/protocol/mls_mlkem.ts'
import { cryptoInUse, mlsSuite, SUITE_NAME } from '../../web/protocol/mls_provider.ts'
import { encapsulate, XWingPrivate, XWingPublic } from '../../web/protocol/mls_xwing.ts'
import { seal } from '../../web/protocol/room.ts'
import { open } from '../../web/protocol/room_open.ts'
import { assert, before, describe, it } from '../support/suite.ts'
import vectors from '../vectors/mls_suite.json' with { type: 'json' }
import { device, OPEN, only, roomOf, TRUST } from './room_people.ts'

describe('the cryptography of rooms', () => {
  const kems: [string, MlKem][] = []
  before(async () => {
    const native = await nativeMlKem()
    if (native) kems.push(['native', native])
    kems.push(['library', await libraryMlKem()])
  })

  it('decapsulates what the draft has as its test vector', async () => {
    const { seed, publicKey, enc, secret } = vectors.kem
    for (const [name, kem] of kems) {
      const own = new XWingPrivate(kem, fromHex(seed))
      assert.equal(hex(await own.publicKey.bytes()), publicKey, name)
      assert.equal(hex(await own.decapsulate(fromHex(enc))), secret, name)
    }
  })

  it('opens, exports and derives what another HPKE did', async () => {
    const { derive, hpke: sealed, export: exported } = vectors
    for (const [name, kem] of kems) {
      const { hpke } = await mlsSuite(kem)
      const pair = await hpke.deriveKeyPair(fromHex(derive.ikm))
      assert.equal(hex(await hpke.exportPublicKey(pair.publicKey)), derive.publicKey, name)
      assert.equal(hex(await hpke.exportPrivateKey(pair.privateKey)), derive.seed, name)
      const own = await hpke.importPrivateKey(fromHex(sealed.seed))
      const [info, aad] = [fromHex(sealed.info), fromHex(sealed.aad)]
      const ciphertext = fromHex(sealed.ciphertext)
      const plain = await hpke.open(own, fromHex(sealed.enc), ciphertext, info, aad)
      assert.equal(hex(plain), sealed.plaintext, name)
      const [context, enc] = [fromHex(exported.context), fromHex(exported.enc)]
      assert.equal(hex(await hpke.importSecret(own, context, enc, 64, info)), exported.secret, name)
    }
  })

  it('is understood by every other way of doing it', async () => {
    for (const [, from] of kems)
      for (const [, to] of kems) {
        const own = new XWingPrivate(to, crypto.getRandomValues(new Uint8Array(32)))
        const sent = await encapsulate(from, XWingPublic.of(await own.publicKey.bytes()))
        assert.deepEqual(await own.decapsulate(sent.enc), sent.secret)
      }
  })

  it('never opens what was changed on the way', async () => {
    const { hpke } = await mlsSuite()
    const { privateKey, publicKey } = await hpke.generateKeyPair()
    const { enc, ct } = await hpke.seal(publicKey, utf8('secret'), utf8('info'))
    for (const where of [0, 1087, 1088, 1119]) {
      const bad = enc.slice()
      bad[where] = (bad[where] ?? 0) ^ 1
      await refused(hpke.open(privateKey, bad, ct, utf8('info')))
    }
    await refused(hpke.open(privateKey, enc, ct, utf8('other')))
    await refused(hpke.open(privateKey, enc.slice(1), ct, utf8('info')))
  })

  it('lets people whose engines differ sit in one room', async () => {
    const suites = await Promise.all([...kems, ...kems].map(([, kem]) => mlsSuite(kem)))
    const names = suites.map((_, i) => `person ${i}`)
    for (const policy of [OPEN, await only(...names)]) {
      const keys = suites.map((suite, i) => device(names[i] ?? '', 1, { suite }))
      const states = await roomOf(policy, await Promise.all(keys))
      const [from, ...others] = states
      if (!from) throw new Error('no room')
      const { mls } = await seal(from, utf8('hello'), new Uint8Array(56))
      for (const to of others)
        assert.equal((await open(to, mls, TRUST)).opened.kind, 'message', policy.kind)
    }
  })

  it('says which primitives are the engine’s own', async () => {
    for (const [name, kem] of kems) {
      const { suite, native, library } = cryptoInUse(await mlsSuite(kem))
      assert.equal(suite, SUITE_NAME)
      assert.includeMembers([...native], ['AES-256-GCM', 'X25519', 'Ed25519'])
      assert.equal(native.includes('ML-KEM-768'), name === 'native')
      assert.equal(library.includes('ML-KEM-768'), name === 'library')
    }
  })
})

async function refused(work: Promise<unknown>): Promise<void> {
  const result = await work.then(
    () => 'opened',
    () => 'refused',
  )
  assert.equal(result, 'refused')
}
