import { costOfAbsence } from '../../web/chat/absence.ts'
import { JumpingClock } from '../support/jumping_clock.ts'
import { inLobby, type Peer, Stand } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

const HOUR_MS = 3_600_000

describe('who is away for long', () => {
  let stand: Stand
  before(async () => {
    stand = await Stand.start({ keepDays: 30, lobbyAbsence: 7_200 })
  })
  after(() => stand.close())

  it('can see what that costs in each room, in words', async () => {
    const [alice] = (await stand.join('alice', 'bob')) as [Peer, Peer]
    const room = await alice.chat.openPrivate('bob')
    const { rooms } = await until(alice.chat, ({ rooms }) => rooms.length === 2)
    const told = (id: string) => rooms.find((one) => one.room === id)?.absence
    assert.equal(told(room), 'The server keeps messages for 30 days for people who are away.')
    assert.match(told(rooms[0]?.room ?? '') ?? '', /away for more than 2 hours has left the Lobby/)
  })

  it('is told nothing where nothing is lost', () => {
    assert.equal(costOfAbsence('private', { keepDays: 0, lobbyAbsence: 86_400 }), '')
  })
})

describe('a device whose clock is wrong', () => {
  let stand: Stand
  before(async () => {
    stand = await Stand.start()
  })
  after(() => stand.close())

  const noticeOf = async (name: string, ms: number) => {
    const clock = new JumpingClock()
    clock.set(ms)
    const { chat } = await stand.peer(name, { clock })
    chat.connect()
    await inLobby(chat)
    return chat.state.notices.find(({ id }) => id === 'clocks')?.seen
  }

  it('is told so, and by how much', async () => {
    assert.match((await noticeOf('alice', 3 * HOUR_MS)) ?? '', /3 hours ahead of the server’s/)
    assert.match((await noticeOf('bob', -50 * HOUR_MS)) ?? '', /2 days behind the server’s/)
    assert.isUndefined(await noticeOf('carol', 60_000))
  })
})
