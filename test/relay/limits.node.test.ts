import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Limits } from '../../relay/limits.ts'
import {
  CLOSE_CODES,
  decodeClose,
  encodeTopic,
  MAX_FRAME,
  TRUNK,
} from '../../web/protocol/envelope.ts'
import { type End, rawWebSocket, Stand, TabSocket } from '../support/relay_stand.ts'
import { assert, describe, it } from '../support/suite.ts'

/** Runs `work` at a relay with these limits. */
async function at(limits: Partial<Limits>, work: (stand: Stand) => Promise<void>): Promise<void> {
  const stand = await Stand.start({ limits })
  try {
    await work(stand)
  } finally {
    await stand.stop()
  }
}

function endOf(reason: keyof typeof CLOSE_CODES): End {
  const { code, text } = CLOSE_CODES[reason]
  return { code, text }
}

/** The endpoint hears of it too, with the same code. */
async function endsWith(
  stand: Stand,
  reason: keyof typeof CLOSE_CODES,
  work: (tab: TabSocket) => void,
): Promise<void> {
  const { tab, id } = await stand.tab()
  work(tab)
  assert.deepEqual(await tab.closed, endOf(reason))
  const closed = await stand.endpoint.next(TRUNK.close)
  assert.equal(closed.id, id)
  assert.equal(decodeClose(closed.body).code, CLOSE_CODES[reason].code)
  const logged = stand.lines.filter(({ fields }) => 'reason' in fields && fields.reason === reason)
  assert.equal(logged.length, 1)
}

describe('a tab that oversteps is told which limit it was', () => {
  it('text', () => at({}, (stand) => endsWith(stand, 'not_binary', (tab) => tab.send('text'))))

  it('an empty frame', () =>
    at({}, (stand) => endsWith(stand, 'empty', (tab) => tab.send(new Uint8Array(0)))))

  it('a frame one byte too long', () =>
    at({}, (stand) =>
      endsWith(stand, 'too_large', (tab) => tab.send(new Uint8Array(MAX_FRAME + 1))),
    ))

  it('too many frames', () =>
    at({ frameBurst: 50, framesPerSecond: 1 }, (stand) =>
      endsWith(stand, 'too_fast', (tab) => {
        for (let i = 0; i < 200; i++) tab.send(Uint8Array.of(i))
      }),
    ))

  it('too many bytes', () =>
    at({ byteBurst: 100_000, bytesPerSecond: 1 }, (stand) =>
      endsWith(stand, 'too_fast', (tab) => {
        for (let i = 0; i < 3; i++) tab.send(new Uint8Array(50_000))
      }),
    ))

  it('nothing said after connecting', () =>
    at({ silence: 1 }, (stand) => endsWith(stand, 'silent', () => undefined)))

  it('nothing said for long', () =>
    at({ idle: 1 }, (stand) => endsWith(stand, 'idle', (tab) => tab.send(Uint8Array.of(1)))))

  it('one connection too many, in all or from one network; the next may come when one has gone', async () => {
    const cases = [
      [{ connections: 2 }, 'full'],
      [{ connectionsPerOrigin: 2 }, 'full_for_origin'],
    ] as const
    for (const [limits, reason] of cases)
      await at(limits, async (stand) => {
        const { tab: first } = await stand.tab()
        await stand.tab()
        const third = await TabSocket.open(stand.relay.port)
        assert.deepEqual(await third.closed, endOf(reason))
        first.socket.close(1000)
        await stand.endpoint.next(TRUNK.close)
        await stand.tab()
        assert.equal(stand.relay.connections, 2)
      })
  })

  it('connections of different networks behind a proxy are counted apart', async () => {
    const stand = await Stand.start({ limits: { connectionsPerOrigin: 1 }, proxied: true })
    const tagOf = async (...addresses: string[]): Promise<string> => {
      await rawWebSocket(stand.relay.port, `X-Forwarded-For: ${addresses.join(', ')}`)
      return Buffer.from((await stand.endpoint.next(TRUNK.open)).body).toString('hex')
    }
    const tags = [
      await tagOf('192.0.2.1'),
      await tagOf('192.0.3.1'),
      await tagOf('192.0.2.1', '2001:db8:0:1::1'),
      await tagOf('2001:db8:0:2::1'),
    ]
    assert.equal(new Set(tags).size, 4)
    const again = await rawWebSocket(stand.relay.port, 'X-Forwarded-For: 192.0.2.200')
    await once(again, 'close')
    assert.equal(stand.relay.connections, 4)
    await stand.stop()
  })

  it('of several X-Forwarded-For headers the last counts: the first are the client’s own words', async () => {
    const stand = await Stand.start({ proxied: true })
    const tagOf = async (...headers: string[]): Promise<string> => {
      const said = headers.map((value) => `X-Forwarded-For: ${value}`)
      await rawWebSocket(stand.relay.port, ...said)
      return Buffer.from((await stand.endpoint.next(TRUNK.open)).body).toString('hex')
    }
    const real = await tagOf('192.0.2.1')
    assert.equal(await tagOf('198.51.100.1', '192.0.2.1'), real)
    assert.equal(await tagOf('198.51.100.1, 203.0.113.1', '203.0.113.1, 192.0.2.1'), real)
    await stand.stop()
  })

  it('a proxy that is not told of is said in the log once, and its word is not taken', async () => {
    const stand = await Stand.start({ limits: { connectionsPerOrigin: 2 } })
    const warnings = () => stand.lines.filter(({ level }) => level === 'warn')
    await rawWebSocket(stand.relay.port)
    assert.deepEqual(warnings(), [])
    await rawWebSocket(stand.relay.port, 'X-Forwarded-For: 192.0.2.1')
    const third = await rawWebSocket(stand.relay.port, 'X-Forwarded-For: 198.51.100.1')
    await once(third, 'close')
    const [warning, ...more] = warnings()
    assert.match(warning?.text ?? '', /count as one network until .* --proxied is said/)
    assert.notInclude(JSON.stringify(warning), '192.0.2')
    assert.deepEqual(more, [])
    await stand.stop()
  })

  it('a proxy whose word is no address is said in the log', async () => {
    const stand = await Stand.start({ proxied: true })
    await rawWebSocket(stand.relay.port, 'X-Forwarded-For: unknown')
    const warning = stand.lines.find(({ level }) => level === 'warn')
    assert.match(warning?.text ?? '', /no address: .*one network/)
    await stand.stop()
  })

  it('an endpoint that takes nothing any more: who sends most goes, the others stay', () =>
    at({ trunkBuffer: 8 * 2 ** 20, byteBurst: 20 * 2 ** 20 }, async (stand) => {
      const { tab: quiet, id } = await stand.tab()
      const { tab: loud } = await stand.tab()
      const [socket] = stand.endpoint.sockets
      socket?.pause()
      const flood = () => {
        if (loud.socket.readyState !== loud.socket.OPEN) return
        for (let i = 0; i < 16; i++) loud.send(new Uint8Array(60_000))
        setImmediate(flood)
      }
      flood()
      assert.deepEqual(await loud.closed, endOf('overloaded'))
      assert.isTrue(
        stand.lines.some(({ fields }) => 'reason' in fields && fields.reason === 'overloaded'),
      )
      quiet.send(Uint8Array.of(42))
      socket?.resume()
      for (;;) {
        const message = await stand.endpoint.next(TRUNK.data)
        if (message.id !== id) continue
        assert.deepEqual(message.body, Uint8Array.of(42))
        break
      }
    }))
})

/** A connection that was upgraded and then reads nothing. */
async function deaf(stand: Stand): Promise<{ socket: Socket; id: number }> {
  const socket = await rawWebSocket(stand.relay.port)
  socket.pause()
  return { socket, id: await stand.endpoint.opened() }
}

describe('a tab that does not read', () => {
  const LIMITS = { tabBuffer: 2 ** 20, allTabsBuffer: 64 * 2 ** 20, silence: 600 }

  it('is given up when its buffer is full, and the others miss nothing', () =>
    at(LIMITS, async (stand) => {
      const { endpoint } = stand
      const slow = await deaf(stand)
      const { tab, id } = await stand.tab()
      for (const member of [slow.id, id]) endpoint.send(TRUNK.subscribe, member, encodeTopic(1))
      const frame = new Uint8Array(60_000)
      let casts = 0
      let gone = false
      const closed = endpoint.next(TRUNK.close).then((message) => {
        gone = true
        return message
      })
      while (!gone) {
        for (let i = 0; i < 10; i++) endpoint.send(TRUNK.cast, 1, frame)
        for (let i = 0; i < 10; i++) assert.equal((await tab.next()).length, frame.length)
        casts += 10
        assert.isBelow(casts, 1000)
      }
      const { id: ended, body } = await closed
      assert.equal(ended, slow.id)
      assert.equal(decodeClose(body).code, CLOSE_CODES.too_slow.code)
      slow.socket.destroy()
    }))

  it('is told why once it reads again', () =>
    at(LIMITS, async (stand) => {
      const { socket, id } = await deaf(stand)
      const frame = new Uint8Array(60_000)
      const closed = stand.endpoint.next(TRUNK.close)
      let gone = false
      void closed.then(() => {
        gone = true
      })
      while (!gone) {
        stand.endpoint.send(TRUNK.data, id, frame)
        await new Promise(setImmediate)
      }
      const parts: Buffer[] = []
      socket.on('data', (part) => parts.push(part))
      socket.resume()
      await once(socket, 'end')
      const last = Buffer.concat(parts).subarray(-(2 + 2 + CLOSE_CODES.too_slow.text.length))
      assert.equal(last.readUInt16BE(2), CLOSE_CODES.too_slow.code)
      assert.equal(last.subarray(4).toString(), CLOSE_CODES.too_slow.text)
    }))

  it('a hundred of them keep to the bound of all, and nobody else waits', () =>
    at({ ...LIMITS, tabBuffer: 2 ** 22, allTabsBuffer: 2 ** 24 }, async (stand) => {
      const { endpoint, relay } = stand
      const slow = await Promise.all(Array.from({ length: 100 }, () => deaf(stand)))
      const { tab, id } = await stand.tab()
      for (const member of [...slow.map((one) => one.id), id])
        endpoint.send(TRUNK.subscribe, member, encodeTopic(1))
      const before = process.memoryUsage().rss
      const frame = new Uint8Array(60_000)
      let most = 0
      // The kernel takes some megabytes for each before the relay has to hold anything.
      while (relay.connections > 1) {
        endpoint.send(TRUNK.cast, 1, frame)
        await tab.next()
        most = Math.max(most, process.memoryUsage().rss - before)
      }
      assert.isBelow(most, 100 * 2 ** 20)
      for (const { socket } of slow) socket.destroy()
    }))
})
