import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { acceptTrunkSocket, listenForTrunk } from '../../relay/trunk_link.ts'
import { utf8 } from '../../web/protocol/bytes.ts'
import { generateEndpointKey } from '../../web/protocol/endpoint_key.ts'
import { CLOSE_CODES, encodeTopic, MAX_FRAME, TRUNK } from '../../web/protocol/envelope.ts'
import { generateIdentity } from '../../web/protocol/identity.ts'
import type { HmacKey } from '../../web/protocol/primitives.ts'
import { Session } from '../../web/protocol/session.ts'
import { fingerprint } from '../../web/protocol/spki.ts'
import { foundInMemory } from '../support/memory.ts'
import { full, random } from '../support/random.ts'
import { RelayProcess } from '../support/relay_process.ts'
import {
  portOf,
  Queue,
  rawSocket,
  rawWebSocket,
  ScriptedEndpoint,
  TabSocket,
  upgradeRequest,
} from '../support/relay_stand.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'

const MANY_CONNECTIONS = { connections: 50_000, connectionsPerOrigin: 50_000 }

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** A masked frame's header and payload, the mask being zero. */
function frame(first: number, length: Buffer, payload = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.of(first), length, Buffer.alloc(4), payload])
}
const short = (length: number) => Buffer.of(0x80 | length)
function extended(length: bigint): Buffer {
  const out = Buffer.alloc(9, 0xff)
  out.writeBigUInt64BE(length, 1)
  return out
}

/** Where a relay and an endpoint take trunks in that have to prove themselves. */
async function trunkPorts(): Promise<{ ports: number[]; close: () => void }> {
  const identity = await generateIdentity()
  const { key } = await generateEndpointKey()
  const host = 'localhost'
  const pin = await fingerprint(nodePrimitives, key.spki)
  const listener = await listenForTrunk({ host: '127.0.0.1', port: 0 }, { host, identity, pin })
  const server = createServer((socket) => {
    acceptTrunkSocket(socket, { host, key, relays: [], security: 'always' }).catch(() => undefined)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    ports: [listener.port, portOf(server)],
    close() {
      listener.close()
      server.close()
    },
  }
}

describe('attacks on a relay in a process of its own', () => {
  let endpoint: ScriptedEndpoint
  let relay: RelayProcess
  before(async () => {
    // An endpoint that answers each frame with itself and puts everyone into topic 1.
    endpoint = await ScriptedEndpoint.listen(({ op, id, body }, trunk) => {
      if (op === TRUNK.open) trunk.send(TRUNK.subscribe, id, encodeTopic(1))
      if (op === TRUNK.data) trunk.send(TRUNK.data, id, body)
      return op !== TRUNK.close
    })
    relay = await RelayProcess.start({ port: 0, trunk: endpoint.port, limits: MANY_CONNECTIONS })
  })
  after(async () => {
    await relay.kill()
    await endpoint.close()
  })

  it('slow sockets of every kind are closed, and honest tabs connect meanwhile (D3)', async () => {
    const count = full ? 5000 : 300
    const request = upgradeRequest(relay.port)
    const kinds: readonly (() => Promise<Socket>)[] = [
      () => rawSocket(relay.port), // says nothing
      () => rawSocket(relay.port, request.slice(0, 40)), // never ends its request
      () => rawWebSocket(relay.port), // becomes a WebSocket and says nothing
      () => rawSocket(relay.port, `${request}${'\x82\xfe\x10\x00'}`), // begins a frame
    ]
    const slow: Promise<number>[] = []
    const sockets: Socket[] = []
    for (let i = 0; i < count; i++) {
      const socket = await (kinds[i % kinds.length] as () => Promise<Socket>)()
      const began = performance.now()
      sockets.push(socket.resume())
      slow.push(once(socket, 'close').then(() => performance.now() - began))
    }
    const trunks = await trunkPorts()
    for (const port of trunks.ports)
      for (let i = 0; i < 20; i++) {
        const began = performance.now()
        const socket = (await rawSocket(port, Buffer.of(0, 0))).resume()
        slow.push(once(socket, 'close').then(() => performance.now() - began))
      }
    // One byte a second keeps nobody connected: the last kind and the second write on.
    const drip = setInterval(() => {
      for (const [i, socket] of sockets.entries()) if (i % 2 === 1) socket.write('x')
    }, 1000)
    const waits: number[] = []
    let done = false
    const closed = Promise.all(slow).then((times) => {
      done = true
      return times
    })
    while (!done || waits.length < 20) {
      const began = performance.now()
      const tab = await TabSocket.open(relay.port)
      tab.send(utf8('hello'))
      await tab.next()
      waits.push(performance.now() - began)
      tab.close()
      await later(50)
    }
    clearInterval(drip)
    trunks.close()
    // uWebSockets counts in steps of four seconds, and starts anew with each step of a connection.
    assert.isBelow(Math.max(...(await closed)), 17_000)
    waits.sort((a, b) => a - b)
    assert.isBelow(waits[Math.ceil(waits.length * 0.99) - 1] ?? Number.NaN, 2000)
  })

  it('frames of impossible lengths end the connection and cost no memory (D4)', async () => {
    const cases: readonly (readonly [string, Buffer])[] = [
      ['2^63', frame(0x82, extended(2n ** 63n))],
      ['2^64 - 1', frame(0x82, extended(2n ** 64n - 1n))],
      ['2^32 - 1', frame(0x82, extended(2n ** 32n - 1n))],
      ['2^31', frame(0x82, extended(2n ** 31n))],
      ['beyond what is told', frame(0x82, extended(BigInt(2 * MAX_FRAME + 1)))],
      ['a fragment too long', frame(0x02, extended(2n ** 32n - 1n))],
      ['a ping too long', frame(0x89, extended(2n ** 32n - 1n))],
      ['compressed', frame(0xc2, short(4), Buffer.from('aabbccdd', 'hex'))],
      ['compressed fragment', frame(0x42, short(4), Buffer.from('aabbccdd', 'hex'))],
      ['reserved bits', frame(0xb2, short(0))],
      ['unknown opcode', frame(0x83, short(0))],
      ['a continuation of nothing', frame(0x80, short(1), Buffer.of(1))],
    ]
    const before = await relay.figures()
    for (const [name, bytes] of cases)
      for (let i = 0; i < (full ? 200 : 10); i++) {
        const socket = await rawWebSocket(relay.port)
        socket.resume().write(bytes)
        const ended = await Promise.race([once(socket, 'close'), later(5000)])
        assert.isArray(ended, name)
      }
    const { rss, connections } = await relay.figures()
    assert.equal(connections, 0)
    assert.isBelow(rss - before.rss, 32 * 2 ** 20)
  })

  it('announcing long frames on many connections sets nothing aside for them (D4)', async () => {
    const before = await relay.figures()
    const sockets: Socket[] = []
    for (let i = 0; i < (full ? 2000 : 300); i++) {
      const socket = await rawWebSocket(relay.port)
      socket.write(frame(0x82, extended(BigInt(MAX_FRAME)), Buffer.from('few')))
      sockets.push(socket)
    }
    const tab = await TabSocket.open(relay.port)
    tab.send(utf8('after all of them'))
    await tab.next()
    const { rss } = await relay.figures()
    assert.isBelow((rss - before.rss) / sockets.length, 2 * MAX_FRAME)
    for (const socket of sockets) socket.destroy()
    tab.close()
  })

  it('empty, text and too long messages are told apart; a fragmented one is one message (D4)', async () => {
    const ends: readonly (readonly [keyof typeof CLOSE_CODES, string | Uint8Array])[] = [
      ['empty', new Uint8Array(0)],
      ['not_binary', 'text'],
      ['too_large', new Uint8Array(MAX_FRAME + 1)],
      ['too_large', new Uint8Array(2 * MAX_FRAME)],
    ]
    for (const [reason, message] of ends) {
      const tab = await TabSocket.open(relay.port)
      tab.send(message)
      assert.equal((await tab.closed).code, CLOSE_CODES[reason].code)
    }
    const tab = await TabSocket.open(relay.port)
    for (const [part, fin] of [
      ['frag', false],
      ['men', false],
      ['ted', true],
    ] as const)
      tab.socket.send(utf8(part), { fin })
    assert.deepEqual(await tab.next(), utf8('fragmented'))
    for (let i = 0; i < 5; i++) tab.socket.send(new Uint8Array(30_000), { fin: false })
    assert.equal((await tab.closed).code, 1006, 'fragments together are too long')
  })

  it('what is sealed is not in the relay’s memory, nor in its log (R20)', async () => {
    const canary = 'canary-marmalade-4f1d'
    const carried = 'carried-in-clear-77c0'
    const now = () => performance.now()
    const [client, server] = (await Promise.all(
      [1, 2].map((byte) => nodePrimitives.hmacKey(new Uint8Array(32).fill(byte))),
    )) as [HmacKey, HmacKey]
    const shared = {
      primitives: nodePrimitives,
      established: { keys: { client, server } },
      maxMessage: 65_536,
      now,
    }
    const tab = await TabSocket.open(relay.port)
    const session = new Session({ ...shared, role: 'client', write: (sealed) => tab.send(sealed) })
    for (let i = 0; i < 50; i++) await session.send(utf8(`${canary} number ${i}`))
    for (let i = 0; i < 50; i++) await tab.next()
    // The same search finds what was carried in clear, so it would have found the other.
    for (let i = 0; i < 50; i++) tab.send(utf8(carried))
    for (let i = 0; i < 50; i++) await tab.next()
    const found = await foundInMemory(relay.pid, [canary, carried])
    assert.deepEqual(found, [carried])
    assert.isAbove(relay.log.length, 100)
    for (const secret of [canary, carried, '127.0.0.1', '::1']) assert.notInclude(relay.log, secret)
    tab.close()
  })
})

describe('a relay that is killed and started again', () => {
  it('has all its tabs back in less than a minute, and the endpoint answers meanwhile (F15)', async () => {
    const count = full ? 10_000 : 500
    const chance = random(15)
    const endpoint = await ScriptedEndpoint.listen(({ op, id, body }, trunk) => {
      if (op === TRUNK.data) trunk.send(TRUNK.data, id, body)
      return true
    })
    const options = { trunk: endpoint.port, limits: MANY_CONNECTIONS }
    let relay = await RelayProcess.start({ port: 0, ...options })
    const { port } = relay
    const greeting = frame(0x82, short(1), Buffer.of(7))
    const back = new Queue<number>()
    let stopping = false
    /** A tab with backoff and jitter; it counts as there once the endpoint has answered. */
    const live = async (): Promise<void> => {
      for (let attempt = 0; !stopping; attempt++) {
        const socket = await rawSocket(port, upgradeRequest(port)).catch(() => undefined)
        if (socket) {
          const lost = once(socket, 'close')
          let received = 0
          socket.once('data', () => socket.write(greeting))
          socket.on('data', (chunk) => {
            received += 1
            if (received === 2 && chunk[0] === 0x82) {
              attempt = 0
              back.put(performance.now())
            }
          })
          await lost
        }
        const most = Math.min(10_000, 500 * 2 ** attempt)
        await later(most / 2 + chance.below(most / 2))
      }
    }
    const all = Array.from({ length: count }, live)
    for (let i = 0; i < count; i++) await back.next()
    await relay.kill()
    const began = performance.now()
    relay = await RelayProcess.start({ port, ...options })
    const asked: number[] = []
    let last = 0
    for (let i = 0; i < count; i++) {
      last = await back.next()
      if (i % 50 > 0) continue
      const sent = performance.now()
      const tab = await TabSocket.open(port)
      tab.send(utf8('?'))
      await Promise.race([tab.next(), tab.closed])
      asked.push(performance.now() - sent)
      tab.close()
    }
    assert.isBelow(last - began, 60_000)
    assert.isBelow(Math.max(...asked), 2000)
    stopping = true
    await relay.kill()
    await Promise.all(all)
    await endpoint.close()
  })
})
