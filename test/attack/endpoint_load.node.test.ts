import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { concat, lp16, u32 } from '../../web/protocol/bytes.ts'
import { encodeTcpFrame, MAX_FRAME } from '../../web/protocol/envelope.ts'
import { startHandshake } from '../../web/protocol/handshake_client.ts'
import {
  anIdentity,
  type BarePeer,
  BareTrunk,
  enter,
  type Line,
  msgId,
  sealed,
  tcpLine,
} from '../support/bare_peer.ts'
import { residentMemory } from '../support/memory.ts'
import { full } from '../support/random.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { afterEach, assert, beforeEach, describe, fails, it } from '../support/suite.ts'

const MEGABYTE = 1024 * 1024
const HANDSHAKE_MS = 10_000

async function person(
  stack: Stack,
  user: string,
  line?: Line,
  device = nodePrimitives.random(16),
): Promise<BarePeer> {
  return enter(stack.endpointPort, { user, device, identity: await anIdentity() }, line)
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

function percentile(times: readonly number[], part: number): number {
  const sorted = [...times].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
}

describe('under load, the endpoint', () => {
  let stack: Stack
  beforeEach(async () => {
    stack = await startStack()
  })
  afterEach(() => stack.stop())

  it('closes who connects and says nothing after ten seconds, and lets others in meanwhile (D3)', async () => {
    const count = full ? 5_000 : 600
    const trunk = await BareTrunk.dial(stack.trunkPort)
    const silent: { socket: Socket; since: number; gone: Promise<number> }[] = []
    const tabs: Promise<number>[] = []
    for (let i = 0; i < count; i++) {
      const socket = connect(stack.endpointPort, '127.0.0.1')
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      const since = performance.now()
      // Half of them say one byte of a frame that never comes.
      if (i % 2) socket.write(Uint8Array.of(0))
      socket.resume()
      const gone = once(socket, 'close').then(() => performance.now() - since)
      silent.push({ socket, since, gone })
      if (i % 4 === 0) tabs.push(timed(() => trunk.open().next()))
    }
    const honest: number[] = []
    for (let i = 0; i < 20; i++)
      honest.push(await timed(async () => (await person(stack, `honest ${i}`)).close()))
    assert.isBelow(percentile(honest, 0.99), 2_000)
    const times = [
      ...(await Promise.all(silent.map(({ gone }) => gone))),
      ...(await Promise.all(tabs)),
    ]
    assert.isAbove(Math.min(...times), HANDSHAKE_MS - 500)
    assert.isBelow(Math.max(...times), HANDSHAKE_MS + 3_000)
    trunk.close()
  })

  it('closes a frame that is too long, or empty, or too long for now, before it is there (D4)', async () => {
    const before = residentMemory(stack.pid('endpoint'))
    const begin = async (bytes: Uint8Array): Promise<void> => {
      const { socket } = await tcpLine(stack.endpointPort)
      const closed = once(socket, 'close')
      socket.write(bytes)
      await closed
    }
    await begin(u32(0xffff_ffff))
    await begin(u32(MAX_FRAME + 1))
    await begin(u32(0))
    // Allowed in a session, but not of somebody who has not said who it is.
    await begin(concat(u32(MAX_FRAME), new Uint8Array(5_000)))
    await begin(encodeTcpFrame(new Uint8Array(4_097)))
    assert.isBelow(residentMemory(stack.pid('endpoint')) - before, 32 * MEGABYTE)
    const trunk = await BareTrunk.dial(stack.trunkPort)
    const gone = once(trunk.socket, 'close')
    trunk.socket.write(u32(0xffff_ffff))
    await gone
    await (await person(stack, 'still here')).close()
  })

  it('answers a flood of false identities with `busy`, and living sessions as before (D5)', async () => {
    const count = full ? 120_000 : 3_200
    const perTick = full ? 20 : 8
    const alive = await Promise.all(['ann', 'ben', 'cas'].map((user) => person(stack, user)))
    const said = new Map<string, number>()
    const first = await startHandshake({
      primitives: nodePrimitives,
      host: 'localhost',
      pin: undefined,
      identity: await anIdentity(),
      user: 'flood',
      device: nodePrimitives.random(16),
      now: () => performance.now(),
    })
    const rubbish = concat(lp16(nodePrimitives.random(400)), lp16(nodePrimitives.random(1552)))
    const attack = async (): Promise<void> => {
      const line = await tcpLine(stack.endpointPort)
      line.send(first.m1)
      if ((await line.next())?.length !== 2) line.send(rubbish)
      const answer = await line.next()
      const word = answer === undefined ? 'nothing' : String(answer[1])
      said.set(word, (said.get(word) ?? 0) + 1)
      line.cut()
    }
    const attacks: Promise<void>[] = []
    const began = performance.now()
    // A busy machine ticks later than it should: so many are made, however long it takes.
    const tick = setInterval(() => {
      for (let i = 0; i < perTick && attacks.length < count; i++)
        attacks.push(attack().catch(() => undefined))
    }, 10)
    const times: number[] = []
    while (attacks.length < count) {
      for (const peer of alive) times.push(await timed(() => peer.ask({ op: 'devices' })))
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    clearInterval(tick)
    await Promise.all(attacks)
    const seconds = (performance.now() - began) / 1000
    // Each was answered, or cut off by the endpoint: none came to nothing on this side.
    const answered = [...said.values()].reduce((sum, times) => sum + times, 0)
    assert.equal(answered, count, JSON.stringify([...said]))
    assert.isBelow(percentile(times, 0.99), 250)
    assert.isAbove(said.get('1') ?? 0, 0, `busy was not said: ${JSON.stringify([...said])}`)
    assert.isAbove(said.get('2') ?? 0, 0, 'handshake_failed was not said')
    await Promise.all(alive.map((peer) => peer.close()))
    // The log has lines about some and counts the rest.
    const lines = stack.logs('endpoint').split('\n')
    assert.isBelow(
      lines.filter((line) => line.includes('handshake_failed')).length,
      40 * seconds + 40,
    )
    assert.include(stack.logs('endpoint'), 'handshakes_failed')
  })

  it('does not pile up answers for a peer that asks and never reads (D6)', async () => {
    const writer = await person(stack, 'writer')
    const { rooms } = await writer.ask({ op: 'sync' })
    const room = rooms[0]?.room ?? assert.fail()
    const groupInfo = new Uint8Array(1)
    await writer.ask({ op: 'create_group', room, generation: 0, groupInfo })
    const body = nodePrimitives.random(250_000)
    for (let i = 0; i < 8; i++)
      await writer.ask({ op: 'send', room, msgId: msgId(), mls: sealed({ room, epoch: 0, body }) })
    const before = residentMemory(stack.pid('endpoint'))
    const line = await tcpLine(stack.endpointPort)
    const greedy = await person(stack, 'greedy', line)
    line.socket.pause()
    for (let i = 0; i < 1_000; i++)
      void greedy.ask({ op: 'fetch', room, after: 0, most: 1_000 }).catch(() => undefined)
    const times: number[] = []
    for (let i = 0; i < 50; i++)
      times.push(await timed(() => writer.ask({ op: 'fetch', room, after: 7, most: 1 })))
    assert.isBelow(residentMemory(stack.pid('endpoint')) - before, 64 * MEGABYTE)
    assert.isBelow(percentile(times, 0.5), 100)
    line.cut()
    await writer.close()
  })

  it('refuses, and does not keep, what one person would pile up', async () => {
    const peer = await person(stack, 'hoarder')
    const packages = Array.from({ length: 64 }, () => nodePrimitives.random(3_000))
    for (let i = 0; i < 4; i++) await peer.ask({ op: 'publish_key_packages', packages })
    const { stock } = await peer.ask({ op: 'sync' })
    assert.isAtMost(stock, 100)
    await fails('bad_request', () =>
      peer.ask({ op: 'publish_key_packages', packages: [...packages, ...packages] }),
    )
    await peer.close()
  })
})
