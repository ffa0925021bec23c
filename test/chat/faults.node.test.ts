import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { SottoError } from '../../web/protocol/errors.ts'
import { enter } from '../support/bare_peer.ts'
import { JumpingClock } from '../support/jumping_clock.ts'
import { inLobby, lobbyOf, type Peer, quickIdentity, Stand, shown } from '../support/peers.ts'
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

  it('misses nobody who came meanwhile', async () => {
    const { storage } = alice.profile
    const failed = new Promise<void>((resolve) => {
      storage.onWrite = (changes) => {
        if (!changes.has('pins/localhost')) return
        storage.onWrite = undefined
        resolve()
        throw new SottoError('unavailable', 'The disk is full.')
      }
    })
    const { port, fingerprint } = stand.endpoint
    const dave = await enter(port, { user: 'dave', identity: await quickIdentity(), fingerprint })
    await failed
    const people = () => alice.chat.state.people.map(({ user }) => user)
    assert.notInclude(people(), 'dave')
    // He is told of once, and waited for until the store is well again.
    await until(alice.chat, () => {
      clock.sleep(5_000)
      return people().includes('dave')
    })
    await dave.close()
  })

  it('at its first start comes in by itself after it, with nobody else saying a word', async () => {
    const carol = await stand.peer('carol', { clock, log: () => undefined })
    const { storage } = carol.profile
    storage.onWrite = (changes) => {
      if (!changes.has('mls')) return
      storage.onWrite = undefined
      throw new SottoError('unavailable', 'The disk is full.')
    }
    carol.chat.connect()
    await until(carol.chat, ({ rooms }) => rooms[0]?.phase === 'repairing')
    clock.sleep(5_000)
    await inLobby(carol.chat)
  })
})

describe('a device that dies while its person accepts an endpoint’s new key', () => {
  it('asks again, and then goes on with the new endpoint without an accusation', async () => {
    const stand = await Stand.start()
    const [alice] = (await stand.join('alice')) as [Peer]
    await alice.chat.send(lobbyOf(alice.chat), 'to the old one')
    await shown(alice.chat, lobbyOf(alice.chat), 1)
    await stand.restart(() => rmSync(join(stand.directory, 'endpoint'), { recursive: true }))
    const asked = () =>
      until(alice.chat, ({ notices }) => notices.some(({ blocking }) => blocking)).then(
        ({ notices }) => notices.find(({ blocking }) => blocking)?.id ?? assert.fail(),
      )
    const id = await asked()
    // The first thing that it writes of the decision is the last.
    const { storage } = alice.profile
    const died = new Promise<void>((resolve) => {
      storage.onWrite = (changes) => {
        if (!changes.has('notices')) void storage.dieAt(0, true).then(resolve)
      }
    })
    void alice.chat.decide(id, 'trust').catch(() => undefined)
    await died
    stand.crash(alice)
    await alice.chat.ready
    await alice.chat.decide(await asked(), 'trust')
    alice.chat.connect()
    await inLobby(alice.chat)
    await alice.chat.send(lobbyOf(alice.chat), 'to the new one')
    await shown(alice.chat, lobbyOf(alice.chat), 2)
    assert.deepEqual(alice.chat.state.notices, [])
    await stand.close()
  })
})
