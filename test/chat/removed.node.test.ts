import { hex } from '../../web/protocol/bytes.ts'
import { inLobby, lobbyOf, type Peer, Stand } from '../support/peers.ts'
import { after, assert, before, describe, fails, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

describe('a device that another one of its person has removed', () => {
  let stand: Stand
  let removed: Peer

  before(async () => {
    stand = await Stand.start()
    const [alice] = (await stand.join('alice')) as [Peer]
    removed = await stand.peer('alice', { identity: alice.identity })
    removed.chat.connect()
    await inLobby(removed.chat)
    await alice.chat.removeDevice(hex(removed.profile.device))
    const isOver = ({ connection }: Peer['chat']['state']) =>
      connection.phase === 'stopped' && connection.final === true
    await until(removed.chat, isOver, 'it knows')
  })
  after(() => stand.close())

  it('takes no message that could never leave, and keeps none as one to be sent', async () => {
    const room = lobbyOf(removed.chat)
    await fails('refused', () => removed.chat.send(room, 'into the void'))
    assert.equal(removed.chat.state.rooms[0]?.outgoing, 0)
  })

  it('nor does it after a reload', async () => {
    stand.crash(removed)
    await removed.chat.ready
    await fails('refused', () => removed.chat.send(lobbyOf(removed.chat), 'into the void'))
  })
})
