import { JumpingClock } from '../support/jumping_clock.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown, texts } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

const DAY_MS = 86_400_000

describe('a page that stays open for almost a year', () => {
  let stand: Stand
  let alice: Peer
  const clock = new JumpingClock()

  before(async () => {
    stand = await Stand.start()
    alice = await stand.peer('alice', { clock })
  })
  after(() => stand.close())

  /** A session begins on this page, so many days from today, and something is said in it. */
  async function session(day: number, seen: Peer): Promise<unknown> {
    await alice.chat.disconnect()
    clock.set(day * DAY_MS)
    alice.chat.connect()
    await inLobby(alice.chat)
    await alice.chat.send(lobbyOf(alice.chat), `day ${day}`)
    const said = async () => (await texts(seen.chat, lobbyOf(seen.chat))).at(-1)
    await until(seen.chat, async () => (await said()) === `alice: day ${day}`)
    return alice.profile.storage.read('mls')
  }

  it('has new keys well before the old ones end, and is in the lobby with them', async () => {
    const first = await session(-341, alice)
    assert.deepEqual(await session(-2, alice), first, 'there is time yet')
    const [bob] = (await stand.join('bob')) as [Peer]
    const room = lobbyOf(bob.chat)
    assert.notDeepEqual(await session(0, bob), first)
    await bob.chat.send(room, 'welcome back')
    assert.include(await shown(alice.chat, room, 4), 'bob: welcome back')
    const told = [alice, bob].flatMap(({ chat }) => chat.state.notices.map(({ id }) => id))
    assert.deepEqual(told, ['clocks'])
  })
})
