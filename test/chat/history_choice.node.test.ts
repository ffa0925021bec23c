import type { ChatModel, RoomId } from '../../web/chat/model.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown, texts } from '../support/peers.ts'
import { assert, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

async function places(chat: ChatModel, query: string): Promise<string[]> {
  const { hits } = await chat.search(query)
  return Promise.all(
    hits.map(async ({ room, place }) => {
      const [item] = await chat.timeline(room, place, place + 1)
      return item?.kind === 'text' ? item.text : ''
    }),
  )
}

/** What a fresh start over the same store shows of the lobby. */
async function restarted(stand: Stand, peer: Peer): Promise<string[]> {
  stand.crash(peer)
  await peer.chat.ready
  return texts(peer.chat, lobbyOf(peer.chat))
}

describe('whether a room’s messages are kept', () => {
  it('is a choice per room: what is not kept is shown, found, and gone with the page', async () => {
    const stand = await Stand.start()
    try {
      const [alice, bob] = (await stand.join('alice', 'bob')) as [Peer, Peer]
      const lobby = lobbyOf(alice.chat)
      await alice.chat.send(lobby, 'first tea')
      await shown(bob.chat, lobby, 1)
      assert.isTrue(bob.chat.state.rooms[0]?.keepsHistory)
      await bob.chat.setHistory(lobby, false)
      assert.isFalse(bob.chat.state.rooms[0]?.keepsHistory)
      await alice.chat.send(lobby, 'second tea')
      // Whose message comes first is the endpoint's to say.
      await shown(bob.chat, lobby, 2)
      await bob.chat.send(lobby, 'third tea')
      assert.deepEqual(await shown(bob.chat, lobby, 3), [
        'alice: first tea',
        'alice: second tea',
        'bob: third tea',
      ])
      assert.deepEqual(await places(bob.chat, 'tea'), ['third tea', 'second tea', 'first tea'])
      await bob.chat.setHistory(lobby, true)
      await alice.chat.send(lobby, 'fourth tea')
      await shown(bob.chat, lobby, 4)
      assert.deepEqual(await places(bob.chat, 'tea'), [
        'fourth tea',
        'third tea',
        'second tea',
        'first tea',
      ])
      assert.deepEqual(await restarted(stand, bob), ['alice: first tea', 'alice: fourth tea'])
      bob.chat.connect()
      await inLobby(bob.chat)
      await alice.chat.send(lobby, 'fifth')
      assert.deepEqual(await shown(bob.chat, lobby, 3), [
        'alice: first tea',
        'alice: fourth tea',
        'alice: fifth',
      ])
    } finally {
      await stand.close()
    }
  })

  it('leaves nothing after a wipe, of one room or of all, and the talk goes on', async () => {
    const stand = await Stand.start()
    try {
      const [alice, bob] = (await stand.join('alice', 'bob')) as [Peer, Peer]
      const lobby = lobbyOf(alice.chat)
      const between = await alice.chat.openPrivate('bob')
      for (const text of ['open one', 'open two']) await alice.chat.send(lobby, text)
      await alice.chat.send(between, 'private tea')
      await shown(bob.chat, lobby, 2)
      await until(bob.chat, ({ rooms }) => rooms.some(({ room }) => room === between))
      await shown(bob.chat, between, 1)
      await bob.chat.wipeHistory(lobby)
      assert.deepEqual(await texts(bob.chat, lobby), [])
      assert.equal(bob.chat.state.rooms[0]?.unread, 0)
      assert.deepEqual(await places(bob.chat, 'o'), [])
      assert.deepEqual(await places(bob.chat, 'tea'), ['private tea'])
      await alice.chat.send(lobby, 'open three')
      assert.deepEqual(await shown(bob.chat, lobby, 1), ['alice: open three'])
      await bob.chat.wipeHistory('all')
      assert.deepEqual(await places(bob.chat, 'tea'), [])
      const left = [
        ...(await bob.profile.storage.keys('lines/')),
        ...(await bob.profile.storage.keys('postings/')),
      ]
      assert.deepEqual(left, [])
      assert.deepEqual(await restarted(stand, bob), [])
      bob.chat.connect()
      await inLobby(bob.chat)
      await bob.chat.send(lobby, 'open four')
      assert.deepEqual(await shown(alice.chat, lobby, 4), [
        'alice: open one',
        'alice: open two',
        'alice: open three',
        'bob: open four',
      ])
    } finally {
      await stand.close()
    }
  })

  it('does not matter to rooms that are not there', async () => {
    const stand = await Stand.start()
    try {
      const alice = await stand.peer('alice')
      await alice.chat.ready
      await alice.chat.wipeHistory('all')
      assert.deepEqual(await alice.chat.search('anything'), { hits: [], more: undefined })
      const nowhere = 'f'.repeat(32) as RoomId
      for (const work of [
        () => alice.chat.wipeHistory(nowhere),
        () => alice.chat.setHistory(nowhere, false),
        () => alice.chat.search('tea', { room: nowhere }),
      ])
        assert.equal(
          (
            await work().then(
              () => undefined,
              (error) => error,
            )
          )?.code,
          'refused',
        )
    } finally {
      await stand.close()
    }
  })
})
