import type { Bytes } from '../../web/protocol/bytes.ts'
import { startHandshake } from '../../web/protocol/handshake_client.ts'
import { acceptHandshake } from '../../web/protocol/handshake_server.ts'
import {
  TICKET_CHAIN_MS,
  TICKET_LIFE_MS,
  type Ticket,
  TicketStore,
} from '../../web/protocol/tickets.ts'
import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { ClientEnd, ServerEnd } from '../support/ends.ts'
import { otherServerKey, PARAMS, Rig, signer } from '../support/handshake_rig.ts'
import { seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

/** An endpoint, and a client that holds a ticket of it. */
async function ticketed(change: ConstructorParameters<typeof Rig>[1] = {}) {
  const rig = new Rig(webPrimitives, change)
  const pin = await rig.pin()
  const { client } = await rig.run()
  return { rig, pin, ticket: client.ticket }
}

async function modeWith(rig: Rig, change: Parameters<Rig['run']>[0]) {
  return (await rig.run(change)).client.mode
}

describe('a ticket', () => {
  it('resumes once, and leaves the next one', async () => {
    const { rig, pin, ticket } = await ticketed()
    const first = await rig.run({ pin, ticket })
    assert.equal(first.server.mode, 'resumed')
    assert.equal(first.server.peer.user, 'alice')
    assert.deepEqual(first.client.params, PARAMS)
    assert.equal(await modeWith(rig, { pin, ticket }), 'full')
    assert.equal(await modeWith(rig, { pin, ticket: first.client.ticket }), 'resumed')
  })

  it('is not offered by another person, device or host, nor to another key', async () => {
    const { rig, pin, ticket } = await ticketed()
    const offered = async (change: Parameters<typeof rig.run>[0]) =>
      (await startHandshake({ ...rig.client, pin, ticket, ...change })).m1.length > 77
    assert.isTrue(await offered({}))
    assert.isFalse(await offered({ user: 'bob' }))
    assert.isFalse(await offered({ device: new Uint8Array(16) }))
    assert.isFalse(await offered({ host: 'other.example' }))
    assert.isFalse(await offered({ identity: signer('other') }))
    assert.isFalse(await offered({ pin: new Uint8Array(32) }))
    assert.isFalse(await offered({ pin: undefined }))
  })

  it('lives for 24 hours', async () => {
    const { rig, pin, ticket } = await ticketed()
    rig.time += TICKET_LIFE_MS - 1
    assert.equal(await modeWith(rig, { pin, ticket }), 'resumed')
    const later = await ticketed()
    later.rig.time += TICKET_LIFE_MS
    assert.equal(await modeWith(later.rig, { pin, ticket: later.ticket }), 'full')
  })

  it('leads back to a full handshake after 7 days of resumptions', async () => {
    const { rig, pin, ticket } = await ticketed()
    const start = rig.time
    let held = ticket
    let resumptions = 0
    for (;;) {
      rig.time += TICKET_LIFE_MS - 1
      const { client } = await rig.run({ pin, ticket: held })
      if (client.mode === 'full') break
      held = client.ticket
      resumptions += 1
    }
    assert.equal(resumptions, 7)
    assert.isAtLeast(rig.time - start, TICKET_CHAIN_MS)
  })

  it('is judged by the endpoint’s own clock: a client that thinks otherwise gets full', async () => {
    const { rig, pin, ticket } = await ticketed()
    rig.time += TICKET_LIFE_MS
    const now = () => rig.time - TICKET_LIFE_MS
    assert.equal(await modeWith(rig, { pin, ticket, now }), 'full')
  })

  it('with a wrong binder counts as none, and stays good for its owner', async () => {
    const { rig, pin, ticket } = await ticketed()
    const client = await ClientEnd.start(rig, { pin, ticket })
    const m1 = client.out[0] as Bytes
    m1[m1.length - 1] = (m1[m1.length - 1] ?? 0) ^ 1
    assert.equal((await acceptHandshake(rig.server, m1)).mode, 'full')
    assert.equal(await modeWith(rig, { pin, ticket }), 'resumed')
  })

  it('is not used up by M1 played again, only by a proof of its secret', async () => {
    const { rig, pin, ticket } = await ticketed()
    const client = await ClientEnd.start(rig, { pin, ticket })
    const m1 = client.out[0] as Bytes
    for (let i = 0; i < 3; i++) {
      const server = new ServerEnd(rig)
      await server.take(m1)
      await server.take(new Uint8Array(48))
      assert.equal(server.failure, 'handshake_failed')
    }
    assert.equal(await modeWith(rig, { pin, ticket }), 'resumed')
  })

  it('used by two at once lets one of them in', async () => {
    const { rig, pin, ticket } = await ticketed()
    const clients = [
      await ClientEnd.start(rig, { pin, ticket }),
      await ClientEnd.start(rig, { pin, ticket }),
    ]
    const servers = clients.map(() => new ServerEnd(rig))
    for (const [i, client] of clients.entries()) {
      await servers[i]?.take(client.out.shift() as Bytes)
      await client.take(servers[i]?.out.shift() as Bytes)
    }
    await Promise.all(clients.map((client, i) => servers[i]?.take(client.out.shift() as Bytes)))
    const sessions = servers.filter(({ at }) => at === 'session')
    assert.lengthOf(sessions, 1)
  })

  it('that runs out between M2 and M3 lets nobody in', async () => {
    const { rig, pin, ticket } = await ticketed()
    rig.time += TICKET_LIFE_MS - 1
    const client = await ClientEnd.start(rig, { pin, ticket })
    const server = new ServerEnd(rig)
    await server.take(client.out.shift() as Bytes)
    await client.take(server.out.shift() as Bytes)
    rig.time += 1
    await server.take(client.out.shift() as Bytes)
    assert.equal(server.failure, 'handshake_failed')
  })

  it('dies with a change of admission', async () => {
    let admission = 'member'
    const { rig, pin, ticket } = await ticketed({
      server: { admit: async () => ({ params: PARAMS, admission }) },
    })
    admission = 'guest'
    assert.equal(await modeWith(rig, { pin, ticket }), 'full')
    admission = 'member'
    assert.equal(await modeWith(rig, { pin, ticket }), 'full')
  })

  it('dies when the directory refuses its owner', async () => {
    let banned = false
    const { rig, pin, ticket } = await ticketed({
      server: { admit: async () => (banned ? 'refused' : { params: PARAMS, admission: '' }) },
    })
    banned = true
    const client = await ClientEnd.start(rig, { pin, ticket })
    const accepting = await acceptHandshake(rig.server, client.out[0] as Bytes)
    assert.equal(accepting.mode, 'full')
    assert.equal(rig.tickets.size, 0)
  })

  it('keeps its worth when its session is admitted further', async () => {
    let admission = 'guest'
    const { rig, pin, ticket } = await ticketed({
      server: { admit: async () => ({ params: PARAMS, admission }) },
    })
    admission = 'member'
    rig.tickets.readmit(ticket.id, 'member')
    assert.equal(await modeWith(rig, { pin, ticket }), 'resumed')
  })

  it('of an endpoint whose key was changed is worth nothing', async () => {
    const { rig, pin, ticket } = await ticketed()
    const changed = new Rig(webPrimitives, {
      server: { key: otherServerKey, tickets: rig.tickets },
    })
    const client = await ClientEnd.start(rig, { pin, ticket })
    assert.equal((await acceptHandshake(changed.server, client.out[0] as Bytes)).mode, 'full')
  })

  it('makes room for newer ones when there are too many', async () => {
    const tickets = new TicketStore(3)
    const { rig, ticket } = await ticketed({ server: { tickets } })
    for (let i = 0; i < 3; i++) await rig.run()
    assert.equal(tickets.size, 3)
    assert.isUndefined(tickets.find(ticket.id, rig.time))
  })

  it('is kept or gone as in a plain list, whatever comes, is used and ends', async () => {
    const { ticket } = await ticketed()
    return seeded((random) => {
      const most = 20
      const tickets = new TicketStore(most)
      let list: Ticket[] = []
      for (let now = 0; now < 5_000; now++) {
        const id = new Uint8Array(16)
        new DataView(id.buffer).setUint32(0, now)
        const fresh = { ...ticket, id, expires: now + 30 }
        // Spells in which none comes let all of them end.
        if (now % 200 < 150) {
          tickets.put(fresh, now)
          list = [...list.filter(({ expires }) => now < expires), fresh].slice(-most)
        }
        const used = random.pick([fresh, ...list])
        const known = list.some((one) => one.id === used.id && now < one.expires)
        if (random.below(2) === 0) {
          assert.equal(tickets.consume(used.id, now), known)
          list = list.filter((one) => one.id !== used.id)
        } else assert.equal(tickets.find(used.id, now) !== undefined, known)
        assert.equal(tickets.size, list.length)
      }
    })
  })

  it('has a key that nobody can read out of it', async () => {
    const { ticket } = await ticketed()
    assert.isFalse((ticket.psk as CryptoKey).extractable)
  })
})
