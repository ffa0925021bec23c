import { signerOf } from '../../relay/peer/signer.ts'
import { utf8 } from '../../web/protocol/bytes.ts'
import { generateIdentity, type Identity } from '../../web/protocol/identity.ts'
import { verifySignature } from '../../web/protocol/spki.ts'
import { assert, before, describe, it } from '../support/suite.ts'

describe('a headless peer', () => {
  let identity: Identity
  before(async () => {
    identity = await generateIdentity()
  })

  it('is the person whose key it was given', () => {
    const signer = signerOf(identity)
    assert.deepEqual([signer.spki, signer.fingerprint], [identity.spki, identity.fingerprint])
  })

  it('signs as that person, with as many bytes as the modulus has', async () => {
    const signature = await signerOf(identity).sign(utf8('said'))
    assert.lengthOf(signature, 384)
    assert.isTrue(await verifySignature(identity.spki, utf8('said'), signature))
    assert.isFalse(await verifySignature(identity.spki, utf8('not said'), signature))
  })
})
