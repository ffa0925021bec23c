/**
 * THREATS R14: tickets, in eight cases, each over many seeds. Whatever is done with one, at most one
 * session comes of it, and its owner always gets in by a full handshake.
 */
import { nodePrimitives } from '../../relay/node_primitives.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import type { ClientOptions } from '../../web/protocol/handshake_client.ts'
import type { ServerEstablished } from '../../web/protocol/handshake_server.ts'
import { TICKET_CHAIN_MS, TICKET_LIFE_MS, type Ticket } from '../../web/protocol/tickets.ts'
import { ClientEnd, ServerEnd } from '../support/ends.ts'
import { PARAMS, Rig, signer } from '../support/handshake_rig.ts'
import { full, type Random, random, seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

const SEEDS = full ? 1_000 : 100

/** The directory's word for somebody who may enter, and for one who may not. */
const WORD = 'member'
const REFUSED = 'refused'

interface Directory {
  word: string
}

/** An endpoint, its clock and directory, and a client that holds a ticket of it. */
class Case {
  readonly rig: Rig
  readonly random: Random
  readonly pin: Bytes
  readonly ticket: Ticket
  readonly #directory: Directory

  private constructor(rig: Rig, random: Random, pin: Bytes, ticket: Ticket, words: Directory) {
    this.rig = rig
    this.random = random
    this.pin = pin
    this.ticket = ticket
    this.#directory = words
  }

  static async make(random: Random): Promise<Case> {
    const directory = { word: WORD }
    const rig = new Rig(nodePrimitives, {
      server: {
        admit: async ({ user }) => {
          const { word } = directory
          return user === '' || word === REFUSED ? REFUSED : { params: PARAMS, admission: word }
        },
      },
    })
    rig.time = random.u32()
    const { client } = await rig.run()
    return new Case(rig, random, await rig.pin(), client.ticket, directory)
  }

  /** What the directory says of everybody from now on. */
  set word(word: string) {
    this.#directory.word = word
  }

  /** M1 with the ticket, by its owner or by somebody who has taken it and changed what is stated. */
  async hello(change: Partial<ClientOptions> = {}): Promise<ClientEnd> {
    return ClientEnd.start(this.rig, { pin: this.pin, ticket: this.ticket, ...change })
  }

  /** Plays a whole connection; true when both ends hold a session, by the ticket or not. */
  async whole(client: ClientEnd): Promise<'resumed' | 'full' | undefined> {
    const server = new ServerEnd(this.rig)
    for (let i = 0; i < 2; i++) {
      const up = client.out.shift()
      if (up) await server.take(up)
      const down = server.out.shift()
      if (down) await client.take(down)
    }
    return server.at === 'session' && client.at === 'session' ? server.established?.mode : undefined
  }

  /** The owner is let in, in this mode. */
  async ownerGets(mode: 'resumed' | 'full', what: string): Promise<void> {
    assert.equal(await this.whole(await this.hello()), mode, what)
  }
}

/** Plays the first message of somebody to the endpoint, then M3 as it is given. */
async function play(rig: Rig, m1: Bytes, m3: Bytes): Promise<ServerEnd> {
  const server = new ServerEnd(rig)
  await server.take(m1)
  await server.take(m3)
  return server
}

const CASES: Record<string, (one: Case) => Promise<void>> = {
  async 'its M1 and M3 played again'(one) {
    const client = await one.hello()
    const server = new ServerEnd(one.rig)
    const m1 = client.out.shift() as Bytes
    await server.take(m1)
    await client.take(server.out.shift() as Bytes)
    const m3 = client.out.shift() as Bytes
    // Before its owner's M3 has come, and after.
    const before = one.random.below(2) === 0
    const times = 1 + one.random.below(3)
    const thief = async () => {
      for (let i = 0; i < times; i++)
        assert.equal((await play(one.rig, m1, m3)).failure, 'handshake_failed')
    }
    if (before) await thief()
    await server.take(m3)
    assert.equal(server.at, 'session')
    if (!before) await thief()
    await one.ownerGets('full', 'it is used up')
  },

  async 'a wrong binder'(one) {
    const m1 = (await one.hello()).out[0] as Bytes
    const changed = new Uint8Array(m1)
    const at = m1.length - 1 - one.random.below(32)
    changed[at] = (changed[at] ?? 0) ^ (1 << one.random.below(8))
    const server = new ServerEnd(one.rig)
    await server.take(changed)
    // The answer is what somebody without a ticket gets: its key, under mode 0.
    assert.equal((server.out[0] as Bytes)[70], 0)
    await one.ownerGets('resumed', 'it is good still')
  },

  async 'the binder of another hello'(one) {
    const [first, second] = [await one.hello(), await one.hello()]
    const [m1, other] = [first.out[0] as Bytes, second.out[0] as Bytes]
    const changed = new Uint8Array(m1)
    changed.set(other.slice(-32), m1.length - 32)
    const server = new ServerEnd(one.rig)
    await server.take(changed)
    assert.equal((server.out[0] as Bytes)[70], 0)
    await one.ownerGets('resumed', 'it is good still')
  },

  async 'used by many at once'(one) {
    const count = 2 + one.random.below(4)
    const clients = await Promise.all(Array.from({ length: count }, () => one.hello()))
    const servers = clients.map(() => new ServerEnd(one.rig))
    const each = (step: (client: ClientEnd, server: ServerEnd) => Promise<void>) =>
      Promise.all(clients.map((client, i) => step(client, servers[i] as ServerEnd)))
    await each((client, server) => server.take(client.out.shift() as Bytes))
    await each((client, server) => client.take(server.out.shift() as Bytes))
    await each((client, server) => server.take(client.out.shift() as Bytes))
    assert.lengthOf(
      servers.filter(({ at }) => at === 'session'),
      1,
    )
    await one.ownerGets('full', 'it is used up')
  },

  async 'after its owner was removed, or admitted by another word'(one) {
    const word = one.random.pick([REFUSED, 'another', ''])
    one.word = word
    const mode = await one.whole(await one.hello())
    assert.equal(mode, word === REFUSED ? undefined : 'full')
    // It is not worth more when all is as before.
    one.word = WORD
    await one.ownerGets('full', 'it is worth nothing')
  },

  async 'by another device, user, key or host'(one) {
    const others: Partial<ClientOptions>[] = [
      { device: one.random.bytes(16) },
      { user: 'mallory' },
      { identity: signer('other') },
      { host: 'other.example' },
    ]
    const { random, ticket } = one
    const change = random.pick(others)
    // An honest client does not even offer it …
    const honest = await one.hello(change)
    assert.isBelow((honest.out[0] as Bytes).length, 100)
    // … and a thief who makes the ticket say so enters as its owner, or not at all.
    const { identity, ...same } = change
    const told = identity === undefined ? same : { ...same, spki: identity.spki }
    const thief = await one.hello({ ...change, ticket: { ...ticket, ...told } })
    const server = new ServerEnd(one.rig)
    await server.take(thief.out.shift() as Bytes)
    if (server.out[0]) await thief.take(server.out.shift() as Bytes)
    const m3 = thief.out.shift()
    if (m3) await server.take(m3)
    const made = server.established as ServerEstablished | undefined
    if (change.host !== undefined) {
      // The endpoint's answer proves nothing under the other name: the thief's own end has refused
      // it, and the endpoint waits for M3 until the stream is over.
      assert.equal(thief.failure, 'crypto_failed')
      assert.isUndefined(m3)
      assert.equal(server.endOfStream(), 'truncated')
      assert.isUndefined(made)
      await one.ownerGets('resumed', 'it is good still')
      return
    }
    if (made?.mode !== 'resumed') assert.fail('the ticket was not taken')
    assert.equal(made.peer.user, ticket.user)
    assert.deepEqual(made.peer.device, ticket.device)
    assert.deepEqual(made.peer.spki, ticket.spki)
    await one.ownerGets('full', 'it is used up')
  },

  async 'too old by its endpoint’s clock, whatever the client thinks'(one) {
    const { rig, random } = one
    const by = TICKET_LIFE_MS + random.below(10 * TICKET_CHAIN_MS)
    const between = random.below(2) === 0
    const server = new ServerEnd(rig)
    if (!between) rig.time += by
    const client = await one.hello({ now: () => one.ticket.lastFull })
    await server.take(client.out.shift() as Bytes)
    await client.take(server.out.shift() as Bytes)
    if (between) rig.time += by
    await server.take(client.out.shift() as Bytes)
    if (between) assert.equal(server.failure, 'handshake_failed')
    else assert.equal(server.established?.mode, 'full')
    await one.ownerGets('full', 'it is worth nothing')
  },

  async 'by a clock that was set back'(one) {
    const { rig, random, ticket } = one
    const start = rig.time
    // Its owner used it; afterwards the clock shows a time at which it was still good.
    await one.ownerGets('resumed', 'in time')
    rig.time = start - random.below(TICKET_LIFE_MS)
    assert.isUndefined(rig.tickets.find(ticket.id, rig.time))
    await one.ownerGets('full', 'it is used up')
    // A client whose clock is before the ticket was made does not offer it.
    const now = () => ticket.lastFull - 1 - random.below(TICKET_LIFE_MS)
    assert.isBelow(((await one.hello({ now })).out[0] as Bytes).length, 100)
  },
}

describe('a ticket (R14)', () => {
  for (const [name, play] of Object.entries(CASES))
    it(`${name}: at most one session, over ${SEEDS} seeds`, () =>
      seeded(async (chance) => {
        for (let i = 0; i < SEEDS; i++) {
          const one = random(chance.u32())
          try {
            await play(await Case.make(one))
          } catch (error) {
            if (error instanceof Error) error.message += ` (case of seed ${one.seed})`
            throw error
          }
        }
      }))
})
