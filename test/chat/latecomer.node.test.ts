import type { Transport } from '../../web/chat/transport.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

/** A transport that carries nothing away any more once `mute` says so. */
function speaking(inner: Transport, mute: () => boolean, swallowed: () => void): Transport {
  return {
    closed: inner.closed,
    get buffered() {
      return inner.buffered
    },
    send: (frame) => (mute() ? swallowed() : inner.send(frame)),
    close: () => inner.close(),
    [Symbol.asyncIterator]: () => inner[Symbol.asyncIterator](),
  }
}

describe('a message that was sealed just before somebody came in', () => {
  let stand: Stand
  let alice: Peer
  let mute = false
  const sealed = Promise.withResolvers<void>()

  before(async () => {
    stand = await Stand.start()
    const dial = async (signal: AbortSignal) =>
      speaking(await stand.dial(signal), () => mute, sealed.resolve)
    alice = await stand.peer('alice', { dial })
    alice.chat.connect()
    await inLobby(alice.chat)
    await stand.join('bob')
    await until(alice.chat, ({ rooms }) => rooms[0]?.readers.length === 2)
  })
  after(() => stand.close())

  it('is for those who were there: the newcomer is told so, and is not in doubt of itself', async () => {
    const lobby = lobbyOf(alice.chat)
    mute = true
    await alice.chat.send(lobby, 'one')
    await sealed.promise
    await alice.chat.disconnect()
    const [carol] = await stand.join('carol')
    const bob = stand.peers.find(({ name }) => name === 'bob') as Peer
    await until(bob.chat, ({ rooms }) => rooms[0]?.readers.length === 3)
    mute = false
    stand.crash(alice)
    alice.chat.connect()
    assert.lengthOf(await shown(bob.chat, lobby, 1), 1)
    await alice.chat.send(lobby, 'two')
    assert.deepEqual(await shown((carol as Peer).chat, lobby, 1), ['alice: two'])
    const view = (carol as Peer).chat.state.rooms[0]
    const items = await (carol as Peer).chat.timeline(lobby, 0, view?.length ?? 0)
    const before = items.filter(({ id }) => id.startsWith('before-'))
    assert.lengthOf(before, 1)
    assert.equal(view?.phase, 'ready')
  })
})
