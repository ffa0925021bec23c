/** Against what ts-mls runs on by default: other code for everything, the same bytes. */
import { defaultCryptoProvider, getCiphersuiteFromName } from 'ts-mls'
import { type Bytes, utf8 } from '../../web/protocol/bytes.ts'
import { mlsSuite, SUITE_NAME, type Suite } from '../../web/protocol/mls_provider.ts'
import { seal } from '../../web/protocol/room.ts'
import { open } from '../../web/protocol/room_open.ts'
import { assert, describe, it } from '../support/suite.ts'
import { device, OPEN, only, roomOf, TRUST } from './room_people.ts'

async function otherSuite(): Promise<Suite> {
  const suite = await defaultCryptoProvider.getCiphersuiteImpl(getCiphersuiteFromName(SUITE_NAME))
  return { ...suite, mlKemIsNative: false }
}

describe('the cryptography of rooms beside another implementation', () => {
  it('opens what the other sealed, and the other way round', async () => {
    const [ours, other] = [await mlsSuite(), await otherSuite()]
    await passesOn(ours, other)
    await passesOn(other, ours)
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

  it('lets its owner sit in one room with the other’s', async () => {
    const suites = [await otherSuite(), await mlsSuite(), await otherSuite()]
    const names = suites.map((_, i) => `person ${i}`)
    for (const policy of [OPEN, await only(...names)]) {
      const keys = suites.map((suite, i) => device(names[i] ?? '', 1, { suite }))
      const [from, ...others] = await roomOf(policy, await Promise.all(keys))
      if (!from) throw new Error('no room')
      const { mls } = await seal(from, utf8('hello'), new Uint8Array(56))
      for (const to of others)
        assert.equal((await open(to, mls, TRUST)).opened.kind, 'message', policy.kind)
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
