/**
 * A peer that holds all the keys of its connection and seals properly, but puts something wrong
 * inside: what only fin_c, fin_s, the SPKI template and the order of checks can find.
 */
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { type Bytes, concat, u8 } from '../../web/protocol/bytes.ts'
import type { Primitives } from '../../web/protocol/primitives.ts'
import { honest, Line } from '../support/ends.ts'
import { endpointKey, PARAMS, Rig, serverKey, signer } from '../support/handshake_rig.ts'
import { assert, describe, it } from '../support/suite.ts'
import keys from '../vectors/keys.json' with { type: 'json' }

/** Primitives that change what is sealed, before it is sealed. */
function changing(length: number, at: number): Primitives {
  return {
    ...nodePrimitives,
    async aead(raw) {
      const aead = await nodePrimitives.aead(raw)
      return {
        open: aead.open,
        seal(nonce, aad, plaintext) {
          const changed = new Uint8Array(plaintext)
          if (plaintext.length === length) changed[at] = (changed[at] ?? 0) ^ 1
          return aead.seal(nonce, aad, changed)
        },
      }
    },
  }
}

const PROOF = 1536
/** Where things stand in the proof: lp16(ID), lp16(sig), fin_c, padding. */
const ID_END = 2 + 2 + 422 + 1 + 5 + 16
const SIG_END = ID_END + 2 + 384
const FIN_C_END = SIG_END + 32
const WELCOME = 2 + PARAMS.length + 32

const rig = new Rig(nodePrimitives)

describe('a client that seals properly, but', () => {
  const places = {
    'changes its device after signing': ID_END - 1,
    'changes its name after signing': ID_END - 17,
    'changes its key after signing': 100,
    'changes its signature': SIG_END - 1,
    'sends a wrong fin_c': SIG_END,
    'sends a fin_c that is wrong at its end': FIN_C_END - 1,
    'pads in another way': FIN_C_END,
    'hides a byte in the padding': PROOF - 1,
  }
  for (const [name, at] of Object.entries(places))
    it(`${name} is refused with the one answer`, async () => {
      const line = await Line.open(rig, honest, { primitives: changing(PROOF, at) })
      assert.equal(line.server.failure, 'handshake_failed')
      assert.equal(line.client.failure, 'handshake_failed')
    })

  it('sends a key that its signature fits, with a byte behind it, is refused', async () => {
    const { spki, sign } = signer('client')
    const line = await Line.open(rig, honest, { identity: { spki: concat(spki, u8(0)), sign } })
    assert.equal(line.server.failure, 'handshake_failed')
  })

  it('resumes with a wrong fin_c is refused, and the ticket stays good for its owner', async () => {
    const { ticket } = (await rig.run()).client
    const pin = await rig.pin()
    const line = await Line.open(rig, honest, { pin, ticket, primitives: changing(32, 0) })
    assert.equal(line.server.failure, 'handshake_failed')
    assert.equal((await rig.run({ pin, ticket })).client.mode, 'resumed')
  })
})

describe('an endpoint that seals properly, but', () => {
  const lying = (at: number) =>
    new Rig(nodePrimitives, {
      server: { primitives: changing(WELCOME, at), tickets: rig.tickets },
    })

  it('sends a wrong fin_s, or other params than it signed for, is refused', async () => {
    for (const at of [2, 40, WELCOME - 32, WELCOME - 1]) {
      const line = await Line.open(lying(at))
      assert.equal(line.client.failure, 'crypto_failed')
      assert.isUndefined(line.client.established)
    }
  })

  it('resumes with a wrong fin_s, or other params, is refused, and the client is silent', async () => {
    for (const at of [2, 40, WELCOME - 32, WELCOME - 1]) {
      const { ticket } = (await rig.run()).client
      const line = await Line.open(lying(at), honest, { pin: await rig.pin(), ticket })
      assert.equal(line.client.failure, 'crypto_failed')
      assert.isUndefined(line.client.established)
      assert.equal(line.server.at, 'm3')
    }
  })

  it('shows a key that is no key of ours is refused before any RSA', async () => {
    let encrypted = 0
    const counting: Primitives = {
      ...nodePrimitives,
      rsaEncrypt(...given) {
        encrypted += 1
        return nodePrimitives.rsaEncrypt(...given)
      },
    }
    const even = new Uint8Array(serverKey.spki)
    even[even.length - 6] = (even[even.length - 6] ?? 0) & 0xfe
    const spkis: Bytes[] = [
      concat(serverKey.spki, u8(0)),
      endpointKey(keys.short).spki,
      even,
      new Uint8Array(),
    ]
    for (const spki of spkis) {
      const key = { spki, decrypt: serverKey.decrypt }
      const line = await Line.open(new Rig(nodePrimitives, { server: { key } }), honest, {
        primitives: counting,
      })
      assert.equal(line.client.failure, 'bad_key')
      assert.equal(line.client.at, 'dead')
    }
    assert.equal(encrypted, 0)
  })

  it('goes by another host is refused', async () => {
    const line = await Line.open(rig, honest, { host: 'other.example' })
    assert.equal(line.client.failure, 'crypto_failed')
  })
})
