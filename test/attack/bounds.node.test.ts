/**
 * THREATS D6: each thing that strangers and members can make the endpoint keep, against the number
 * that PROTOCOL.md states for it ("Limits"), and what one of it costs.
 */

import { ENDPOINT_LIMITS } from '../../relay/endpoint/endpoint.ts'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { readClearAlert, readSealedAlert } from '../../web/protocol/alerts.ts'
import { type Bytes, concat, EMPTY, u8 } from '../../web/protocol/bytes.ts'
import { startHandshake } from '../../web/protocol/handshake_client.ts'
import { encodeMessage } from '../../web/protocol/messages.ts'
import {
  type Content,
  PAYLOAD_MOST,
  RecordOpener,
  RecordSealer,
} from '../../web/protocol/record.ts'
import { makeTicket, TICKET_LIFE_MS, TicketStore } from '../../web/protocol/tickets.ts'
import { anIdentity, shakeHands, tcpLine } from '../support/bare_peer.ts'
import { EndpointStand } from '../support/endpoint_stand.ts'
import { full } from '../support/random.ts'
import { afterEach, assert, describe, it } from '../support/suite.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** Bytes of the heap and beside it that are in use, after a collection if Node lets us have one. */
function used(): number {
  ;(globalThis as { gc?: () => void }).gc?.()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

describe('what the endpoint keeps (D6)', () => {
  let stand: EndpointStand | undefined
  afterEach(async () => {
    await stand?.stop()
    stand = undefined
  })

  async function helloOf(port: number) {
    const line = await tcpLine(port)
    const first = await startHandshake({
      ...{ primitives: nodePrimitives, host: 'localhost', pin: undefined },
      ...{ identity: await anIdentity(), user: 'stranger', device: nodePrimitives.random(16) },
      now: () => performance.now(),
    })
    line.send(first.m1)
    return { line, answer: (await line.next()) as Bytes | undefined }
  }

  it('of handshakes that stand still: so many, each small; the next is told `busy`', async () => {
    const most = full ? 2_000 : 200
    stand = await EndpointStand.start({ limits: { ...ENDPOINT_LIMITS, handshakes: most } })
    const { port } = stand.endpoint
    const before = used()
    const held = []
    for (let i = 0; i < most; i++) held.push(await helloOf(port))
    assert.isTrue(held.every(({ answer }) => answer !== undefined && answer.length > 2))
    // Both ends and their sockets are in this process.
    assert.isBelow((used() - before) / most, 128 * KIB)
    const { line, answer } = await helloOf(port)
    assert.equal(answer && readClearAlert(answer), 'busy')
    line.cut()
    for (const one of held) one.line.cut()
    await stand.enter('let in').then((peer) => peer.close())
  })

  it('of connections: so many; the next is told `busy`', async () => {
    stand = await EndpointStand.start({ limits: { connections: 2 } })
    const { port } = stand.endpoint
    const held = [await helloOf(port), await helloOf(port)]
    assert.isTrue(held.every(({ answer }) => answer !== undefined && answer.length > 2))
    const { answer } = await helloOf(port)
    assert.equal(answer && readClearAlert(answer), 'busy')
    for (const one of held) one.line.cut()
  })

  it('of unfinished messages: so much in all, whatever comes between their parts', async () => {
    const part = concat(u8(1), new Uint8Array(PAYLOAD_MOST - 1))
    stand = await EndpointStand.start({ limits: { assembling: 3 * part.length } })
    const { port } = stand.endpoint
    const identity = await anIdentity()
    await (await stand.enter('alice')).close()
    const session = async () => {
      const line = await tcpLine(port)
      const established = await shakeHands(line, { user: 'alice', identity })
      const sealer = new RecordSealer(nodePrimitives, established.keys.client)
      const say = async (content: Content, payload: Bytes) =>
        line.send(await sealer.seal({ content, payload }))
      const opener = new RecordOpener(nodePrimitives, established.keys.server)
      const alert = async (): Promise<string> => {
        const { content, payload } = await opener.open((await line.next()) ?? EMPTY)
        return content === 'alert' ? readSealedAlert(payload) : alert()
      }
      return { say, alert }
    }
    const greedy = await session()
    for (let i = 0; i < 4; i++) {
      await greedy.say('app', part)
      await greedy.say('ping', EMPTY)
    }
    assert.equal(await greedy.alert(), 'limit')
    // What it had sent is given up with it: another may send as much.
    const honest = await session()
    for (let i = 0; i < 3; i++) await honest.say('app', part)
    await honest.say('app', concat(u8(0), encodeMessage({ op: 'no request at all' })))
    assert.equal(await honest.alert(), 'decode_error')
  })

  it('of tickets: 100,000, the oldest go first, and none outlives its day', async () => {
    const count = full ? 100_000 : 10_000
    const binding = {
      ...{ host: 'localhost', user: 'alice', device: new Uint8Array(16) },
      ...{ spki: new Uint8Array(422), endpointKey: new Uint8Array(32) },
    }
    const make = async (i: number) => {
      const secret = new Uint8Array(32)
      new DataView(secret.buffer).setUint32(0, i)
      const psk = await nodePrimitives.hmacKey(secret)
      return makeTicket(nodePrimitives, psk, binding, 'ok', i, i)
    }
    assert.equal(ENDPOINT_LIMITS.tickets, 100_000)
    const store = new TicketStore(count)
    const before = used()
    const first = await make(0)
    store.put(first, 0)
    for (let i = 1; i <= count; i++) store.put(await make(i), i)
    assert.equal(store.size, count)
    assert.isUndefined(store.find(first.id, count))
    assert.isBelow((used() - before) / count, 4 * KIB)
    store.put(await make(count + TICKET_LIFE_MS + 1), count + TICKET_LIFE_MS + 1)
    assert.equal(store.size, 1)
  })

  it('of subscriptions: one per room and session, however often it is asked', async () => {
    stand = await EndpointStand.start()
    const peer = await stand.enter('alice')
    await stand.makeLobby(peer)
    const { lobby } = stand
    // As many requests as a session may make at once, in one session after the other.
    const sessions = full ? 20 : 1
    const churn = async (user: string) => {
      const one = await (stand as EndpointStand).enter(user)
      for (let i = 0; i < 1_500; i += 50)
        await Promise.all(
          Array.from({ length: 50 }, (_, k) =>
            one.ask({ op: k % 3 === 2 ? 'unsubscribe' : 'subscribe', room: lobby }),
          ),
        )
      await one.close()
    }
    await churn('first')
    const before = used()
    for (let i = 0; i < sessions; i++) await churn(`person ${i}`)
    assert.isBelow(used() - before, 24 * MIB)
    await peer.close()
  })

  it('of rooms: one for each pair, however often it is opened', async () => {
    stand = await EndpointStand.start()
    const alice = await stand.enter('alice')
    const people = full ? 200 : 20
    for (let i = 0; i < people; i++) await (await stand.enter(`person ${i}`)).close()
    const rooms = new Set<string>()
    for (let round = 0; round < 3; round++)
      for (let i = 0; i < people; i++) {
        const { room } = await alice.ask({ op: 'open_private', user: `person ${i}` })
        rooms.add(room.room.join())
      }
    assert.equal(rooms.size, people)
    const told = await alice.ask({ op: 'sync' })
    assert.lengthOf(told.rooms, people + 1)
    await alice.close()
  })
})
