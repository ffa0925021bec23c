import { once } from 'node:events'
import type { Socket } from 'node:net'
import { TokenBuckets } from '../../relay/endpoint/token_bucket.ts'
import { trunkDoor } from '../../relay/endpoint/trunk_door.ts'
import { Trunks } from '../../relay/endpoint/trunk_wire.ts'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { dialingSource, type EndpointEnd } from '../../relay/trunk_link.ts'
import { type EndpointKey, generateEndpointKey } from '../../web/protocol/endpoint_key.ts'
import { fingerprint } from '../../web/protocol/spki.ts'
import { anIdentity, BareTrunk } from '../support/bare_peer.ts'
import { Queue, rawSocket } from '../support/relay_stand.ts'
import { assert, before, describe, fails, it } from '../support/suite.ts'

const LOCAL = '127.0.0.1'
const never = new AbortController().signal
const RATE = { burst: 400, perSecond: 100 }

describe('the endpoint’s port for trunks', () => {
  let key: EndpointKey
  let end: EndpointEnd
  before(async () => {
    key = (await generateEndpointKey()).key
    const { fingerprint: relay } = await anIdentity()
    // As off loopback: every relay has to prove itself.
    end = { host: 'home.example', key, relays: [relay], security: 'always' }
  })

  const relayEnd = async () => ({
    ...{ host: end.host, identity: await anIdentity(), security: 'always' as const },
    pin: await fingerprint(nodePrimitives, key.spki),
  })

  async function listening(accept: Parameters<Trunks['listen']>[2]) {
    const refused = new Queue<string>()
    const lost = new Queue<number>()
    const opened = new Queue<string>()
    const trunks = new Trunks((wire) => void opened.put(wire.name), {
      up: () => undefined,
      down: (_name, _reason, connections) => lost.put(connections),
      refused: (reason) => refused.put(reason),
    })
    const { port, close } = await trunks.listen(LOCAL, 0, accept)
    const stop = (): void => {
      close()
      trunks.close()
    }
    return { port, trunks, refused, lost, opened, stop }
  }

  it('is not kept from relays by those who only hold a place', async () => {
    const { port, stop } = await listening(trunkDoor(end, new TokenBuckets(RATE, () => 0)))
    const holders: Socket[] = []
    for (let i = 0; i < 200; i++) holders.push(await rawSocket(port))
    const trunk = await dialingSource({ host: LOCAL, port }, await relayEnd())(never)
    assert.isFalse(trunk.destroyed)
    trunk.destroy()
    stop()
    for (const holder of holders) holder.destroy()
  })

  it('has room for 64 relays that have proved themselves; the next is refused', async () => {
    const { port, refused, stop } = await listening(async (socket) => socket)
    const trunks: BareTrunk[] = []
    for (let i = 0; i < 64; i++) trunks.push(await BareTrunk.dial(port))
    const socket = await rawSocket(port)
    socket.resume()
    await once(socket, 'close')
    assert.equal(await refused.next(), 'too many trunks')
    for (const trunk of trunks) trunk.close()
    stop()
  })

  it('does so much RSA work for relays of one network, then says `busy`', async () => {
    const rate = { burst: 2, perSecond: 0.5 }
    let time = 0
    const { port, stop } = await listening(trunkDoor(end, new TokenBuckets(rate, () => time)))
    const dial = async () => dialingSource({ host: LOCAL, port }, await relayEnd())(never)
    const trunks = [await dial(), await dial()]
    await fails('busy', dial)
    time += 2
    trunks.push(await dial())
    for (const trunk of trunks) trunk.destroy()
    stop()
  })

  it('tells how many connections were lost with a trunk', async () => {
    const { port, lost, opened, stop } = await listening(async (socket) => socket)
    const trunk = await BareTrunk.dial(port)
    for (let i = 0; i < 3; i++) trunk.open()
    for (let i = 0; i < 3; i++) await opened.next()
    trunk.close()
    assert.equal(await lost.next(), 3)
    stop()
  })
})
