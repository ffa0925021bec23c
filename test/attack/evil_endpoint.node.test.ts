import type { Chat } from '../../web/chat/chat.ts'
import type { RoomId } from '../../web/chat/model.ts'
import { type Bytes, equal, fromHex } from '../../web/protocol/bytes.ts'
import { generateIdentity } from '../../web/protocol/identity.ts'
import type { Reply } from '../../web/protocol/messages.ts'
import { Evil, reordering, replaying, rollingBack, withholding } from '../support/evil_endpoint.ts'
import { keptBack } from '../support/kept_back.ts'
import {
  decideKey,
  keyNotice,
  lobbyOf,
  messages,
  type Peer,
  Stand,
  shown,
} from '../support/peers.ts'
import { afterEach, assert, beforeEach, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

/** Waits for a notice that says so, or an alarm of a room. */
async function alarmed(chat: Chat, pattern: RegExp): Promise<void> {
  await until(
    chat,
    ({ notices, rooms }) =>
      notices.some(({ title, seen }) => pattern.test(`${title} ${seen}`)) ||
      rooms.some(({ phase, text }) => phase === 'alarm' && pattern.test(text)),
    `${pattern}`,
  )
}

describe('an endpoint that lies', () => {
  let evil: Evil
  let stand: Stand
  beforeEach(async () => {
    evil = new Evil()
    stand = await Stand.start({}, evil.build)
  })
  afterEach(() => stand.close())

  const pair = async () => {
    const [alice, bob] = await stand.join('alice', 'bob')
    if (alice === undefined || bob === undefined) assert.fail('nobody')
    const room = lobbyOf(alice.chat)
    await alice.chat.send(room, 'one')
    await shown(bob.chat, room, 1)
    return { alice, bob, room, id: fromHex(room) }
  }

  it('and shows two members different logs is found out by the next honest message (E4)', async () => {
    const { alice, bob, room } = await pair()
    const length = (await evil.log('alice', fromHex(room))).length
    // Bob does not get to see what Alice writes now, and what he writes stands in its place.
    evil.show = withholding(['bob'], (_, i) => i === length)
    await alice.chat.send(room, 'two')
    await until(alice.chat, async () => (await messages(alice.chat, room)).length === 2)
    // His first message goes out with what both have seen; the one after it tells of the fork.
    await bob.chat.send(room, 'three')
    await until(bob.chat, async () => (await messages(bob.chat, room)).length === 2)
    await bob.chat.send(room, 'four')
    await alarmed(alice.chat, /manipulation/i)
  })

  it('and changes the order for one is found out (E4)', async () => {
    const { alice, bob, room } = await pair()
    const length = (await evil.log('alice', fromHex(room))).length
    await bob.chat.disconnect()
    // One after the other: only then does the second one's view tell of the first.
    for (const [i, text] of ['two', 'three'].entries()) {
      await alice.chat.send(room, text)
      await until(alice.chat, async () => (await messages(alice.chat, room)).length === i + 2)
    }
    evil.show = reordering(['bob'], length)
    stand.crash(bob)
    bob.chat.connect()
    await alarmed(bob.chat, /manipulation/i)
  })

  it('and shows a message again shows it in vain (E5)', async () => {
    const { alice, bob, room, id } = await pair()
    const length = (await evil.log('alice', id)).length
    const one = (await evil.log('alice', id))[length - 1] ?? assert.fail('nothing was said')
    const places: number[] = []
    evil.reply = (viewer, op, reply) => {
      if (viewer === 'bob' && op === 'fetch')
        for (const { seq, mls } of (reply as Reply<'fetch'>).entries)
          if (equal(mls, one.mls)) places.push(seq)
      return reply
    }
    evil.show = replaying(['bob'], length - 1, length)
    await evil.announce(id)
    await alice.chat.send(room, 'two')
    assert.deepEqual(await shown(bob.chat, room, 2), ['alice: one', 'alice: two'])
    assert.include(places, length + 1, 'it was not shown again')
  })

  it('and rolls the log back is found out, and nothing is sent to it (E6)', async () => {
    const { alice, bob, room } = await pair()
    const length = (await evil.log('bob', fromHex(room))).length
    evil.show = rollingBack(['bob'], room, length - 1)
    stand.crash(bob)
    bob.chat.connect()
    await alarmed(bob.chat, /gone back in time/)
    await keptBack(evil, bob, room, 'not to leave', alice)
  })

  describe('and changes its directory (E8)', () => {
    /** Alice and bob have talked in the lobby and in private; carol is there too. */
    const three = async () => {
      const [alice, bob, carol] = await stand.join('alice', 'bob', 'carol')
      if (alice === undefined || bob === undefined || carol === undefined) assert.fail('nobody')
      const lobby = lobbyOf(alice.chat)
      const room = await alice.chat.openPrivate('bob')
      await alice.chat.send(room, 'between us')
      await shown(bob.chat, room, 1)
      return { alice, bob, carol, lobby, room }
    }
    const spkiOf = ({ identity }: Peer) => identity.spki
    const notice = ({ chat }: Peer, id: string) => chat.state.notices.find((one) => one.id === id)
    const roomOf = ({ chat }: Peer, room: string) =>
      chat.state.rooms.find((one) => one.room === room)

    /** Alice is told whose key has changed, in every room where it matters. */
    async function warned(alice: Peer, user: string, room: string): Promise<void> {
      await alarmed(alice.chat, new RegExp(`key of ${user}`, 'i'))
      assert.equal(keyNotice(alice.chat, user)?.kind, 'mitm')
      assert.equal(alice.chat.state.people.find((one) => one.user === user)?.trust, 'changed')
      // The lobby shows it at the person's name among those who can read it …
      const reader = alice.chat.state.rooms[0]?.readers.find((one) => one.user === user)
      assert.equal(reader?.trust, 'changed')
      // … and the private room stops, whatever is typed there.
      await until(alice.chat, () => roomOf(alice, room)?.phase === 'alarm', 'the room is alarmed')
      assert.match(roomOf(alice, room)?.text ?? '', /key of/i)
    }

    /** Nothing leaves for the private room before the person has decided. */
    async function silent(alice: Peer, bob: Peer, room: RoomId): Promise<void> {
      await alice.chat.send(room, 'not to leave')
      await alice.chat.send(lobbyOf(alice.chat), 'after it')
      await until(bob.chat, async () =>
        (await messages(bob.chat, lobbyOf(bob.chat))).some(({ text }) => text === 'after it'),
      )
      assert.equal(roomOf(alice, room)?.outgoing, 1)
      assert.lengthOf(await messages(bob.chat, room), 1)
    }

    it('somebody’s key for another: alice is told in each room, and sends nothing there', async () => {
      const { alice, bob, room } = await three()
      const { spki } = await generateIdentity()
      evil.person = (viewer, person) =>
        viewer === 'alice' && person.user === 'bob' ? { ...person, spki } : person
      stand.crash(alice)
      alice.chat.connect()
      await warned(alice, 'bob', room)
      await silent(alice, bob, room)
      // The old key stays the known one until she says otherwise.
      await decideKey(alice.chat, 'bob', 'stay')
      assert.equal(roomOf(alice, room)?.phase, 'alarm')
    })

    it('one false key after the other: a decision about the first is none about the second', async () => {
      const { alice, room } = await three()
      const shows = async (spki: Bytes) => {
        evil.person = (viewer, person) =>
          viewer === 'alice' && person.user === 'bob' ? { ...person, spki } : person
        await alice.chat.disconnect()
        alice.chat.connect()
      }
      const [first, second] = [await generateIdentity(), await generateIdentity()]
      await shows(first.spki)
      await until(alice.chat, () => keyNotice(alice.chat, 'bob') !== undefined)
      const id = keyNotice(alice.chat, 'bob')?.id ?? ''
      await shows(second.spki)
      await until(alice.chat, () => (keyNotice(alice.chat, 'bob')?.id ?? id) !== id)
      assert.lengthOf(
        alice.chat.state.notices.filter((one) => one.id.startsWith('key/bob')),
        1,
      )
      await alice.chat.decide(id, 'trust')
      assert.equal(alice.chat.state.people.find(({ user }) => user === 'bob')?.trust, 'changed')
      assert.equal(roomOf(alice, room)?.phase, 'alarm')
      assert.isDefined(keyNotice(alice.chat, 'bob'))
    })

    it('the keys of two people for one another: alice is told of both', async () => {
      const { alice, bob, carol, room } = await three()
      const swapped: Record<string, Peer> = { bob: carol, carol: bob }
      evil.person = (viewer, person) => {
        const other = swapped[person.user]
        return viewer === 'alice' && other ? { ...person, spki: spkiOf(other) } : person
      }
      stand.crash(alice)
      alice.chat.connect()
      await warned(alice, 'bob', room)
      await until(alice.chat, () => keyNotice(alice.chat, 'carol') !== undefined)
      await silent(alice, bob, room)
    })

    it('a name: alice is told that a known key has another one', async () => {
      const { alice, room } = await three()
      evil.person = (viewer, person) =>
        viewer === 'alice' && person.user === 'bob' ? { ...person, user: 'robert' } : person
      stand.crash(alice)
      alice.chat.connect()
      await until(alice.chat, () => notice(alice, 'renamed/robert') !== undefined)
      assert.match(notice(alice, 'renamed/robert')?.title ?? '', /robert has the key of bob/)
      // Who reads the rooms is what their groups say, not the directory.
      const readers = roomOf(alice, room)?.readers.map(({ user }) => user)
      assert.sameMembers(readers ?? [], ['alice', 'bob'])
    })

    it('one person into another: the name of one with the key of the other is a changed key', async () => {
      const { alice, bob, carol, room } = await three()
      evil.person = (viewer, person) =>
        viewer === 'alice' && person.user === 'carol'
          ? { ...person, user: 'bob', spki: spkiOf(carol) }
          : person
      stand.crash(alice)
      alice.chat.connect()
      await warned(alice, 'bob', room)
      await silent(alice, bob, room)
    })
  })
})
