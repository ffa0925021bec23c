import type { Chat } from '../../web/chat/chat.ts'
import { fromHex } from '../../web/protocol/bytes.ts'
import { generateIdentity } from '../../web/protocol/identity.ts'
import { Evil, reordering, replaying, rollingBack, withholding } from '../support/evil_endpoint.ts'
import { lobbyOf, messages, Stand, shown } from '../support/peers.ts'
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
    evil.show = replaying(['bob'], length - 1)
    await evil.announce(id)
    await until(bob.chat, async () => (await messages(bob.chat, room)).length >= 1)
    evil.show = undefined
    await alice.chat.send(room, 'two')
    assert.isAtMost((await messages(bob.chat, room)).filter(({ text }) => text === 'one').length, 1)
  })

  it('and rolls the log back is found out, and nothing is sent to it (E6)', async () => {
    const { bob, room } = await pair()
    const length = (await evil.log('bob', fromHex(room))).length
    evil.show = rollingBack(['bob'], length - 1)
    stand.crash(bob)
    bob.chat.connect()
    await alarmed(bob.chat, /gone back in time/)
  })

  it('and swaps somebody’s key is found out (E8)', async () => {
    const { alice } = await pair()
    const other = await generateIdentity()
    evil.person = (viewer, person) =>
      viewer === 'alice' && person.user === 'bob' ? { ...person, spki: other.spki } : person
    stand.crash(alice)
    alice.chat.connect()
    await alarmed(alice.chat, /key of bob/i)
  })
})
