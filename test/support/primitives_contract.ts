/** What every implementation of Primitives must do. Vectors: RFC 7748, RFC 4231, NIST GCM. */
import { type Bytes, EMPTY, equal, fromHex, hex, utf8 } from '../../web/protocol/bytes.ts'
import type { Primitives } from '../../web/protocol/primitives.ts'
import forgeries from '../vectors/forgeries.json' with { type: 'json' }
import keys from '../vectors/keys.json' with { type: 'json' }
import { serverKey, signer } from './handshake_rig.ts'
import { seeded } from './random.ts'
import { assert, describe, fails, it } from './suite.ts'

/** All of small order (Wycheproof's list), canonical and not, also with the high bit set. */
export const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]
  .map(fromHex)
  .flatMap((point) => [point, withHighBit(point)])

/** The same point in another spelling: RFC 7748 masks the top bit away. */
export function withHighBit(point: Bytes): Bytes {
  const twin = new Uint8Array(point)
  twin[31] = (twin[31] ?? 0) | 0x80
  return twin
}

export function primitivesContract(name: string, p: Primitives): void {
  describe(`primitives on ${name}`, () => {
    it('hash and authenticate as the standards say', async () => {
      assert.equal(
        hex(await p.sha256(utf8('abc'))),
        'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      )
      // RFC 4231, test case 2.
      const mac = await p.hmac(await p.hmacKey(utf8('Jefe')), utf8('what do ya want for nothing?'))
      assert.equal(hex(mac), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
      // RFC 4231, test case 6: a key longer than a block.
      const long = await p.hmacKey(new Uint8Array(131).fill(0xaa))
      const text = utf8('Test Using Larger Than Block-Size Key - Hash Key First')
      assert.match(hex(await p.hmac(long, text)), /^60e431591ee0b67f0d8a26aacbf5b77f/)
    })

    it('keep an HMAC key when its bytes are wiped', async () => {
      const raw = utf8('Jefe')
      const key = await p.hmacKey(raw)
      raw.fill(0)
      assert.match(hex(await p.hmac(key, utf8('what do ya want for nothing?'))), /^5bdcc146/)
    })

    it('seal as AES-256-GCM, and open nothing that was changed', async () => {
      // McGrew and Viega, test case 16.
      const key = fromHex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308')
      const nonce = fromHex('cafebabefacedbaddecaf888')
      const aad = fromHex('feedfacedeadbeeffeedfacedeadbeefabaddad2')
      const text = fromHex(
        'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
      )
      const aead = await p.aead(key)
      const sealed = await aead.seal(nonce, aad, text)
      assert.equal(hex(sealed.slice(-16)), '76fc6ece0f4e1768cddf8853bb2d551b')
      assert.equal(hex(await aead.open(nonce, aad, sealed)), hex(text))
      for (const at of [0, sealed.length - 1]) {
        const changed = new Uint8Array(sealed)
        changed[at] = (changed[at] ?? 0) ^ 1
        await fails('crypto_failed', async () => aead.open(nonce, aad, changed))
      }
      await fails('crypto_failed', async () => aead.open(nonce, EMPTY, sealed))
      await fails('crypto_failed', async () => aead.open(nonce, aad, sealed.slice(0, 15)))
      await fails('crypto_failed', async () => aead.open(nonce, aad, EMPTY))
    })

    it('agree on one X25519 secret from either side', async () => {
      const [a, b] = [await p.x25519(), await p.x25519()]
      assert.lengthOf(a.publicKey, 32)
      assert.isTrue(equal(await a.agree(b.publicKey), await b.agree(a.publicKey)))
      assert.isFalse(equal(a.publicKey, b.publicKey))
    })

    it('refuse every X25519 share of small order, in every spelling', async () => {
      const pair = await p.x25519()
      for (const point of SMALL_ORDER)
        await fails('illegal_parameter', async () => pair.agree(point))
    })

    it('refuse X25519 shares of another length', async () => {
      const pair = await p.x25519()
      for (const length of [0, 31, 33])
        await fails('illegal_parameter', async () => pair.agree(new Uint8Array(length).fill(9)))
    })

    it('encrypt to an endpoint’s key under a label', async () => {
      const secret = p.random(32)
      const ct = await p.rsaEncrypt(serverKey.spki, utf8('label'), secret)
      assert.lengthOf(ct, 384)
      assert.equal(hex(await serverKey.decrypt(ct, utf8('label'))), hex(secret))
    })

    it('verify RSA-PSS signatures, and take bad ones for bad', async () => {
      const data = utf8('data')
      const sig = await signer('client').sign(data)
      const spki = fromHex(keys.client.spki)
      assert.isTrue(await p.rsaVerify(spki, sig, data))
      assert.isFalse(await p.rsaVerify(spki, sig, utf8('other')))
      assert.isFalse(await p.rsaVerify(fromHex(keys.other.spki), sig, data))
      assert.isFalse(await p.rsaVerify(spki, sig.slice(1), data))
      assert.isFalse(await p.rsaVerify(spki, EMPTY, data))
    })

    it('take no RSA-PSS signature that is almost right', async () => {
      const { data, rsaPss } = forgeries
      const [spki, signed] = [fromHex(rsaPss.spki), fromHex(data)]
      for (const { name, bytes, good } of rsaPss.cases)
        assert.equal(await p.rsaVerify(spki, fromHex(bytes), signed), good, name)
    })

    it('take no Ed25519 signature that is almost right', async () => {
      const { data, ed25519 } = forgeries
      const verify = await p.ed25519Verifier(fromHex(ed25519.public))
      for (const { name, bytes, good } of ed25519.cases)
        assert.equal(await verify(fromHex(bytes), fromHex(data)), good, name)
    })

    it('open nothing that AES-256-GCM has almost sealed', async () => {
      const { data, aesGcm } = forgeries
      const aead = await p.aead(fromHex(aesGcm.key))
      const [nonce, aad] = [fromHex(aesGcm.nonce), fromHex(aesGcm.aad)]
      for (const { name, bytes, good } of aesGcm.cases) {
        const open = async () => aead.open(nonce, aad, fromHex(bytes))
        if (good) assert.equal(hex(await open()), data, name)
        else await fails('crypto_failed', open)
      }
    })

    it('sign with Ed25519, and take bad signatures for bad', async () => {
      const pair = await p.ed25519()
      const verify = await p.ed25519Verifier(pair.publicKey)
      const sig = await pair.sign(utf8('data'))
      assert.isTrue(await verify(sig, utf8('data')))
      assert.isFalse(await verify(sig, utf8('datum')))
      assert.isFalse(await verify(sig.slice(1), utf8('data')))
      await fails('bad_key', async () => p.ed25519Verifier(new Uint8Array(31)))
    })

    it('give as much chance as is asked for', () => {
      assert.lengthOf(p.random(100_000), 100_000)
      assert.notEqual(hex(p.random(32)), hex(p.random(32)))
    })
  })
}

/** Two implementations speak to each other. */
export function interoperate(one: Primitives, other: Primitives): void {
  it('agree with each other on every operation', () =>
    seeded(async (random) => {
      for (let i = 0; i < 20; i++) {
        const [raw, data, nonce] = [random.bytes(32), random.bytes(i * i * 7), random.bytes(12)]
        assert.equal(hex(await one.sha256(data)), hex(await other.sha256(data)))
        const macs = [one, other].map(async (p) => hex(await p.hmac(await p.hmacKey(raw), data)))
        assert.equal(await macs[0], await macs[1])
        const sealed = await (await one.aead(raw)).seal(nonce, raw, data)
        assert.equal(hex(await (await other.aead(raw)).open(nonce, raw, sealed)), hex(data))
        const [a, b] = [await one.x25519(), await other.x25519()]
        assert.equal(hex(await a.agree(b.publicKey)), hex(await b.agree(a.publicKey)))
        const signing = await one.ed25519()
        const verify = await other.ed25519Verifier(signing.publicKey)
        assert.isTrue(await verify(await signing.sign(data), data))
      }
    }))
}
