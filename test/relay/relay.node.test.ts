import { once } from 'node:events'
import { createServer } from 'node:net'
import { startRelay } from '../../relay/relay.ts'
import { Trunk } from '../../relay/trunk.ts'
import { dialTrunk } from '../../relay/trunk_frames.ts'
import { utf8 } from '../../web/protocol/bytes.ts'
import {
  CLOSE_CODES,
  decodeClose,
  encodeClose,
  encodeTopic,
  MAX_FRAME,
  TRUNK,
} from '../../web/protocol/envelope.ts'
import { portOf, Queue, ScriptedEndpoint, Stand, TabSocket } from '../support/relay_stand.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'

describe('a relay between tabs and an endpoint', () => {
  let stand: Stand
  before(async () => {
    stand = await Stand.start()
  })
  after(() => stand.stop())

  it('carries frames both ways unchanged, up to the greatest length, in order', async () => {
    const { tab, id } = await stand.tab()
    const frames = [utf8('a'), new Uint8Array(MAX_FRAME).fill(7), utf8('b')]
    for (const frame of frames) tab.send(frame)
    for (const frame of frames) {
      const message = await stand.endpoint.next(TRUNK.data)
      assert.equal(message.id, id)
      assert.deepEqual(message.body, frame)
    }
    for (const frame of frames) stand.endpoint.send(TRUNK.data, id, frame)
    for (const frame of frames) assert.deepEqual(await tab.next(), frame)
  })

  it('keeps connections apart', async () => {
    const a = await stand.tab()
    const b = await stand.tab()
    assert.notEqual(a.id, b.id)
    stand.endpoint.send(TRUNK.data, b.id, utf8('for b'))
    stand.endpoint.send(TRUNK.data, a.id, utf8('for a'))
    assert.deepEqual(await a.tab.next(), utf8('for a'))
    assert.deepEqual(await b.tab.next(), utf8('for b'))
  })

  it('gives a cast to each subscriber, from subscribing until unsubscribing', async () => {
    const a = await stand.tab()
    const b = await stand.tab()
    const { endpoint } = stand
    const topic = 0xffff_fff0
    const say = (text: string) => endpoint.send(TRUNK.cast, topic, utf8(text))
    say('nobody')
    endpoint.send(TRUNK.subscribe, a.id, encodeTopic(topic))
    say('first')
    endpoint.send(TRUNK.subscribe, b.id, encodeTopic(topic))
    say('second')
    endpoint.send(TRUNK.unsubscribe, a.id, encodeTopic(topic))
    say('third')
    for (const { id } of [a, b]) endpoint.send(TRUNK.data, id, utf8('end'))
    for (const text of ['first', 'second', 'end']) assert.deepEqual(await a.tab.next(), utf8(text))
    for (const text of ['second', 'third', 'end']) assert.deepEqual(await b.tab.next(), utf8(text))
  })

  it('keeps casts and frames for one tab in the order in which the endpoint sent them', async () => {
    const { tab, id } = await stand.tab()
    stand.endpoint.send(TRUNK.subscribe, id, encodeTopic(5))
    const sent: number[] = []
    for (let i = 0; i < 200; i++) {
      const cast = i % 3 !== 0
      stand.endpoint.send(cast ? TRUNK.cast : TRUNK.data, cast ? 5 : id, Uint8Array.of(i))
      sent.push(i)
    }
    const got: number[] = []
    for (const _ of sent) got.push((await tab.next())[0] ?? -1)
    assert.deepEqual(got, sent)
  })

  it('tells the endpoint when a tab goes', async () => {
    const { tab, id } = await stand.tab()
    tab.socket.close(1000)
    const closed = await stand.endpoint.next(TRUNK.close)
    assert.equal(closed.id, id)
    assert.equal(decodeClose(closed.body).code, 1000)
  })

  it('passes on the endpoint’s close with its code and text, after all that came before', async () => {
    const { tab, id } = await stand.tab()
    stand.endpoint.send(TRUNK.data, id, utf8('last words'))
    stand.endpoint.send(TRUNK.close, id, encodeClose(4020, 'The session is over.'))
    assert.deepEqual(await tab.next(), utf8('last words'))
    assert.deepEqual(await tab.closed, { code: 4020, text: 'The session is over.' })
  })

  it('gives connections of one network the same opaque tag, not an address', async () => {
    const tags: string[] = []
    for (let i = 0; i < 2; i++) {
      const tab = await TabSocket.open(stand.relay.port)
      const { body } = await stand.endpoint.next(TRUNK.open)
      tags.push(Buffer.from(body).toString('hex'))
      tab.close()
    }
    assert.equal(tags[0], tags[1])
    assert.notInclude(tags[0], '7f0000')
  })
})

describe('a relay whose endpoint goes away', () => {
  it('tells the tabs, refuses new ones with the same words, and finds the endpoint again', async () => {
    const stand = await Stand.start()
    const { port } = stand.endpoint
    const away = { code: CLOSE_CODES.endpoint_away.code, text: CLOSE_CODES.endpoint_away.text }
    const { tab } = await stand.tab()
    await stand.endpoint.close()
    assert.deepEqual(await tab.closed, away)
    const during = await TabSocket.open(stand.relay.port)
    assert.deepEqual(await during.closed, away)

    const again = await ScriptedEndpoint.listen(undefined, port)
    await again.trunks.next()
    // The relay may still be about to hear that its trunk is up: a tab tries as tabs do.
    const heard = again.next(TRUNK.data).then(() => true)
    const attempt = async () => {
      const trying = await TabSocket.open(stand.relay.port)
      trying.send(utf8('hello again'))
      const through = await Promise.race([heard, trying.closed.then(() => false)])
      return through ? trying : undefined
    }
    let back = await attempt()
    while (!back) back = await attempt()
    assert.equal(stand.relay.connections, 1)
    back.close()
    await stand.relay.close()
    await again.close()
  })

  it('tells the tabs and the endpoint when it stops itself', async () => {
    const stand = await Stand.start()
    const { tab, id } = await stand.tab()
    const { going_away } = CLOSE_CODES
    const stopped = stand.relay.close()
    assert.deepEqual(await tab.closed, { code: going_away.code, text: going_away.text })
    const closed = await stand.endpoint.next(TRUNK.close)
    assert.equal(closed.id, id)
    await stopped
    await stand.endpoint.close()
  })

  it('gives up a trunk that says something unreadable, and takes a new one', async () => {
    const stand = await Stand.start()
    const { tab } = await stand.tab()
    const [socket] = stand.endpoint.sockets
    socket?.write(Buffer.from('ffffffff02', 'hex'))
    assert.equal((await tab.closed).code, CLOSE_CODES.endpoint_away.code)
    assert.instanceOf(await stand.endpoint.trunks.next(), Object)
    await stand.stop()
  })

  it('gives up a trunk that beat and then fell silent', async () => {
    const server = createServer(
      (socket) => void socket.write(Buffer.from('000000050200000000', 'hex')),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = await dialTrunk(
      { host: '127.0.0.1', port: portOf(server) },
      new AbortController().signal,
    )
    const reason = await new Promise<string>((resolve) => {
      const trunk = new Trunk(
        socket,
        { message: () => undefined, closed: resolve },
        { beat: 10, silence: 50 },
      )
      assert.isFalse(trunk.closed)
    })
    assert.equal(reason, 'silent for too long')
    server.close()
  })

  it('does not take its own pause for the silence of the other side', async () => {
    const endpoint = await ScriptedEndpoint.listen()
    const socket = await dialTrunk(
      { host: '127.0.0.1', port: endpoint.port },
      new AbortController().signal,
    )
    const times = { beat: 5, silence: 20 }
    const messages = new Queue<number>()
    const trunk = new Trunk(
      socket,
      { message: ({ id }) => messages.put(id), closed: () => undefined },
      times,
    )
    const other = await endpoint.trunks.next()
    other.send(TRUNK.data, 0)
    other.send(TRUNK.data, 1)
    await messages.next()
    trunk.pause()
    // Its own signs of life go on: ten of them take longer than the silence that it would count.
    const [socketThere] = endpoint.sockets
    for (let beats = 0; beats < 10; beats++) await once(socketThere ?? assert.fail(), 'data')
    assert.isFalse(trunk.closed)
    other.send(TRUNK.data, 2)
    trunk.resume()
    assert.equal(await messages.next(), 2)
    trunk.close()
    await endpoint.close()
  })

  it('says which port is taken', async () => {
    const stand = await Stand.start()
    const error = await startRelay({
      port: stand.relay.port,
      host: 'localhost',
      version: '0.0.0',
      trunk: () => new Promise(() => undefined),
    }).catch((caught: NodeJS.ErrnoException) => caught)
    assert.equal((error as NodeJS.ErrnoException).code, 'EADDRINUSE')
    await stand.stop()
  })
})
