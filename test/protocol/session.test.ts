import { concat, EMPTY, hex, u8, u64 } from '../../web/protocol/bytes.ts'
import type { Primitives } from '../../web/protocol/primitives.ts'
import { PAYLOAD_MOST, RecordSealer } from '../../web/protocol/record.ts'
import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { MAX_MESSAGE, Rig, type Wired } from '../support/handshake_rig.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

async function connected(p: Primitives = webPrimitives) {
  const rig = new Rig(p)
  const ends = await rig.run()
  return { rig, ends, ...rig.sessions(ends) }
}

/** Gives everything that is on the wire to whom it is for, and collects what came of it. */
async function deliver({ wire, client, server }: Wired) {
  const received = []
  while (wire.toServer.length + wire.toClient.length > 0) {
    const up = wire.toServer.shift()
    if (up) received.push(await server.receive(up))
    const down = wire.toClient.shift()
    if (down) received.push(await client.receive(down))
  }
  return received
}

const of = (length: number, fill = 7) => new Uint8Array(length).fill(fill)

describe('a session', () => {
  it('carries messages both ways, of any size up to the limit', async () => {
    const session = await connected()
    for (const length of [1, 300, PAYLOAD_MOST - 1, PAYLOAD_MOST, 200_000, MAX_MESSAGE]) {
      await session.client.send(of(length))
      await session.server.send(of(length, 8))
      const messages = (await deliver(session)).flatMap((r) =>
        r.kind === 'message' ? [[r.message.length, r.message[length - 1]]] : [],
      )
      assert.sameDeepMembers(messages, [
        [length, 7],
        [length, 8],
      ])
    }
  })

  it('refuses to send nothing, or too much, and goes on', async () => {
    const session = await connected()
    await fails('limit', () => session.client.send(EMPTY))
    await fails('limit', () => session.client.send(of(MAX_MESSAGE + 1)))
    await session.client.send(of(1))
    assert.equal((await deliver(session))[0]?.kind, 'message')
  })

  it('writes what is sent at once in the order of the calls', async () => {
    const session = await connected()
    const sent = [of(150_000, 1), of(1, 2), of(70_000, 3), of(2, 4)]
    const order: number[] = []
    await Promise.all([
      ...sent.map((message, i) => session.client.send(message, () => order.push(i))),
      session.client.ping(),
    ])
    assert.deepEqual(order, [0, 1, 2, 3])
    const messages = (await deliver(session)).flatMap((r) =>
      r.kind === 'message' ? [r.message[0]] : [],
    )
    assert.deepEqual(messages, [1, 2, 3, 4])
  })

  it('opens what comes at once in the order of the calls', async () => {
    const session = await connected()
    for (const message of [of(60_000, 1), of(1, 2), of(30_000, 3)])
      await session.client.send(message)
    const received = await Promise.all(session.wire.toServer.map((f) => session.server.receive(f)))
    const firsts = received.map((r) => (r.kind === 'message' ? r.message[0] : undefined))
    assert.deepEqual(firsts, [1, 2, 3])
  })

  it('answers pings, and takes no answer to a ping never sent', async () => {
    const session = await connected()
    await session.client.ping()
    await session.client.ping()
    await deliver(session)
    assert.isTrue(session.client.open)
    const other = await connected()
    const forger = new RecordSealer(webPrimitives, other.ends.server.keys.server)
    const pong = await forger.seal({ content: 'pong', payload: EMPTY })
    await fails('unexpected_message', () => other.client.receive(pong))
  })

  it('lives on in a tab that nobody looks at, whose timers ring once a minute', async () => {
    const { rig, client, server, wire } = await connected()
    for (let second = 1; second <= 600; second++) {
      rig.time += 1000
      if (second % 5 === 0) assert.equal(await server.tick(), 'alive')
      if (second % 60 === 0) assert.equal(await client.tick(), 'alive')
      await deliver({ client, server, wire })
    }
    // Then the network loses everything: the second look finds out.
    for (const state of ['alive', 'dead'] as const) {
      rig.time += 60_000
      assert.equal(await client.tick(), state)
    }
  })

  it('is not given up while a long message takes its time, whichever side sends it', async () => {
    for (const sender of ['client', 'server'] as const) {
      const { rig, wire, ...ends } = await connected()
      const to = sender === 'client' ? wire.toServer : wire.toClient
      const back = sender === 'client' ? wire.toClient : wire.toServer
      const receiver = sender === 'client' ? ends.server : ends.client
      await ends[sender].send(of(MAX_MESSAGE))
      // 20 KiB a second that way, pings behind all of it; at once the other way.
      let passed = 0
      for (let second = 1; to.length > 0; second++) {
        rig.time += 1000
        passed += 20 * 1024
        for (let next = to[0]; next !== undefined && next.length <= passed; next = to[0]) {
          passed -= next.length
          await receiver.receive(next)
          to.shift()
        }
        for (const frame of back.splice(0)) await ends[sender].receive(frame)
        assert.equal(await ends.client.tick(), 'alive', `client, second ${second}`)
        assert.equal(await ends.server.tick(), 'alive', `server, second ${second}`)
      }
      assert.isAbove(rig.time, 1_000_000 + 45_000)
    }
  })

  it('finds out that the peer is gone, by a ping without an answer', async () => {
    const { rig, client, wire } = await connected()
    assert.equal(await client.tick(), 'alive')
    rig.time += 10_000
    assert.equal(await client.tick(), 'alive')
    assert.lengthOf(wire.toServer, 1)
    rig.time += 9_999
    assert.equal(await client.tick(), 'alive')
    rig.time += 1
    assert.equal(await client.tick(), 'dead')
  })

  it('changes its key after an hour, both directions on their own', async () => {
    const session = await connected()
    await session.client.send(of(1))
    session.rig.time += 3_600_000
    await session.client.send(of(1))
    assert.lengthOf(session.wire.toServer, 3)
    await session.server.send(of(1))
    assert.lengthOf(session.wire.toClient, 1)
    const kinds = (await deliver(session)).map(({ kind }) => kind)
    assert.deepEqual(kinds.sort(), ['message', 'message', 'message', 'nothing'])
  })

  it('wants to be replaced after a day, and an hour before when that disturbs nothing', async () => {
    const { rig, client } = await connected()
    rig.time += 23 * 3_600_000 - 1
    assert.isFalse(client.refreshDue(true))
    rig.time += 1
    assert.isTrue(client.refreshDue(true))
    assert.isFalse(client.refreshDue(false))
    rig.time += 3_600_000
    assert.isTrue(client.refreshDue(false))
  })

  it('closes with a reason and the last record that arrived', async () => {
    const session = await connected()
    await session.server.send(of(1))
    await session.server.send(of(1))
    await deliver(session)
    await session.client.close('done')
    assert.deepEqual(await deliver(session), [{ kind: 'closed', reason: 'done', lastSeq: 1 }])
    assert.isUndefined(session.server.streamEnded())
    assert.isUndefined(session.client.streamEnded())
    await fails('closed', () => session.server.send(of(1)))
    await fails('closed', () => session.client.send(of(1)))
  })

  it('closes before anything arrived, and says that', async () => {
    const session = await connected()
    await session.client.close('idle')
    assert.deepEqual(await deliver(session), [{ kind: 'closed', reason: 'idle', lastSeq: -1 }])
  })

  it('takes no close that claims records never sent', async () => {
    const { ends, client } = await connected()
    const forger = new RecordSealer(webPrimitives, ends.server.keys.server)
    const frame = await forger.seal({ content: 'close', payload: concat(u8(0), u64(0)) })
    await fails('unexpected_message', () => client.receive(frame))
  })

  it('that ends without a close was cut', async () => {
    const { client, server } = await connected()
    assert.equal(client.streamEnded()?.code, 'truncated')
    assert.equal(server.streamEnded()?.code, 'truncated')
    await fails('closed', () => client.send(of(1)))
  })

  it('tells the peer by a sealed alert why it ends', async () => {
    const session = await connected()
    await session.server.alert('revoked')
    const [received] = await deliver(session)
    assert.equal(received?.kind === 'alert' && received.alert, 'revoked')
    assert.isFalse(session.client.open)
    assert.isUndefined(session.client.streamEnded())
  })

  it('tells the peer when a record does not open, and takes nothing more', async () => {
    const session = await connected()
    await session.client.send(of(1))
    const frame = session.wire.toServer.shift() ?? EMPTY
    frame[100] = (frame[100] ?? 0) ^ 1
    await fails('bad_record', () => session.server.receive(frame))
    await session.client.send(of(2))
    await fails('closed', () => session.server.receive(session.wire.toServer.shift() ?? EMPTY))
    const [received] = await deliver(session)
    assert.equal(received?.kind === 'alert' && received.alert, 'bad_record')
  })

  it('refuses fragments said in another way, and messages that grow past the limit', async () => {
    const cases = [
      { code: 'decode_error', payloads: [EMPTY] },
      { code: 'decode_error', payloads: [u8(0)] },
      { code: 'decode_error', payloads: [Uint8Array.of(1, 5)] },
      { code: 'decode_error', payloads: [Uint8Array.of(2, 5)] },
      {
        code: 'limit',
        payloads: Array.from({ length: 17 }, () => concat(u8(1), of(PAYLOAD_MOST - 1))),
      },
    ]
    for (const { code, payloads } of cases) {
      const { ends, server } = await connected()
      const forger = new RecordSealer(webPrimitives, ends.client.keys.client)
      await fails(code, async () => {
        for (const payload of payloads)
          await server.receive(await forger.seal({ content: 'app', payload }))
      })
    }
  })

  it('holds the same transcript hash at both sides, and the same exporter', async () => {
    const { ends } = await connected()
    assert.equal(hex(ends.client.transcript), hex(ends.server.transcript))
    assert.equal(hex(ends.client.exporter), hex(ends.server.exporter))
  })
})
