import { type Bytes, hex, utf8 } from '../../web/protocol/bytes.ts'
import {
  type EndpointKey,
  generateEndpointKey,
  importEndpointKeyPem,
} from '../../web/protocol/endpoint_key.ts'
import { checkSpki } from '../../web/protocol/spki.ts'
import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { assert, before, describe, fails, it } from '../support/suite.ts'
import keyFiles from '../vectors/identity_keys.json' with { type: 'json' }

const label = utf8('a label')
const secret = new Uint8Array(32).fill(7)

async function encrypt(key: EndpointKey): Promise<Bytes> {
  return webPrimitives.rsaEncrypt(key.spki, label, secret)
}

describe("an endpoint's key", () => {
  let made: { key: EndpointKey; pem: string }
  before(async () => {
    made = await generateEndpointKey()
  })

  it('is RSA-3072 and decrypts what was encrypted to it under the same label', async () => {
    checkSpki(made.key.spki, { least: 3072 })
    assert.lengthOf(made.key.spki, 422)
    const ciphertext = await encrypt(made.key)
    assert.lengthOf(ciphertext, 384)
    assert.equal(hex(await made.key.decrypt(ciphertext, label)), hex(secret))
  })

  it('comes back from its file', async () => {
    const again = await importEndpointKeyPem(made.pem)
    assert.equal(hex(again.spki), hex(made.key.spki))
    assert.equal(hex(await again.decrypt(await encrypt(made.key), label)), hex(secret))
  })

  it('says the same of every failure, and keeps the cause to itself', async () => {
    const good = await encrypt(made.key)
    const attempts: (readonly [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>])[] = [
      [good, utf8('another label')],
      [good, new Uint8Array(0)],
      [good.map((byte, i) => (i === 200 ? byte ^ 1 : byte)), label],
      [good.slice(1), label],
      [new Uint8Array(384), label],
      [new Uint8Array(384).fill(255), label],
      [new Uint8Array(0), label],
      [new Uint8Array(1000), label],
    ]
    const texts = new Set<string>()
    for (const [ciphertext, under] of attempts) {
      const error = await fails('crypto_failed', () => made.key.decrypt(ciphertext, under))
      assert.isUndefined(error.cause)
      texts.add(error.message)
    }
    assert.equal(texts.size, 1)
  })

  it('of 2048 bits, of another kind, or under a passphrase is refused', async () => {
    await fails('bad_key', () => importEndpointKeyPem(keyFiles.keys.rsa2048))
    for (const { name, pem } of keyFiles.files)
      if (name.startsWith('EC key,') || name === 'certificate')
        await fails(name.endsWith('encrypted') ? 'bad_passphrase' : 'bad_key', () =>
          importEndpointKeyPem(pem),
        )
    assert.lengthOf((await importEndpointKeyPem(keyFiles.keys.rsa4096)).spki, 550)
  })
})
