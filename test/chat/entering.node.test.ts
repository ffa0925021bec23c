import type { ChatState } from '../../web/chat/model.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

const connected = ({ connection }: ChatState) => connection.phase === 'online'

describe('a newcomer', () => {
  let stand: Stand
  let alice: Peer

  before(async () => {
    stand = await Stand.start()
    const [first] = await stand.join('alice')
    assert.isDefined(first)
    alice = first
  })
  after(() => stand.close())

  it('is called connected when it is in the lobby’s group, not before', async () => {
    const bob = await stand.peer('bob')
    const seen = new Set<string>()
    bob.chat.addEventListener('change', () => {
      const { connection, rooms } = bob.chat.state
      seen.add(`${connection.phase}, ${rooms[0]?.phase ?? 'no lobby'}`)
    })
    bob.chat.connect()
    await inLobby(bob.chat)
    assert.include([...seen], 'entering, joining')
    assert.notInclude([...seen], 'online, joining')
    assert.notInclude([...seen], 'online, no lobby')
  })

  it('reads what is written as soon as it is called connected', async () => {
    for (const name of ['carol', 'dave', 'erin']) {
      const newcomer = await stand.peer(name)
      newcomer.chat.connect()
      await until(newcomer.chat, connected)
      await alice.chat.send(lobbyOf(alice.chat), `hello ${name}`)
      assert.deepEqual(await shown(newcomer.chat, lobbyOf(newcomer.chat), 1), [
        `alice: hello ${name}`,
      ])
    }
  })
})
