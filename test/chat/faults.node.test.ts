import { SottoError } from '../../web/protocol/errors.ts'
import { JumpingClock } from '../support/jumping_clock.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

describe('a device whose store fails for a moment', () => {
  let stand: Stand
  let alice: Peer
  let bob: Peer
  const clock = new JumpingClock()

  before(async () => {
    stand = await Stand.start()
    ;[bob] = (await stand.join('bob')) as [Peer]
    alice = await stand.peer('alice', { clock, log: () => undefined })
    alice.chat.connect()
    await inLobby(alice.chat)
  })
  after(() => stand.close())

  it('says so while it lasts, and nothing of it when all is well again', async () => {
    const lobby = lobbyOf(alice.chat)
    const { storage } = alice.profile
    storage.onWrite = (changes) => {
      if (![...changes.keys()].some((key) => key.startsWith('group/'))) return
      storage.onWrite = undefined
      throw new SottoError('unavailable', 'The disk is full.')
    }
    await alice.chat.send(lobby, 'one')
    const { rooms } = await until(alice.chat, ({ rooms }) => rooms[0]?.phase === 'repairing')
    assert.include(rooms[0]?.text, 'The disk is full.')
    clock.sleep(5_000)
    await shown(bob.chat, lobby, 1)
    await until(alice.chat, ({ rooms }) => rooms[0]?.phase === 'ready' && rooms[0].text === '')
  })
})
