import { ENDPOINT_LIMITS } from '../../relay/endpoint/endpoint.ts'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { concat, u32 } from '../../web/protocol/bytes.ts'
import { ORIGIN_TAG } from '../../web/protocol/envelope.ts'
import { median } from '../bench/figure.ts'
import { anIdentity, BareTrunk, enter, tcpLine } from '../support/bare_peer.ts'
import { residentMemory } from '../support/memory.ts'
import { full } from '../support/random.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'

const MEGABYTE = 1024 * 1024
const HOUR_MS = 3_600_000

/** The median of the quarter that begins at this part. */
function quarter(sizes: readonly number[], part: number): number {
  const from = Math.floor(sizes.length * part)
  return median(sizes.slice(from, from + Math.ceil(sizes.length / 4)))
}

describe('over an hour, the endpoint', () => {
  let stack: Stack
  before(async () => {
    // What watches over nonces keeps every one of them.
    stack = await startStack({ unwatched: true, endpointArgs: ['--log', 'warn'] })
  })
  after(() => stack.stop())

  it('keeps its memory when people come and go, subscribe and leave (D6)', async () => {
    const devices = Array.from({ length: 40 }, () => nodePrimitives.random(16))
    const identity = await anIdentity()
    const trunk = await BareTrunk.dial(stack.trunkPort)
    const crowd = async (round: number): Promise<void> => {
      // Each crowd from a network of its own: one that came so often would be told `busy`.
      const network = concat(u32(round), new Uint8Array(ORIGIN_TAG - 4))
      const peers = await Promise.all(
        devices.map((device, i) =>
          enter(0, { user: `p${round % 2} ${i}`, device, identity }, trunk.open(network)),
        ),
      )
      const { rooms } = (await peers[0]?.ask({ op: 'sync' })) ?? assert.fail()
      const room = rooms[0]?.room ?? assert.fail()
      await Promise.all(peers.map((peer) => peer.subscribe(room)))
      const half = await Promise.all(Array.from({ length: 60 }, () => tcpLine(stack.endpointPort)))
      for (const line of half) line.cut()
      for (const [i, peer] of peers.entries()) i % 2 ? await peer.close() : peer.line.cut()
    }
    let round = 0
    // Each session leaves a ticket, so memory grows until there are as many as it keeps.
    const filling = full ? ENDPOINT_LIMITS.tickets / devices.length : 2
    while (round < filling) await crowd(round++)
    const sizes: number[] = []
    const began = performance.now()
    const enough = () => (full ? performance.now() - began > HOUR_MS : sizes.length === 4)
    while (!enough()) {
      await crowd(round++)
      sizes.push(residentMemory(stack.pid('endpoint')))
    }
    trunk.close()
    // The heap goes up and down by some megabytes.
    const most = (full ? 8 : 48) * MEGABYTE
    const grown = quarter(sizes, 0.75) - quarter(sizes, 0)
    if (full) console.log(`D6: ${round} crowds, ${grown} bytes more in the last quarter of an hour`)
    assert.isBelow(grown, most, sizes.join(' '))
  })
})
