/**
 * THREATS W7: what a device has stored, edited by somebody who can write there but holds none of its
 * keys. Either it is no use to them, or the person is asked, or the device comes in anew; nothing is
 * sealed twice from one state. Deleted and damaged parts: test/fault/eviction.test.ts.
 */
import { nodePrimitives } from '../../relay/node_primitives.ts'
import type { ChatOptions } from '../../web/chat/chat.ts'
import type { Dial, Transport } from '../../web/chat/transport.ts'
import { openVault } from '../../web/chat/vault.ts'
import { type Bytes, fromHex, hex } from '../../web/protocol/bytes.ts'
import type { EndpointKey } from '../../web/protocol/endpoint_key.ts'
import { acceptHandshake } from '../../web/protocol/handshake_server.ts'
import { encodeParams } from '../../web/protocol/params.ts'
import { makeTicket, type Ticket, TicketStore } from '../../web/protocol/tickets.ts'
import { otherServerKey } from '../support/handshake_rig.ts'
import type { MemoryStorage } from '../support/memory_storage.ts'
import { inLobby, lobbyOf, type Peer, quickIdentity, Stand, texts } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

const QUIET = { log: () => undefined }

/** Takes every ticket for the one that was planted: its id is seen in M1. */
class Planted extends TicketStore {
  planted: Ticket | undefined

  override find(id: Bytes): Ticket | undefined {
    return this.planted && { ...this.planted, id }
  }

  override consume(): boolean {
    return this.planted !== undefined
  }
}

/** An endpoint in this process that holds a ticket, and not the key that people know. */
class Impostor {
  readonly tickets = new Planted()
  /** Resolves when somebody has taken it for the endpoint. */
  believed = false
  readonly modes: string[] = []
  readonly #key: EndpointKey

  constructor(key: EndpointKey) {
    this.#key = key
  }

  readonly dial: Dial = async () => {
    const { promise: closed, resolve: close } = Promise.withResolvers<{ reason: string }>()
    const answers: Bytes[] = []
    let waiting: (() => void) | undefined
    let over = false
    const answer = (frame: Bytes): void => {
      answers.push(frame)
      waiting?.()
    }
    const end = (): void => {
      over = true
      close({ reason: 'over' })
      waiting?.()
    }
    let m3: ((frame: Bytes) => Promise<unknown>) | undefined
    const take = async (frame: Bytes): Promise<void> => {
      if (m3 !== undefined) {
        await m3(frame)
        this.believed = true
        return
      }
      const accepting = await acceptHandshake(await this.#options(), frame)
      this.modes.push(accepting.mode)
      m3 = accepting.receive
      answer(accepting.m2)
    }
    return {
      send: (frame: Uint8Array) => void take(new Uint8Array(frame)).catch(end),
      buffered: 0,
      close: end,
      closed,
      async *[Symbol.asyncIterator]() {
        for (;;) {
          for (let next = answers.shift(); next; next = answers.shift()) yield next
          if (over) return
          await new Promise<void>((resolve) => {
            waiting = resolve
          })
        }
      },
    } as unknown as Transport
  }

  async #options() {
    const params = encodeParams({
      status: 'ok',
      sessionId: new Uint8Array(16),
      account: 'alice',
      logPub: new Uint8Array(32).fill(7),
      limits: { maxMessage: 1 << 20, idle: 90 },
    })
    return {
      primitives: nodePrimitives,
      host: 'localhost',
      key: this.#key,
      tickets: this.tickets,
      admit: async () => ({ params, admission: '' }),
      rsa: <T>(work: () => Promise<T>) => work(),
      now: () => Date.now(),
    }
  }
}

describe('a store that somebody has edited (W7)', () => {
  let stand: Stand
  let bob: Peer
  before(async () => {
    stand = await Stand.start()
    ;[bob] = (await stand.join('bob')) as [Peer]
  })
  after(() => stand.close())

  /** A person who has talked, and is away now. */
  async function gone(name: string): Promise<Peer> {
    const [peer] = (await stand.join(name)) as [Peer]
    const lobby = lobbyOf(peer.chat)
    await peer.chat.send(lobby, `${name} was here`)
    await until(bob.chat, async () =>
      (await texts(bob.chat, lobby)).includes(`${name}: ${name} was here`),
    )
    await until(peer.chat, async () =>
      (await texts(peer.chat, lobby)).includes(`${name}: ${name} was here`),
    )
    await peer.chat.disconnect()
    return peer
  }

  async function edit(
    peer: Peer,
    changes: ReadonlyMap<string, unknown>,
    options: Partial<ChatOptions> = {},
  ) {
    await peer.profile.storage.write(changes)
    stand.crash(peer, { ...QUIET, ...options })
  }

  const blocking = ({ chat }: Peer) =>
    until(chat, ({ notices }) => notices.some((notice) => notice.blocking), 'the person is asked')

  it('with a ticket whose key they know: nobody passes for the endpoint by it', async () => {
    const alice = await gone('alice')
    const impostor = new Impostor(otherServerKey)
    const mine = await nodePrimitives.sha256(otherServerKey.spki)
    const { user, device, identity, storage } = alice.profile
    const { spki } = identity
    const known = fromHex(stand.endpoint.fingerprint)
    const psk = await nodePrimitives.hmacKey(new Uint8Array(32).fill(66))
    const binding = { host: 'localhost', user, device, spki, endpointKey: known }
    const forged = await makeTicket(nodePrimitives, psk, binding, '', Date.now(), Date.now())
    impostor.tickets.planted = { ...forged, endpointKey: mine }
    const real = (await storage.read('ticket')) as { sealed?: Bytes }
    const plants: unknown[] = [forged, { ...forged, ...real, psk }]
    for (const plant of plants) {
      impostor.modes.length = 0
      await edit(alice, new Map([['ticket', plant]]), { dial: impostor.dial })
      alice.chat.connect()
      await until(alice.chat, ({ connection }) => connection.phase === 'stopped')
      assert.deepEqual(impostor.modes, ['full'])
      assert.isFalse(impostor.believed)
      await blocking(alice)
      await edit(alice, new Map([['notices', undefined]]))
    }
    alice.chat.connect()
    await inLobby(alice.chat)
  })

  it('with the ticket of another visit: it is worth nothing, and the visit goes on', async () => {
    const anna = await gone('anna')
    const { storage } = anna.profile
    const old = await storage.read('ticket')
    anna.chat.connect()
    await inLobby(anna.chat)
    await anna.chat.disconnect()
    await edit(anna, new Map([['ticket', old]]))
    anna.chat.connect()
    const { connection } = await until(anna.chat, ({ connection }) => connection.phase === 'online')
    assert.isFalse(connection.phase === 'online' && connection.resumed)
    await inLobby(anna.chat)
  })

  it('with pins of their own, sealed under another key or for another host', async () => {
    const carol = await gone('carol')
    const { storage, vault } = carol.profile
    const algorithm = { name: 'AES-GCM', length: 256 }
    const key = await crypto.subtle.generateKey(algorithm, false, ['encrypt', 'decrypt'])
    const pins = { endpoint: { fingerprint: new Uint8Array(32), verified: true }, people: [] }
    const plants = [
      await openVault(key).seal('pins/localhost', pins),
      // Somebody who makes the page pin another host could move those pins here.
      await vault.seal('pins/evil.example', pins),
      pins,
    ]
    for (const plant of plants) {
      let dials = 0
      const dial: Dial = (signal) => {
        dials += 1
        return stand.dial(signal)
      }
      const before = await storage.read('pins/localhost')
      await edit(carol, new Map([['pins/localhost', plant]]), { dial })
      carol.chat.connect()
      await blocking(carol)
      assert.equal(dials, 0, 'nothing is sent before the person decides')
      await edit(
        carol,
        new Map([
          ['pins/localhost', before],
          ['notices', undefined],
        ]),
      )
    }
  })

  it('with the whole of another person’s key: the endpoint and the person notice', async () => {
    const dave = await gone('dave')
    const { storage } = dave.profile
    const thief = await quickIdentity()
    dave.profile = { ...dave.profile, identity: thief }
    await edit(dave, new Map([['ticket', undefined]]))
    dave.chat.connect()
    await until(dave.chat, ({ notices }) => notices.some(({ id }) => id === 'not_accepted'))
    assert.notEqual(dave.chat.state.connection.phase, 'online')
    assert.isDefined(await storage.read(`group/${lobbyOf(bob.chat)}`))
  })

  it('with another device’s number: it comes in as that device, with keys of its own', async () => {
    const erin = await gone('erin')
    const room = lobbyOf(bob.chat)
    const device = crypto.getRandomValues(new Uint8Array(16))
    erin.profile = { ...erin.profile, device }
    await edit(erin, new Map([['ticket', undefined]]))
    erin.chat.connect()
    await inLobby(erin.chat)
    await erin.chat.send(room, 'from another device')
    await until(bob.chat, async () =>
      (await texts(bob.chat, room)).includes('erin: from another device'),
    )
    const devices = await erin.chat.devices()
    assert.include(
      devices.map((one) => one.device),
      hex(device),
    )
  })

  /** Copies the values of `prefixes` from an older store. */
  async function from(old: MemoryStorage, ...keys: string[]) {
    const values = await old.readMany(keys)
    return new Map(keys.map((key, i) => [key, values[i]]))
  }

  it('with group and cursor put back before a message that is on its way: it seals nothing from there', async () => {
    const fred = await gone('fred')
    const room = lobbyOf(fred.chat)
    const { storage } = fred.profile
    // Sealed and stored, and then the process died before the endpoint had it.
    const before = storage.copy()
    let stored = false
    const cut: Dial = async (signal) => {
      const real = await stand.dial(signal)
      const closed = real.closed
      return {
        send: (frame) => {
          if (!stored) real.send(frame)
        },
        get buffered() {
          return real.buffered
        },
        close: () => real.close(),
        closed,
        [Symbol.asyncIterator]: () => real[Symbol.asyncIterator](),
      }
    }
    stand.crash(fred, { ...QUIET, dial: cut })
    fred.profile.storage.onWrite = (changes) => {
      if (
        [...changes.keys()].some((key) => key.startsWith('outbox/')) &&
        changes.has(`group/${room}`)
      )
        stored = true
    }
    fred.chat.connect()
    await inLobby(fred.chat)
    await fred.chat.send(room, 'sealed and not sent')
    await until(fred.chat, () => stored, 'it is sealed')
    // What the editor puts back: the state from which the waiting message was sealed.
    stand.crash(fred, QUIET)
    await edit(fred, await from(before, `group/${room}`, `room/${room}`))
    fred.chat.connect()
    await inLobby(fred.chat)
    await fred.chat.send(room, 'the next one')
    await until(bob.chat, async () => (await texts(bob.chat, room)).includes('fred: the next one'))
    const seen = (await texts(bob.chat, room)).filter((text) => text.startsWith('fred'))
    assert.deepEqual(seen, [
      'fred: fred was here',
      'fred: sealed and not sent',
      'fred: the next one',
    ])
    const { length = 0 } = fred.chat.state.rooms[0] ?? {}
    const items = await fred.chat.timeline(room, 0, length)
    assert.isTrue(
      items.some((item) => item.kind === 'system' && /older|not the newest/.test(item.text)),
      JSON.stringify(items.slice(-4)),
    )
  })
})
