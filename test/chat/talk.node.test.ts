import { JumpingClock } from '../support/jumping_clock.ts'
import { inLobby, lobbyOf, messages, type Peer, Stand, shown } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

describe('people at one endpoint', () => {
  let stand: Stand
  let alice: Peer
  let bob: Peer

  before(async () => {
    stand = await Stand.start()
    const peers = await stand.join('alice', 'bob')
    alice = peers[0] as Peer
    bob = peers[1] as Peer
  })
  after(() => stand.close())

  it('see each other’s messages in the lobby once, in one order', async () => {
    const lobby = lobbyOf(alice.chat)
    for (let i = 0; i < 5; i++)
      await Promise.all([alice.chat.send(lobby, `a${i}`), bob.chat.send(lobby, `b${i}`)])
    const seen = await shown(alice.chat, lobby, 10)
    assert.deepEqual(await shown(bob.chat, lobby, 10), seen)
    const own = (name: string) => seen.filter((text) => text.startsWith(name))
    assert.deepEqual(
      own('alice'),
      [0, 1, 2, 3, 4].map((i) => `alice: a${i}`),
    )
    assert.deepEqual(
      own('bob'),
      [0, 1, 2, 3, 4].map((i) => `bob: b${i}`),
    )
  })

  it('talk in private, and nobody else can read it', async () => {
    const [carol] = await stand.join('carol')
    const room = await alice.chat.openPrivate('bob')
    await alice.chat.send(room, 'psst')
    await shown(bob.chat, room, 1)
    await bob.chat.send(room, 'yes?')
    assert.deepEqual(await shown(alice.chat, room, 2), ['alice: psst', 'bob: yes?'])
    const view = bob.chat.state.rooms.find((one) => one.room === room)
    assert.equal(view?.title, 'alice')
    assert.sameMembers(view?.readers.map(({ user }) => user) ?? [], ['alice', 'bob'])
    assert.isUndefined(carol?.chat.state.rooms.find((one) => one.room === room))
  })

  it('count what they have not read', async () => {
    const lobby = lobbyOf(alice.chat)
    const unread = (peer: Peer) => peer.chat.state.rooms.find((one) => one.room === lobby)?.unread
    bob.chat.markRead(lobby)
    await until(bob.chat, () => unread(bob) === 0)
    await alice.chat.send(lobby, 'one more')
    await until(bob.chat, () => unread(bob) === 1)
    bob.chat.markRead(lobby)
    await until(bob.chat, () => unread(bob) === 0)
  })

  it('come back by ticket and find what they missed, commits included', async () => {
    const lobby = lobbyOf(alice.chat)
    await bob.chat.disconnect()
    await until(
      alice.chat,
      ({ people }) => people.find((one) => one.user === 'bob')?.online === false,
    )
    await stand.join('dave')
    await alice.chat.send(lobby, 'while bob was away')
    const count = (await messages(bob.chat, lobby)).length + 1
    bob.chat.connect()
    const seen = await shown(bob.chat, lobby, count)
    assert.equal(seen.at(-1), 'alice: while bob was away')
    const { connection, rooms } = bob.chat.state
    assert.isTrue(connection.phase === 'online' && connection.resumed)
    assert.isTrue(rooms[0]?.readers.some(({ user }) => user === 'dave'))
  })

  it('type while they are offline, and it goes out in order', async () => {
    const lobby = lobbyOf(alice.chat)
    await bob.chat.disconnect()
    for (let i = 0; i < 20; i++) await bob.chat.send(lobby, `offline ${i}`)
    const waiting = await bob.chat.timeline(lobby, 0, 10_000)
    const last = waiting.at(-1)
    assert.deepInclude(last, { state: 'waiting', unsent: true })
    const regretted = await bob.chat.send(lobby, 'not meant')
    await bob.chat.discard(lobby, regretted)
    const before = (await messages(alice.chat, lobby)).length
    bob.chat.connect()
    const seen = await shown(alice.chat, lobby, before + 20)
    assert.deepEqual(
      seen.slice(-20),
      Array.from({ length: 20 }, (_, i) => `bob: offline ${i}`),
    )
  })

  it('see who joins, and who has been away for half a minute, as lines in the lobby', async () => {
    const clock = new JumpingClock()
    const watcher = await stand.peer('wilma', { clock })
    watcher.chat.connect()
    await inLobby(watcher.chat)
    const lines = async () =>
      (await watcher.chat.timeline(lobbyOf(watcher.chat), 0, 10_000))
        .filter((item) => item.kind === 'system')
        .map(({ text }) => text)
    const presence = (online: boolean) =>
      until(
        watcher.chat,
        ({ people }) => people.find(({ user }) => user === 'erin')?.online === online,
      )
    const [erin] = await stand.join('erin')
    await until(watcher.chat, async () => (await lines()).includes('erin joined'))
    // Who reloads was never away.
    await erin?.chat.disconnect()
    await presence(false)
    erin?.chat.connect()
    await presence(true)
    await erin?.chat.disconnect()
    await presence(false)
    assert.deepEqual(await lines(), ['erin joined'])
    clock.sleep(30_000)
    await until(watcher.chat, async () => (await lines()).includes('erin is offline'))
    erin?.chat.connect()
    await until(watcher.chat, async () => (await lines()).includes('erin is online'))
    assert.deepEqual(await lines(), ['erin joined', 'erin is offline', 'erin is online'])
  })

  it('have several devices each, which read and write as one person', async () => {
    const second = await stand.peer('alice', { identity: alice.identity })
    second.chat.connect()
    const room = await alice.chat.openPrivate('bob')
    await until(
      second.chat,
      ({ rooms }) => rooms.find((one) => one.room === room)?.phase === 'ready',
    )
    await second.chat.send(room, 'from my other device')
    const seen = await shown(bob.chat, room, 3)
    assert.equal(seen.at(-1), 'alice: from my other device')
    const mine = (await shown(alice.chat, room, 3)).at(-1)
    assert.equal(mine, 'alice: from my other device')
    const view = bob.chat.state.rooms.find((one) => one.room === room)
    assert.equal(view?.readers.find(({ user }) => user === 'alice')?.devices, 2)
  })
})

describe('ten people', () => {
  it('who join in the same moment and all talk at once see one order', async () => {
    const stand = await Stand.start()
    try {
      const names = Array.from({ length: 10 }, (_, i) => `person${i}`)
      const peers = await stand.join(...names)
      const lobby = lobbyOf((peers[0] as Peer).chat)
      await Promise.all(
        peers.map(({ chat }) =>
          until(chat, ({ rooms }) => rooms[0]?.readers.length === 10, 'ten readers'),
        ),
      )
      for (let i = 0; i < 5; i++)
        await Promise.all(peers.map(({ chat, name }) => chat.send(lobby, `${i} from ${name}`)))
      const orders = await Promise.all(peers.map(({ chat }) => shown(chat, lobby, 50)))
      assert.lengthOf(new Set(orders[0]), 50)
      for (const order of orders) assert.deepEqual(order, orders[0])
    } finally {
      await stand.close()
    }
  })
})
