/** THREATS R12, D2: M3 as an oracle. One answer, after the same work, whatever was wrong. */
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { type Bytes, fromHex, hex } from '../../web/protocol/bytes.ts'
import { type EndpointKey, importEndpointKeyPem } from '../../web/protocol/endpoint_key.ts'
import type { ClientOptions } from '../../web/protocol/handshake_client.ts'
import { acceptHandshake } from '../../web/protocol/handshake_server.ts'
import { writePem } from '../../web/protocol/pem.ts'
import type { Primitives } from '../../web/protocol/primitives.ts'
import { checkSpki } from '../../web/protocol/spki.ts'
import { ClientEnd, ServerEnd } from '../support/ends.ts'
import { Rig, serverKey, signer } from '../support/handshake_rig.ts'
import { full, seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'
import { TELLING, welch } from '../support/welch.ts'
import keys from '../vectors/keys.json' with { type: 'json' }

/** Whether RSA begins at all: engines refuse what is not as long as the modulus and below it. */
function runs(number: Bytes, spki: Bytes): boolean {
  const modulus = checkSpki(spki, { least: 2048 })
  return number.length === modulus.length && hex(number) < hex(modulus)
}

/** An endpoint whose every costly operation is counted. */
function counted() {
  const count: Record<string, number> = {}
  const tally = (name: string) => {
    count[name] = (count[name] ?? 0) + 1
  }
  const primitives: Primitives = { ...nodePrimitives }
  for (const name of ['sha256', 'hmac'] as const) {
    const operation = nodePrimitives[name] as (...args: unknown[]) => never
    Object.assign(primitives, {
      [name]: (...args: unknown[]) => {
        tally(name)
        return operation(...args)
      },
    })
  }
  const { rsaVerify } = primitives
  primitives.rsaVerify = (spki, signature, data) => {
    if (runs(signature, spki)) tally('verify')
    return rsaVerify(spki, signature, data)
  }
  const key: EndpointKey = {
    spki: serverKey.spki,
    decrypt(ct, label) {
      if (runs(ct, serverKey.spki)) tally('decrypt')
      return serverKey.decrypt(ct, label)
    },
  }
  const rig = new Rig(nodePrimitives, {
    server: {
      primitives,
      key,
      admit: async () => {
        tally('admit')
        return 'refused'
      },
    },
  })
  return { rig, count }
}

type Spoil = (m3: Bytes) => Bytes

/** One handshake whose M3 is made by `change` and spoilt by `spoil`: the work, and the answer. */
async function attempt(change: Partial<ClientOptions>, spoil: Spoil = (m3) => m3) {
  const { rig, count } = counted()
  const client = await ClientEnd.start(rig, change)
  const server = new ServerEnd(rig)
  await server.take(client.out.shift() as Bytes)
  await client.take(server.out.shift() as Bytes)
  for (const name of Object.keys(count)) delete count[name]
  await server.take(spoil(client.out.shift() as Bytes))
  return { count, answer: server.out.map(hex), failure: server.failure }
}

const encrypting = (rsaEncrypt: Primitives['rsaEncrypt']): Partial<ClientOptions> => ({
  primitives: { ...nodePrimitives, rsaEncrypt },
})

const flip =
  (at: number): Spoil =>
  (m3) => {
    const changed = new Uint8Array(m3)
    changed[at] = (changed[at] ?? 0) ^ 1
    return changed
  }

/** Everything that can be wrong with M3, one at a time. */
const WRONGS: readonly { name: string; change?: Partial<ClientOptions>; spoil?: Spoil }[] = [
  { name: 'nothing but the directory' },
  { name: 'E3a does not open', spoil: flip(10) },
  { name: 'E3b does not open', spoil: flip(1000) },
  { name: 'M3 is no M3', spoil: () => new Uint8Array(5) },
  { name: 'M3 is empty', spoil: () => new Uint8Array() },
  {
    name: 'OAEP under another label',
    change: encrypting((spki, _, ss) => nodePrimitives.rsaEncrypt(spki, new Uint8Array(4), ss)),
  },
  {
    name: 'OAEP of 31 bytes',
    change: encrypting((spki, label, ss) => nodePrimitives.rsaEncrypt(spki, label, ss.slice(1))),
  },
  { name: 'a ciphertext of chance', change: encrypting(() => randomBelow(384)) },
  {
    name: 'a ciphertext past the modulus',
    change: encrypting(() => new Uint8Array(384).fill(255)),
  },
  { name: 'a ciphertext of another length', change: encrypting(() => new Uint8Array(300)) },
  { name: 'no ciphertext', change: encrypting(() => new Uint8Array()) },
  {
    name: 'a signature of another length',
    change: { identity: signing(async () => new Uint8Array(256)) },
  },
  {
    name: 'a signature past the modulus',
    change: { identity: signing(async () => new Uint8Array(384).fill(255)) },
  },
  { name: 'a signature of zeros', change: { identity: signing(async () => new Uint8Array(384)) } },
  { name: 'somebody else’s signature', change: { identity: signing(signer('other').sign) } },
  {
    name: 'a key out of the template',
    change: { identity: { spki: changedSpki(), sign: signer('client').sign } },
  },
]

function signing(sign: (data: Bytes) => Promise<Bytes>) {
  return { spki: signer('client').spki, sign }
}

function changedSpki(): Bytes {
  const spki = new Uint8Array(signer('client').spki)
  spki[spki.length - 1] = 3
  return spki
}

function randomBelow(length: number): Bytes {
  const bytes = nodePrimitives.random(length)
  bytes[0] = 0
  return bytes
}

describe('an M3 with something wrong in it', () => {
  it('gets one alert, whatever it is', async () => {
    for (const { name, change = {}, spoil } of WRONGS) {
      const { answer, failure } = await attempt(change, spoil)
      assert.deepEqual(answer, ['1502'], name)
      assert.equal(failure, 'handshake_failed', name)
    }
  })

  it('costs the endpoint the same operations, whatever it is', async () => {
    for (const { name, change = {}, spoil } of WRONGS) {
      const { count } = await attempt(change, spoil)
      assert.deepInclude(count, { decrypt: 1, verify: 1, admit: 1 }, name)
      // T4 to T7; two AEADs of two, AS with c_au and s_au of four, fin_c of two.
      assert.deepEqual([count.sha256, count.hmac], [4, 10], name)
    }
  })

  it('of ten thousand kinds gets one alert of one frame', () =>
    seeded(async (random) => {
      for (let i = 0; i < (full ? 10_000 : 100); i++) {
        const ct = random.bytes(384)
        if (random.below(2) === 0) ct[0] = 0
        const { answer } = await attempt(encrypting(() => ct))
        assert.deepEqual(answer, ['1502'])
      }
    }))

  it('never tells its cause: the error that the endpoint sees has none', async () => {
    const { rig } = counted()
    const client = await ClientEnd.start(rig)
    const accepting = await acceptHandshake(rig.server, client.out[0] as Bytes)
    const error = await accepting.receive(new Uint8Array(9)).then(
      () => assert.fail('accepted'),
      (failure: Error) => failure,
    )
    assert.isUndefined(error.cause)
    assert.equal(error.message, 'The client was not accepted.')
  })
})

/** m^65537 mod n: a raw ciphertext of any plaintext integer that an attacker likes. */
function rawEncrypt(message: bigint, modulus: bigint): Bytes {
  let result = message
  for (let i = 0; i < 16; i++) result = (result * result) % modulus
  result = (result * message) % modulus
  return fromHex(result.toString(16).padStart(768, '0'))
}

// Takes minutes and a quiet machine, so only with the full counts.
if (full)
  describe('the time of an OAEP failure', () => {
    it('does not tell a plaintext under B from one above it (Manger)', () =>
      seeded(async (random) => {
        const modulus = BigInt(`0x${hex(checkSpki(serverKey.spki, { least: 3072 }))}`)
        const key = await importEndpointKeyPem(writePem('PRIVATE KEY', fromHex(keys.server.pkcs8)))
        const B = 2n ** (8n * 383n)
        const times: [number[], number[]] = [[], []]
        for (let i = 0; i < 100_000; i++) {
          const kind = random.below(2) as 0 | 1
          const any = BigInt(`0x${hex(random.bytes(384))}`)
          const message = kind === 0 ? any % B : B + (any % (modulus - B))
          const ct = rawEncrypt(message, modulus)
          const start = performance.now()
          await key.decrypt(ct, new Uint8Array(44)).catch(() => undefined)
          times[kind].push(performance.now() - start)
        }
        const t = welch(...times)
        console.log(
          `R12: t = ${t.toFixed(2)} over ${times[0].length} and ${times[1].length} failures`,
        )
        assert.isBelow(Math.abs(t), TELLING)
      }))
  })
