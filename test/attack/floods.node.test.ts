/**
 * THREATS R16: floods of what costs the sender nothing, to a real endpoint in a process of its own.
 * Each ends at its limit, by its name; what was on its way is thrown away, memory stays flat and
 * others are answered.
 */
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { readSealedAlert } from '../../web/protocol/alerts.ts'
import { type Bytes, concat, EMPTY, u8 } from '../../web/protocol/bytes.ts'
import { encodeTcpFrame } from '../../web/protocol/envelope.ts'
import { type Inner, PAYLOAD_MOST, RecordOpener, RecordSealer } from '../../web/protocol/record.ts'
import { anIdentity, type BarePeer, enter, shakeHands, tcpLine } from '../support/bare_peer.ts'
import { residentMemory } from '../support/memory.ts'
import { full } from '../support/random.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'

/** Records of each kind, over as many connections as it takes. */
const FLOOD = full ? 100_000 : 4_000
const BATCH = 500
const DEVICE = new Uint8Array(16).fill(15)
const MEGABYTE = 1024 * 1024

/** What a flood consists of, and the alert that ends it. */
const FLOODS: readonly { name: string; inner: Inner; ends: string; updates?: true }[] = [
  {
    name: 'key updates',
    inner: { content: 'keyUpdate', payload: EMPTY },
    ends: 'limit',
    updates: true,
  },
  { name: 'pings', inner: { content: 'ping', payload: EMPTY }, ends: 'limit' },
  {
    name: 'answers to nothing',
    inner: { content: 'pong', payload: EMPTY },
    ends: 'unexpected_message',
  },
  { name: 'empty records', inner: { content: 'app', payload: EMPTY }, ends: 'decode_error' },
  {
    name: 'empty parts of a message without end',
    inner: { content: 'app', payload: u8(1) },
    ends: 'decode_error',
  },
  { name: 'empty messages', inner: { content: 'app', payload: u8(0) }, ends: 'decode_error' },
  {
    name: 'long parts of a message without end',
    inner: { content: 'app', payload: concat(u8(1), new Uint8Array(PAYLOAD_MOST - 1)) },
    ends: 'limit',
  },
]

describe('a person who floods the endpoint (R16)', () => {
  let stack: Stack
  let honest: BarePeer
  before(async () => {
    stack = await startStack()
    honest = await enter(stack.endpointPort, { user: 'honest', identity: await anIdentity() })
    await (await enter(stack.endpointPort, { user: 'flood', identity: await anIdentity() })).close()
  })
  after(async () => {
    await honest?.close()
    await stack?.stop()
  })

  /** Sends a flood as fast as it can be made, until it is cut off: by which alert, after how many. */
  async function flood(inner: Inner, updates: boolean, count: number) {
    const line = await tcpLine(stack.endpointPort)
    const identity = await anIdentity()
    const established = await shakeHands(line, { user: 'flood', identity, device: DEVICE })
    const sealer = new RecordSealer(nodePrimitives, established.keys.client)
    const opener = new RecordOpener(nodePrimitives, established.keys.server)
    let end = 'cut'
    const reading = (async () => {
      for (let frame = await line.next(); frame; frame = await line.next()) {
        const { content, payload } = await opener.open(frame)
        if (content === 'alert') end = readSealedAlert(payload)
      }
    })()
    let sent = 0
    for (; sent < count && !line.socket.destroyed; sent += BATCH) {
      const frames: Promise<Bytes>[] = []
      for (let i = 0; i < BATCH; i++) {
        frames.push(sealer.seal(inner))
        if (updates) sealer.update()
      }
      for (const frame of await Promise.all(frames)) line.socket.write(encodeTcpFrame(frame))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await reading
    line.cut()
    return { end, sent }
  }

  for (const { name, inner, ends, updates } of FLOODS)
    it(`with ${name} is cut off with “${ends}”, at no cost for the others`, async () => {
      const count = inner.payload.length > 1000 ? FLOOD / 20 : FLOOD
      await flood(inner, updates === true, BATCH) // the first one warms up what is kept for good
      const earlier = residentMemory(stack.pid('endpoint'))
      const flooding = (async () => {
        for (let left = count; left > 0; ) {
          const { end, sent } = await flood(inner, updates === true, left)
          assert.equal(end, ends)
          left -= sent
        }
      })()
      const times: number[] = []
      let over = false
      const ended = () => {
        over = true
      }
      flooding.then(ended, ended)
      while (!over) {
        const began = performance.now()
        await honest.ask({ op: 'devices' })
        times.push(performance.now() - began)
      }
      await flooding
      assert.isBelow(residentMemory(stack.pid('endpoint')) - earlier, 24 * MEGABYTE)
      times.sort((a, b) => a - b)
      assert.isBelow(times[Math.floor(times.length / 2)] ?? 0, 100)
    })

  it('again and again, each time anew, leaves nothing behind', async () => {
    const rounds = full ? 1_000 : 30
    const ping: Inner = { content: 'ping', payload: EMPTY }
    for (let i = 0; i < 10; i++) await flood(ping, false, 30)
    const earlier = residentMemory(stack.pid('endpoint'))
    for (let i = 0; i < rounds; i++) assert.equal((await flood(ping, false, 30)).end, 'limit')
    assert.isBelow(residentMemory(stack.pid('endpoint')) - earlier, 24 * MEGABYTE)
    await honest.ask({ op: 'devices' })
  })
})
