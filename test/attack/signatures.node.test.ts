/**
 * THREATS E7: one signature in the place of another. A person's RSA key signs handshakes and MLS
 * bindings, the endpoint's log key signs casts. Each of them is offered where each other one is
 * expected, with the bytes that were signed chosen as well as an attacker could.
 */
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { type Bytes, concat, u8, u16, u64, utf8 } from '../../web/protocol/bytes.ts'
import { type CastEntry, CastOpener, CastSealer } from '../../web/protocol/cast.ts'
import { signedPart } from '../../web/protocol/handshake_messages.ts'
import type { Signer } from '../../web/protocol/identity.ts'
import {
  makeBinding,
  readBinding,
  SUITE_ID,
  verifyBinding,
} from '../../web/protocol/mls_credential.ts'
import type { SigningPair } from '../../web/protocol/primitives.ts'
import { honest, Line } from '../support/ends.ts'
import { Rig, signer, USER } from '../support/handshake_rig.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

const NOW = Date.now()
const HOST = new Uint8Array(32).fill(7)
const DEVICE = new Uint8Array(16).fill(1)
const KEY = new Uint8Array(32).fill(2)
const ROOM = new Uint8Array(16).fill(3)
const SECRET = new Uint8Array(32).fill(4)
const ENTRY: CastEntry = { room: ROOM, seq: 1, chain: new Uint8Array(32).fill(5), mls: utf8('mls') }
const RSA_SIGNATURE = 384
const CAST_SIGNATURE = 64

const rig = new Rig(nodePrimitives)
const person = signer('client')

/** A signer that keeps what it was asked to sign, and signs it. */
function watched({
  spki,
  sign,
}: Signer): Signer & { readonly asked: Bytes[]; readonly made: Bytes[] } {
  const asked: Bytes[] = []
  const made: Bytes[] = []
  return {
    ...{ spki, asked, made },
    async sign(data) {
      const signature = await sign(data)
      asked.push(data)
      made.push(signature)
      return signature
    },
  }
}

/** The signature that a real handshake, binding or cast has on it, with the bytes under it. */
interface Signed {
  readonly data: Bytes
  readonly signature: Bytes
}

async function ofHandshake(): Promise<Signed> {
  const identity = watched(person)
  await rig.run({ identity })
  return { data: identity.asked[0] as Bytes, signature: identity.made[0] as Bytes }
}

async function ofBinding(): Promise<Signed> {
  const identity = watched(person)
  const claim = { user: USER, device: DEVICE, hostKeyHash: HOST, signatureKey: KEY }
  await makeBinding(identity, claim, NOW)
  return { data: identity.asked[0] as Bytes, signature: identity.made[0] as Bytes }
}

async function ofCast(): Promise<Signed> {
  const pair = await nodePrimitives.ed25519()
  let signed: Signed | undefined
  const logKey: SigningPair = {
    ...pair,
    async sign(data) {
      const signature = await pair.sign(data)
      signed = { data, signature }
      return signature
    },
  }
  await new CastSealer(nodePrimitives, SECRET, logKey).seal(ENTRY)
  return signed ?? assert.fail('nothing was signed')
}

// ── where each is expected ──

/** The endpoint's answer to a handshake with this signature in M3. */
async function asHandshake(signature: Bytes): Promise<string | undefined> {
  const identity = { spki: person.spki, sign: async () => signature }
  const line = await Line.open(rig, honest, { identity })
  return line.server.failure
}

/** A member's verdict over a binding with this signature. */
async function asBinding(signature: Bytes): Promise<void> {
  const seconds = Math.floor(NOW / 1000)
  const name = utf8(USER)
  const identity = concat(
    ...[u8(1), HOST, u8(name.length), name, DEVICE, u16(person.spki.length), person.spki],
    ...[u64(seconds - 60), u64(seconds + 86_400), u16(SUITE_ID)],
    ...[u16(signature.length), signature],
  )
  // It is a binding, but for its signature.
  assert.equal((await readBinding(identity, KEY)).user, USER)
  await verifyBinding(identity, KEY, HOST, NOW)
}

/** A subscriber's verdict over a cast frame with this signature. */
async function asCast(signature: Bytes): Promise<CastEntry | undefined> {
  const { publicKey } = await nodePrimitives.ed25519()
  const forger = { publicKey, sign: async () => signature }
  const frame = await new CastSealer(nodePrimitives, SECRET, forger).seal(ENTRY)
  const opener = await CastOpener.make(nodePrimitives, SECRET, publicKey, ROOM)
  return opener.open(frame)
}

const resized = (signature: Bytes, length: number): Bytes => {
  const bytes = new Uint8Array(length)
  bytes.set(signature.subarray(0, length))
  return bytes
}

describe('a signature that was made for something else (E7)', () => {
  it('for a handshake is no binding', async () => {
    const { signature } = await ofHandshake()
    await fails('bad_member', () => asBinding(signature))
  })

  it('for a handshake is no cast', async () => {
    const { signature } = await ofHandshake()
    await fails('crypto_failed', () => asCast(resized(signature, CAST_SIGNATURE)))
  })

  it('for a binding is no proof in a handshake', async () => {
    const { signature } = await ofBinding()
    assert.equal(await asHandshake(signature), 'handshake_failed')
  })

  it('for a binding is no cast', async () => {
    const { signature } = await ofBinding()
    await fails('crypto_failed', () => asCast(resized(signature, CAST_SIGNATURE)))
  })

  it('for a cast is no proof in a handshake', async () => {
    const { signature } = await ofCast()
    assert.equal(await asHandshake(resized(signature, RSA_SIGNATURE)), 'handshake_failed')
  })

  it('for a cast is no binding', async () => {
    const { signature } = await ofCast()
    await fails('bad_member', () => asBinding(resized(signature, RSA_SIGNATURE)))
  })

  it('could not be had by choosing what is signed: no two begin alike', async () => {
    const all = [await ofHandshake(), await ofBinding(), await ofCast()]
    const [handshake, binding, cast] = all.map(({ data }) => Buffer.from(data).toString('latin1'))
    const spaces = ' '.repeat(64)
    assert.isTrue(handshake?.startsWith(`${spaces}sotto1 client auth\0`))
    assert.isTrue(binding?.startsWith(`${spaces}sotto1 mls binding\0`))
    assert.isTrue(cast?.startsWith('sotto1 cast\0'))
    // The hash that is signed in a handshake is all that can be chosen, and stands behind its name.
    assert.equal(handshake?.length, 64 + 'sotto1 client auth'.length + 1 + 32)
    assert.equal(binding?.length, 64 + 'sotto1 mls binding'.length + 1 + 32)
    assert.deepEqual(all[0]?.data, signedPart(all[0]?.data.slice(-32) as Bytes))
  })
})

describe('the one key of a person in two uses (E7)', () => {
  /** Signs whatever the other use would have had signed, as an attacker who chooses it might. */
  const across = (data: Bytes): Signer => ({ spki: person.spki, sign: () => person.sign(data) })

  it('a handshake whose signature is over a binding’s bytes is refused', async () => {
    const { data } = await ofBinding()
    const line = await Line.open(rig, honest, { identity: across(data) })
    assert.equal(line.server.failure, 'handshake_failed')
  })

  it('a binding whose signature is over a handshake’s bytes is refused', async () => {
    const { data } = await ofHandshake()
    await fails('bad_member', async () => asBinding(await across(data).sign(data)))
  })

  it('the true ones are taken at the same places', async () => {
    assert.isUndefined(await Line.open(rig).then(({ server }) => server.failure))
    const claim = { user: USER, device: DEVICE, hostKeyHash: HOST, signatureKey: KEY }
    const { encoded } = await makeBinding(person, claim, NOW)
    assert.equal((await verifyBinding(encoded, KEY, HOST, NOW)).user, USER)
    const logKey = await nodePrimitives.ed25519()
    const frame = await new CastSealer(nodePrimitives, SECRET, logKey).seal(ENTRY)
    const opener = await CastOpener.make(nodePrimitives, SECRET, logKey.publicKey, ROOM)
    assert.equal((await opener.open(frame))?.seq, 1)
  })
})
