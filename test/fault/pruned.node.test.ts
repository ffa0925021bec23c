import type { Store } from '../../relay/endpoint/store.ts'
import type { RoomId } from '../../web/chat/model.ts'
import { answering } from '../support/answering.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown, texts } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

describe('a message of unknown fate, in a part of the log that is no longer kept', () => {
  let stand: Stand
  let alice: Peer
  let bob: Peer
  let lobby: RoomId
  let store: Store | undefined
  /** Bob’s messages are taken and not answered; who waits for the next one. */
  let silent: (() => void) | undefined
  let sent = 0

  before(async () => {
    const mute = answering(async ({ peer, request, serve, ...asked }) => {
      store = asked.store
      const outcome = await serve()
      if (peer.user !== 'bob' || request.op !== 'send') return outcome
      sent += 1
      silent?.()
      return silent === undefined ? outcome : new Promise(() => {})
    })
    stand = await Stand.start({}, mute)
    ;[alice, bob] = (await stand.join('alice', 'bob')) as [Peer, Peer]
    lobby = lobbyOf(bob.chat)
  })
  after(() => stand.close())

  it('is not sent again by itself: the person is asked', async () => {
    const taken = new Promise<void>((resolve) => {
      silent = resolve
    })
    await bob.chat.send(lobby, 'did this arrive?')
    await taken
    stand.crash(bob)
    await alice.chat.send(lobby, 'one')
    await alice.chat.send(lobby, 'two')
    // It did.
    await shown(alice.chat, lobby, 3)
    await store?.prune({ days: 0, roomBytes: 1 })
    silent = undefined
    sent = 0
    bob.chat.connect()
    await inLobby(bob.chat)
    await until(bob.chat, async () => (await texts(bob.chat, lobby)).includes('alice: two'))
    const [waiting] = (await bob.chat.timeline(lobby, 0, 100)).slice(-1)
    assert.equal(waiting?.kind === 'text' ? waiting.state : '', 'failed')
    assert.match(waiting?.kind === 'text' ? waiting.reason : '', /may have been sent already/)
    assert.equal(sent, 0)

    await bob.chat.retry(lobby, waiting?.id as never)
    await until(bob.chat, ({ rooms }) => rooms[0]?.outgoing === 0)
    assert.equal(sent, 1)
    assert.equal((await shown(alice.chat, lobby, 4)).at(-1), 'bob: did this arrive?')
  })
})
