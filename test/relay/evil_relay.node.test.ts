import { once } from 'node:events'
import { createServer } from 'node:net'
import { utf8 } from '../../web/protocol/bytes.ts'
import { encodeTcpFrame, encodeTopic, TcpFrameReader, TRUNK } from '../../web/protocol/envelope.ts'
import { startEvilRelay, startEvilTcp } from '../support/evil_relay.ts'
import { portOf, Queue, rawSocket, ScriptedEndpoint, TabSocket } from '../support/relay_stand.ts'
import { assert, describe, it } from '../support/suite.ts'

describe('the hostile relay that attack tests use', () => {
  it('drops, doubles, changes, holds back and adds frames, and records what there was', async () => {
    const endpoint = await ScriptedEndpoint.listen()
    const evil = await startEvilRelay(
      { host: '127.0.0.1', port: endpoint.port },
      {
        record: true,
        script: ({ direction, index, bytes }) => {
          if (direction === 'down') return undefined
          if (index === 0) return []
          if (index === 1) return [bytes, bytes]
          return index === 2 ? [utf8('changed')] : undefined
        },
      },
    )
    await evil.ready
    const tab = await TabSocket.open(evil.port)
    const conn = await endpoint.opened()
    for (const text of ['dropped', 'twice', 'honest', 'last']) tab.send(utf8(text))
    for (const text of ['twice', 'twice', 'changed', 'last'])
      assert.deepEqual((await endpoint.next(TRUNK.data)).body, utf8(text))
    evil.inject(conn, 'down', utf8('forged'))
    assert.deepEqual(await tab.next(), utf8('forged'))
    assert.equal(evil.tamper.bytes().toString(), 'droppedtwicehonestlast')

    evil.tamper.script = ({ cast }) => (cast ? [utf8('forged cast')] : undefined)
    endpoint.send(TRUNK.subscribe, conn, encodeTopic(3))
    endpoint.send(TRUNK.cast, 3, utf8('cast'))
    assert.deepEqual(await tab.next(), utf8('forged cast'))

    evil.cut(conn)
    assert.equal((await tab.closed).code, 4000)
    assert.equal((await endpoint.next(TRUNK.close)).id, conn)
    await evil.close()
    await endpoint.close()
  })

  it('does the same to peers on TCP', async () => {
    const server = createServer((socket) => void socket.on('error', () => undefined).pipe(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const evil = await startEvilTcp(
      { host: '127.0.0.1', port: portOf(server) },
      { script: ({ direction, bytes }) => (direction === 'up' ? [bytes, bytes] : undefined) },
    )
    const peer = await rawSocket(evil.port, encodeTcpFrame(utf8('hello')))
    const reader = new TcpFrameReader()
    const frames = new Queue<Uint8Array>()
    peer.on('data', (chunk) => {
      for (const frame of reader.push(chunk)) frames.put(frame)
    })
    for (let i = 0; i < 2; i++) assert.deepEqual(await frames.next(), utf8('hello'))
    evil.cut(1)
    await once(peer, 'close')
    await evil.close()
    server.close()
  })
})
