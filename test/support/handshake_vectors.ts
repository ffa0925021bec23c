/**
 * The full handshake and the resumption of `test/vectors/handshake.json`, which two other
 * implementations agree on: both roles must make every byte of it again.
 */
import { type Bytes, equal, fromHex, hex } from '../../web/protocol/bytes.ts'
import { startHandshake } from '../../web/protocol/handshake_client.ts'
import type { Established } from '../../web/protocol/handshake_keys.ts'
import { acceptHandshake } from '../../web/protocol/handshake_server.ts'
import type { Primitives } from '../../web/protocol/primitives.ts'
import { TicketStore } from '../../web/protocol/tickets.ts'
import vectors from '../vectors/handshake.json' with { type: 'json' }
import { endpointKey, fixedX25519 } from './handshake_rig.ts'
import { type Scripted, scripted } from './scripted.ts'
import { assert, describe, it } from './suite.ts'

/** Where the two randoms and shares stand in M1 and M2. */
const CLIENT_RANDOM = [5, 37] as const
const CLIENT_SHARE = [43, 75] as const
const SERVER_RANDOM = [4, 36] as const
const SERVER_SHARE = [38, 70] as const

/** Params are opaque to the handshake: these two bytes stand in the vectors' M4. */
const FULL_PARAMS: Bytes = Uint8Array.of(1, 2)

const full = vectors.full.messages.map(fromHex)
const resume = vectors.resume.messages.map(fromHex)

function message(of: readonly Bytes[], index: number): Bytes {
  return of[index] ?? new Uint8Array()
}

function part(bytes: Bytes, [from, to]: readonly [number, number]): Bytes {
  return bytes.slice(from, to)
}

async function pairs() {
  const client = part(message(full, 0), CLIENT_SHARE)
  const server = part(message(full, 1), SERVER_SHARE)
  return {
    client: await fixedX25519(fromHex(vectors.x25519_client_pkcs8), client),
    server: await fixedX25519(fromHex(vectors.x25519_server_pkcs8), server),
  }
}

function checkOut(established: Established, out: typeof vectors.full.out, seen: string[]): void {
  assert.equal(hex(established.transcript), out.T_final, 'T_final')
  assert.equal(hex(established.exporter), out.exporter, 'exporter')
  assert.equal(hex(established.ticket.id), out.ticket_id, 'ticket_id')
  for (const name of ['c_ap', 's_ap', 'resumption'] as const)
    assert.include(seen, out[name], `${name} became a key`)
}

/** The endpoint's side of both runs, and what its peer sent sealed. */
async function runServer(p: Primitives) {
  const tickets = new TicketStore()
  const spki = vectors.server_spki
  const key = endpointKey({ pkcs8: vectors.server_pkcs8, spki })
  let ct: Bytes = new Uint8Array()
  const script = async (m2: Bytes): Promise<Scripted> =>
    scripted(p, { x25519: (await pairs()).server, random: [part(m2, SERVER_RANDOM)] })
  const options = (primitives: Primitives, params: Bytes) => ({
    primitives,
    host: vectors.host,
    key: {
      spki: fromHex(spki),
      decrypt(sealed: Bytes, label: Bytes) {
        ct = sealed
        return key.decrypt(sealed, label)
      },
    },
    tickets,
    admit: async () => ({ params, admission: 'member' }),
    rsa: <T>(work: () => Promise<T>) => work(),
    now: () => 0,
  })
  const primitives = await script(message(full, 1))
  const accepting = await acceptHandshake(options(primitives, FULL_PARAMS), message(full, 0))
  const accepted = await accepting.receive(message(full, 2))
  return { script, options, primitives, accepting, accepted, ct }
}

/** The client's side of both runs, with ct, signature and device as the vectors have them. */
async function runClient(p: Primitives, given: { ct: Bytes; sig: Bytes; device: Bytes }) {
  const x25519 = (await pairs()).client
  const script = (m1: Bytes) =>
    scripted(p, {
      x25519,
      random: [part(m1, CLIENT_RANDOM), fromHex(vectors.session_secret)],
      ct: given.ct,
    })
  const options = (primitives: Primitives) => ({
    primitives,
    host: vectors.host,
    pin: undefined as Bytes | undefined,
    identity: { spki: fromHex(vectors.client_spki), sign: async () => given.sig },
    user: vectors.user,
    device: given.device,
    now: () => 0,
  })
  const primitives = script(message(full, 0))
  const started = await startHandshake(options(primitives))
  const answered = await started.receive(message(full, 1))
  if (answered.mode !== 'full') throw new Error('not a full handshake')
  const established = await answered.receive(message(full, 3))
  return { script, options, primitives, started, answered, established }
}

async function givenBy(p: Primitives) {
  const server = await runServer(p)
  const sig = fromHex(server.primitives.seen.signatures[0] ?? '')
  return { server, given: { ct: server.ct, sig, device: server.accepted.established.peer.device } }
}

/** Both runs, both roles, on these primitives. */
export function vectorSuite(name: string, p: Primitives): void {
  describe(`the handshake of the test vectors, on ${name}`, () => {
    it('is answered by the endpoint byte for byte', async () => {
      const { accepting, accepted, primitives } = await runServer(p)
      assert.equal(hex(accepting.m2), vectors.full.messages[1])
      assert.equal(hex(accepted.m4 ?? new Uint8Array()), vectors.full.messages[3])
      assert.equal(accepted.established.peer.user, vectors.user)
      assert.equal(hex(accepted.established.peer.spki), vectors.client_spki)
      checkOut(accepted.established, vectors.full.out, primitives.seen.keys)
    })

    it('is begun and ended by the client byte for byte', async () => {
      const { given } = await givenBy(p)
      const { started, answered, established, primitives } = await runClient(p, given)
      assert.equal(hex(started.m1), vectors.full.messages[0])
      assert.equal(hex(answered.m3), vectors.full.messages[2])
      checkOut(established, vectors.full.out, primitives.seen.keys)
    })

    it('goes through every intermediate hash and secret', async () => {
      const { server, given } = await givenBy(p)
      const client = await runClient(p, given)
      for (const { seen } of [server.primitives, client.primitives]) {
        for (const [name, value] of Object.entries(vectors.full.trace))
          assert.include(/^t/i.test(name) ? seen.hashes : seen.keys, value, name)
        assert.include(seen.hashes, vectors.full.out.T_final)
      }
      const { client: pair } = await pairs()
      const z = await pair.agree(part(message(full, 1), SERVER_SHARE))
      assert.isTrue(equal(z, fromHex(vectors.ecdh)))
    })

    it('is resumed byte for byte, with the ticket that it left', async () => {
      const { server, given } = await givenBy(p)
      const client = await runClient(p, given)
      const primitives = client.script(message(resume, 0))
      const pin = client.established.endpointKey
      const options = { ...client.options(primitives), pin, ticket: client.established.ticket }
      const started = await startHandshake(options)
      assert.equal(hex(started.m1), vectors.resume.messages[0])
      const answered = await started.receive(message(resume, 1))
      if (answered.mode !== 'resumed') throw new Error('not resumed')
      assert.equal(hex(answered.m3), vectors.resume.messages[2])
      checkOut(answered.established, vectors.resume.out, primitives.seen.keys)

      const theirs = await server.script(message(resume, 1))
      const accepting = await acceptHandshake(
        server.options(theirs, answered.established.params),
        started.m1,
      )
      assert.equal(hex(accepting.m2), vectors.resume.messages[1])
      const { established } = await accepting.receive(message(resume, 2))
      checkOut(established, vectors.resume.out, theirs.seen.keys)
      assert.equal(established.mode, 'resumed')
    })
  })
}
