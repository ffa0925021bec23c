import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { mock } from 'node:test'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { isLoopbackAddress, OriginTagger } from '../../relay/origin.ts'
import { startRelay } from '../../relay/relay.ts'
import { Trunk } from '../../relay/trunk.ts'
import { dialTrunk } from '../../relay/trunk_frames.ts'
import { backoff, keepTrunk } from '../../relay/trunk_keeper.ts'
import {
  acceptTrunkSocket,
  dialingEndpoint,
  dialingSource,
  type EndpointEnd,
  listenForTrunk,
  type RelayEnd,
} from '../../relay/trunk_link.ts'
import { type Bytes, hex, utf8 } from '../../web/protocol/bytes.ts'
import { type EndpointKey, generateEndpointKey } from '../../web/protocol/endpoint_key.ts'
import { TRUNK } from '../../web/protocol/envelope.ts'
import { generateIdentity, type Identity } from '../../web/protocol/identity.ts'
import { fingerprint } from '../../web/protocol/spki.ts'
import { startEvilTcp } from '../support/evil_relay.ts'
import { portOf, Queue, rawSocket, TabSocket } from '../support/relay_stand.ts'
import { assert, before, describe, fails, it } from '../support/suite.ts'

const HOST = 'home.example'
const never = new AbortController().signal

describe('a trunk that leaves the machine', () => {
  let relay: Identity
  let stranger: Identity
  let key: EndpointKey
  let otherKey: EndpointKey
  let pin: Bytes
  before(async () => {
    const made = await Promise.all([
      generateIdentity(),
      generateIdentity(),
      generateEndpointKey(),
      generateEndpointKey(),
    ])
    ;[relay, stranger] = made
    key = made[2].key
    otherKey = made[3].key
    pin = await fingerprint(nodePrimitives, key.spki)
  })

  const relayEnd = (with_: Partial<RelayEnd> = {}): RelayEnd => ({
    ...{ host: HOST, identity: relay, pin, security: 'always' as const },
    ...with_,
  })
  const endpointEnd = (with_: Partial<EndpointEnd> = {}): EndpointEnd => ({
    ...{ host: HOST, key, relays: [relay.fingerprint], security: 'always' as const },
    ...with_,
  })

  /** An endpoint's trunk port; what becomes of each connection is queued. */
  async function listening(end: EndpointEnd) {
    const outcomes = new Queue<Duplex | Error>()
    const server: Server = createServer((socket) => {
      acceptTrunkSocket(socket, end).then(
        (trunk) => outcomes.put(trunk),
        (error) => outcomes.put(error),
      )
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return { server, outcomes, address: { host: '127.0.0.1', port: portOf(server) } }
  }

  async function accepted(outcomes: Queue<Duplex | Error>): Promise<Duplex> {
    const outcome = await outcomes.next()
    if (outcome instanceof Error) throw outcome
    return outcome
  }

  it('carries a stream of any size both ways, and ends in order', async () => {
    const { server, outcomes, address } = await listening(endpointEnd())
    const ours = await dialingSource(address, relayEnd())(never)
    const theirs = await accepted(outcomes)
    theirs.on('data', (chunk) => theirs.write(chunk))
    const sent = Buffer.alloc(3_000_000, 'all kinds of bytes, again and again; ')
    ours.write(sent)
    const parts: Buffer[] = []
    let missing = sent.length
    await new Promise<void>((resolve) => {
      ours.on('data', (part: Buffer) => {
        parts.push(part)
        missing -= part.length
        if (missing === 0) resolve()
      })
    })
    assert.isTrue(Buffer.concat(parts).equals(sent))
    const ended = Promise.all([once(ours, 'close'), once(theirs, 'close')])
    ours.end()
    await ended
    assert.isNull(ours.errored ?? theirs.errored)
    server.close()
  })

  it('is ended by the relay before a day is over when nothing passes, and after a day in any case', async () => {
    const clock = performance.now.bind(performance)
    let later = 0
    mock.method(performance, 'now', () => clock() + later)
    mock.timers.enable({ apis: ['setInterval'] })
    const looks = (hours: number) => {
      later += hours * 3_600_000
      mock.timers.tick(5_000)
    }
    try {
      const { server, outcomes, address } = await listening(endpointEnd())
      for (const busy of [true, false]) {
        const ours = await dialingSource(address, relayEnd())(never)
        const theirs = await accepted(outcomes)
        theirs.on('data', (chunk) => theirs.write(chunk))
        const late = { signal: AbortSignal.timeout(20_000) }
        const ended = Promise.all([once(ours, 'close', late), once(theirs, 'close', late)])
        /** Something passes, thrice: by then both sides' pings are sent, answered and taken. */
        const echo = async () => {
          for (let left = 3; left > 0; left--) {
            ours.write(Buffer.alloc(100))
            for (let missing = 100; missing > 0; )
              missing -= ((await once(ours, 'data')) as [Buffer])[0].length
          }
        }
        looks(22)
        await echo()
        if (!busy) looks(0)
        else {
          looks(1)
          await echo()
        }
        looks(1)
        await ended
        assert.isNull(ours.errored ?? theirs.errored)
      }
      server.close()
    } finally {
      mock.timers.reset()
      mock.restoreAll()
    }
  })

  it('feels a reader that does not read', async () => {
    const { server, outcomes, address } = await listening(endpointEnd())
    const ours = await dialingSource(address, relayEnd())(never)
    const theirs = await accepted(outcomes)
    // More than the kernel's own buffers take.
    for (let i = 0; i < 400; i++) {
      ours.write(Buffer.alloc(100_000))
      await new Promise(setImmediate)
    }
    assert.isAbove(ours.writableLength, 1_000_000, 'what nobody reads waits here')
    assert.isBelow(theirs.readableLength, 1_000_000, 'and not there')
    ours.destroy()
    theirs.destroy()
    server.close()
  })

  it('shows nobody on the wire what passes, and breaks when a byte of it is changed', async () => {
    const { server, outcomes, address } = await listening(endpointEnd())
    const evil = await startEvilTcp(address, { record: true })
    const ours = await dialingSource({ host: '127.0.0.1', port: evil.port }, relayEnd())(never)
    const theirs = await accepted(outcomes)
    ours.write('canary-in-the-trunk')
    const [got] = (await once(theirs, 'data')) as [Uint8Array]
    assert.equal(Buffer.from(got).toString(), 'canary-in-the-trunk')
    assert.isFalse(evil.tamper.bytes().includes('canary-in-the-trunk'))
    evil.tamper.script = ({ bytes }) => [bytes.with(20, (bytes[20] ?? 0) ^ 1)]
    const ended = new Promise((resolve) => theirs.once('close', resolve))
    theirs.on('data', () => assert.fail('nothing more may come out'))
    ours.write('changed on its way')
    await ended
    assert.instanceOf(theirs.errored, Error)
    await evil.close()
    server.close()
  })

  it('refuses a second endpoint that answers for the host without the pinned key (R19)', async () => {
    const { server, outcomes, address } = await listening(endpointEnd({ key: otherKey }))
    await fails('endpoint_key_changed', () => dialingSource(address, relayEnd())(never))
    assert.instanceOf(await outcomes.next(), Error)
    server.close()
  })

  it('refuses a second endpoint that dials in for the host without the pinned key (R19)', async () => {
    const refusals = new Queue<unknown>()
    const listener = await listenForTrunk(
      { host: '127.0.0.1', port: 0 },
      { host: HOST, identity: relay, pin },
      (error) => refusals.put(error),
    )
    const served = await startRelay({ port: 0, host: HOST, version: '0', trunk: listener.source })
    const address = { host: '127.0.0.1', port: listener.port }
    const claim = dialingEndpoint(address, endpointEnd({ key: otherKey }))(never)
    await fails('endpoint_key_changed', async () => {
      throw await refusals.next()
    })
    await claim.then(
      () => assert.fail('claimed'),
      () => undefined,
    )
    // Plain TCP does not get in either, not even from this machine.
    const plain = await rawSocket(listener.port)
    plain.write(Buffer.from('000000050200000000', 'hex'))
    assert.instanceOf(await refusals.next(), Error)

    const tab = await TabSocket.open(served.port)
    assert.equal((await tab.closed).code, 4000, 'nobody serves the host')

    const honest = new Trunk(await dialingEndpoint(address, endpointEnd())(never), {
      message: () => undefined,
      closed: () => undefined,
    })
    await served.ready
    assert.isFalse(honest.closed)
    await served.close()
    listener.close()
  })

  it('is not kept from the endpoint by those who only hold a place', async () => {
    const listener = await listenForTrunk(
      { host: '127.0.0.1', port: 0 },
      { host: HOST, identity: relay, pin },
    )
    const holders: Socket[] = []
    for (let i = 0; i < 200; i++) holders.push(await rawSocket(listener.port))
    const address = { host: '127.0.0.1', port: listener.port }
    const trunk = await dialingEndpoint(address, endpointEnd())(never)
    assert.isFalse(trunk.destroyed)
    trunk.destroy()
    for (const holder of holders) holder.destroy()
    listener.close()
  })

  it('lets a newer trunk of the same endpoint replace one that may be half open', async () => {
    const listener = await listenForTrunk(
      { host: '127.0.0.1', port: 0 },
      { host: HOST, identity: relay, pin },
    )
    const served = await startRelay({ port: 0, host: HOST, version: '0', trunk: listener.source })
    const address = { host: '127.0.0.1', port: listener.port }
    const dial = dialingEndpoint(address, endpointEnd())
    const lost = new Queue<string>()
    const first = new Trunk(await dial(never), {
      message: () => undefined,
      closed: (reason) => lost.put(reason),
    })
    await served.ready
    const opened = new Queue<number>()
    new Trunk(await dial(never), {
      message: ({ op, id }) => void (op === TRUNK.open && opened.put(id)),
      closed: () => undefined,
    })
    await lost.next()
    assert.isTrue(first.closed)
    const heard = opened.next().then(() => true)
    const attempt = async () => {
      const tab = await TabSocket.open(served.port)
      return Promise.race([heard, tab.closed.then(() => false)])
    }
    let through = await attempt()
    while (!through) through = await attempt()
    await served.close()
    listener.close()
  })

  it('is refused to relays that the endpoint does not know, with the answer that everyone gets', async () => {
    const { server, outcomes, address } = await listening(endpointEnd())
    await fails('handshake_failed', () =>
      dialingSource(address, relayEnd({ identity: stranger }))(never),
    )
    await fails('handshake_failed', async () => {
      throw await outcomes.next()
    })
    // Another host is another transcript: not even the first answer can be opened.
    await fails('crypto_failed', () =>
      dialingSource(address, relayEnd({ host: 'other.example' }))(never),
    )
    server.close()
  })

  it('is never plain without keys: only the very same machine may do without', async () => {
    const { server, address } = await listening(endpointEnd())
    await fails('refused', () => dialingSource(address, { host: HOST, security: 'always' })(never))
    const plain = await dialingSource(address, { host: HOST })(never)
    assert.equal((plain as Socket).remoteAddress, '127.0.0.1')
    plain.destroy()
    for (const address of ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'])
      assert.isTrue(isLoopbackAddress(address), address)
    for (const address of ['10.0.0.1', '::ffff:10.0.0.1', '::2', '', undefined, 'localhost'])
      assert.isFalse(isLoopbackAddress(address), address)
    server.close()
  })

  it('gives up frames longer than allowed before it keeps them', async () => {
    const { server, outcomes, address } = await listening(endpointEnd())
    for (const announced of ['ffffffff', '00010015', '00000000']) {
      const socket = await rawSocket(address.port, Buffer.from(announced, 'hex'))
      socket.resume()
      await once(socket, 'close')
      assert.instanceOf(await outcomes.next(), Error)
    }
    server.close()
  })
})

describe('looking for the endpoint again', () => {
  it('waits longer each time, up to two seconds, and never all at once', () => {
    const least = Array.from({ length: 9 }, (_, attempt) => backoff(attempt, () => 0))
    const most = Array.from({ length: 9 }, (_, attempt) => backoff(attempt, () => 1))
    assert.deepEqual(least, [50, 100, 200, 400, 800, 1000, 1000, 1000, 1000])
    assert.deepEqual(most, [100, 200, 400, 800, 1600, 2000, 2000, 2000, 2000])
  })

  it('stops at once when it is told to, also in the middle of a wait', async () => {
    const stop = new AbortController()
    const tried = new Queue<number>()
    const kept = keepTrunk(
      () => Promise.reject(new Error('away')),
      {
        up: () => assert.fail('nobody is there'),
        message: () => undefined,
        settled: () => undefined,
        down: () => undefined,
        failed: (_, delay) => tried.put(delay),
      },
      stop.signal,
      () => 1,
    )
    for (const delay of [100, 200, 400]) assert.equal(await tried.next(), delay)
    stop.abort()
    await kept
  })

  it('gives up an address that does not answer', async () => {
    const stop = new AbortController()
    const dialled = dialTrunk({ host: '127.0.0.1', port: 1 }, stop.signal)
    await dialled.then(
      () => assert.fail('nobody listens there'),
      (error) => assert.equal(error.code, 'ECONNREFUSED'),
    )
    stop.abort()
    await fails('timeout', () => dialTrunk({ host: '127.0.0.1', port: 1 }, AbortSignal.abort()))
  })
})

describe('the origin tag', () => {
  const v4 = (...bytes: number[]) => Uint8Array.from(bytes)
  const v6 = (...groups: number[]) => {
    const all = [...groups, ...new Array<number>(8 - groups.length).fill(0)]
    return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]))
  }

  it('is one per /24 or /64, whether IPv4 comes mapped or not, and another the next day', () => {
    let now = 0
    const tagger = new OriginTagger(() => now)
    const tag = (address: Uint8Array) => hex(tagger.of(address).tag)
    const home = tag(v4(192, 0, 2, 1))
    assert.equal(home.length, 32)
    assert.equal(tag(v4(192, 0, 2, 254)), home)
    assert.notEqual(tag(v4(192, 0, 3, 1)), home)
    assert.equal(tag(v6(0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0207)), home)
    const six = tag(v6(0x2001, 0xdb8, 1, 2, 3))
    assert.equal(tag(v6(0x2001, 0xdb8, 1, 2, 0xffff)), six)
    assert.notEqual(tag(v6(0x2001, 0xdb8, 1, 3)), six)
    now = 86_400_000
    assert.notEqual(tag(v4(192, 0, 2, 1)), home)
    assert.notEqual(hex(new OriginTagger().of(v4(192, 0, 2, 1)).tag), home)
    assert.isFalse(home.includes(hex(utf8('192'))))
  })

  it('is forgotten when nobody of that network is connected', () => {
    const tagger = new OriginTagger(() => 0)
    const kept = tagger.of(v4(10, 0, 0, 1))
    kept.connections = 1
    const gone = tagger.of(v4(10, 0, 1, 1))
    for (let i = 0; i < 3000; i++) tagger.of(v4(11, i >> 8, i & 0xff, 1))
    assert.equal(tagger.of(v4(10, 0, 0, 2)), kept)
    assert.notEqual(tagger.of(v4(10, 0, 1, 2)), gone)
  })
})
