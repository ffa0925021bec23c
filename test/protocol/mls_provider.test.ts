import { XWing } from '@hpke/hybridkem-x-wing'
import { defaultCryptoProvider, getCiphersuiteFromName } from 'ts-mls'
import { type Bytes, fromHex, hex, utf8 } from '../../web/protocol/bytes.ts'
import { libraryMlKem, type MlKem, nativeMlKem } from '../../web/protocol/mls_mlkem.ts'
import { cryptoInUse, mlsSuite, SUITE_NAME, type Suite } from '../../web/protocol/mls_provider.ts'
import { encapsulate, XWingPrivate, XWingPublic } from '../../web/protocol/mls_xwing.ts'
import { seal } from '../../web/protocol/room.ts'
import { open } from '../../web/protocol/room_open.ts'
import { assert, before, describe, it } from '../support/suite.ts'
import { device, OPEN, only, roomOf, TRUST } from './room_people.ts'

/** draft-connolly-cfrg-xwing-kem, test vectors, the first: seed, eseed, shared secret. */
const VECTOR = {
  seed: '7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26',
  eseed:
    '3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2' +
    '35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2',
  ss: 'd2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384',
}

/** What ts-mls runs on by default: other code for everything, with the same bytes as the result. */
async function otherSuite(): Promise<Suite> {
  const suite = await defaultCryptoProvider.getCiphersuiteImpl(getCiphersuiteFromName(SUITE_NAME))
  return { ...suite, mlKemIsNative: false }
}

describe('the cryptography of rooms', () => {
  const kems: [string, MlKem][] = []
  before(async () => {
    const native = await nativeMlKem()
    if (native) kems.push(['native', native])
    kems.push(['library', await libraryMlKem()])
  })

  it('decapsulates what the draft has as its test vector', async () => {
    const other = new XWing()
    for (const [name, kem] of kems) {
      const own = new XWingPrivate(kem, fromHex(VECTOR.seed))
      const publicKey = await own.publicKey.bytes()
      const recipientPublicKey = await other.deserializePublicKey(publicKey.buffer)
      const ekm = fromHex(VECTOR.eseed).buffer
      const { enc, sharedSecret } = await other.encap({ recipientPublicKey, ekm })
      assert.equal(hex(new Uint8Array(sharedSecret)), VECTOR.ss, name)
      assert.equal(hex(await own.decapsulate(new Uint8Array(enc))), VECTOR.ss, name)
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

  it('derives the same key pair from the same input as another implementation', async () => {
    const ikm = utf8('some input to derive a key pair from')
    const other = await otherSuite()
    const pair = await other.hpke.deriveKeyPair(ikm)
    for (const [, kem] of kems) {
      const { hpke } = await mlsSuite(kem)
      const { privateKey, publicKey } = await hpke.deriveKeyPair(ikm)
      assert.deepEqual(
        await hpke.exportPublicKey(publicKey),
        await other.hpke.exportPublicKey(pair.publicKey),
      )
      assert.deepEqual(
        await hpke.exportPrivateKey(privateKey),
        await other.hpke.exportPrivateKey(pair.privateKey),
      )
    }
  })

  it('opens what another HPKE sealed, and the other way round', async () => {
    const other = await otherSuite()
    for (const [, kem] of kems) {
      const ours = await mlsSuite(kem)
      await passesOn(ours, other)
      await passesOn(other, ours)
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

  it('agrees with another implementation on every hash, key and signature', async () => {
    const [ours, other] = [await mlsSuite(), await otherSuite()]
    const [key, data] = [new Uint8Array(64).fill(9), utf8('some data')]
    assert.deepEqual(await ours.hash.digest(data), await other.hash.digest(data))
    assert.deepEqual(await ours.hash.mac(key, data), await other.hash.mac(key, data))
    assert.deepEqual(await ours.kdf.extract(key, data), await other.kdf.extract(key, data))
    const long = new Uint8Array(64).fill(1)
    for (const length of [12, 32, 64, 200])
      assert.deepEqual(
        await ours.kdf.expand(long, data, length),
        await other.kdf.expand(long, data, length),
      )
    const { signKey, publicKey } = await ours.signature.keygen()
    const signature = await other.signature.sign(signKey, data)
    assert.isTrue(await ours.signature.verify(publicKey, data, signature))
    assert.isFalse(await ours.signature.verify(publicKey, key, signature))
  })

  it('lets people whose engines differ sit in one room', async () => {
    const suites = [
      await otherSuite(),
      ...(await Promise.all(kems.map(([, kem]) => mlsSuite(kem)))),
    ]
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

async function passesOn(from: Suite, to: Suite): Promise<void> {
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const pair = await to.hpke.deriveKeyPair(seed)
  const bytes = await to.hpke.exportPublicKey(pair.publicKey)
  const publicKey = await from.hpke.importPublicKey(bytes)
  const [info, aad] = [utf8('some info'), utf8('')]
  const sealed = await from.hpke.seal(publicKey, utf8('hello'), info, aad)
  const plain = await to.hpke.open(pair.privateKey, sealed.enc, sealed.ct, info, aad)
  assert.deepEqual(new Uint8Array(plain) as Bytes, utf8('hello'))
  const out = await from.hpke.exportSecret(publicKey, utf8('context'), 64, info)
  const back = await to.hpke.importSecret(pair.privateKey, utf8('context'), out.enc, 64, info)
  assert.deepEqual(back, out.secret)
}

async function refused(work: Promise<unknown>): Promise<void> {
  const result = await work.then(
    () => 'opened',
    () => 'refused',
  )
  assert.equal(result, 'refused')
}
