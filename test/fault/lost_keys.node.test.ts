import type { Transport } from '../../web/chat/transport.ts'
import { lobbyOf, type Peer, Stand, shown, texts } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

/** A transport on which nothing arrives any more once `deaf` says so. */
function hearing(inner: Transport, deaf: () => boolean): Transport {
  return {
    closed: inner.closed,
    get buffered() {
      return inner.buffered
    },
    send: (frame) => inner.send(frame),
    close: () => inner.close(),
    async *[Symbol.asyncIterator]() {
      for await (const frame of inner) if (!deaf()) yield frame
    },
  }
}

describe('a device that has lost a conversation’s keys', () => {
  let stand: Stand
  let alice: Peer
  let bob: Peer
  let deaf = false

  before(async () => {
    stand = await Stand.start()
    const [first] = await stand.join('bob')
    bob = first as Peer
    alice = await stand.peer('alice', {
      dial: async (signal) => hearing(await stand.dial(signal), () => deaf),
    })
    alice.chat.connect()
    await until(alice.chat, ({ rooms }) => rooms[0]?.phase === 'ready')
  })
  after(() => stand.close())

  it('finds what it had sent before in the log, and raises no alarm over it', async () => {
    const lobby = lobbyOf(alice.chat)
    await alice.chat.send(lobby, 'one')
    await shown(bob.chat, lobby, 1)
    await shown(alice.chat, lobby, 1)
    deaf = true
    await alice.chat.send(lobby, 'two')
    await shown(bob.chat, lobby, 2)
    stand.crash(alice)
    await alice.profile.storage.write(new Map([[`group/${lobby}`, undefined]]))
    alice.chat.connect()
    assert.deepEqual(await shown(alice.chat, lobby, 2), ['alice: one', 'alice: two'])
    await until(alice.chat, ({ rooms }) => rooms[0]?.phase === 'ready' && rooms[0].outgoing === 0)
    await alice.chat.send(lobby, 'three')
    await shown(bob.chat, lobby, 3)
    assert.deepEqual(await texts(alice.chat, lobby), await texts(bob.chat, lobby))
    assert.deepEqual(alice.chat.state.notices, [])
  })
})
