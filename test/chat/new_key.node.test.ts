import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runChangeKey } from '../../relay/endpoint/store_command.ts'
import type { RoomId, RoomView } from '../../web/chat/model.ts'
import { equal, fromHex, hex } from '../../web/protocol/bytes.ts'
import { exportPublicPem, type Identity } from '../../web/protocol/identity.ts'
import type { PersonInfo, Request, RoomInfo } from '../../web/protocol/messages.ts'
import { Evil } from '../support/evil_endpoint.ts'
import {
  decideKey,
  keyNotice,
  messages,
  type Peer,
  quickIdentity,
  Stand,
  shown,
  texts,
} from '../support/peers.ts'
import { afterEach, assert, beforeEach, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

const NEW_KEY = /bob has a new key/
/** What leaves for a room, or lets somebody into it. */
const LEAVING = ['send', 'create_group']

describe('a private conversation with somebody whose key has changed', () => {
  let evil: Evil
  let stand: Stand
  let asked: Request[]
  let alice: Peer
  let bob: Peer
  let room: RoomId

  beforeEach(async () => {
    asked = []
    evil = new Evil()
    evil.swallow = (viewer, request) => {
      if (viewer === 'alice') asked.push(request)
      return false
    }
    stand = await Stand.start({}, evil.build)
    const [a, b] = await stand.join('alice', 'bob')
    if (a === undefined || b === undefined) assert.fail('nobody')
    ;[alice, bob] = [a, b]
    room = await alice.chat.openPrivate('bob')
    await alice.chat.send(room, 'before')
    await shown(bob.chat, room, 1)
  })
  afterEach(() => stand.close())

  const viewOf = ({ chat }: Peer): RoomView | undefined =>
    chat.state.rooms.find((one) => one.room === room)
  const alarmed = (peer: Peer) =>
    until(
      peer.chat,
      () => keyNotice(peer.chat, 'bob') !== undefined && viewOf(peer)?.phase === 'alarm',
      `${peer.name} is asked about the key`,
    )
  /** Nothing of alice's left for the room since `from` requests ago. */
  const silent = (from: number) =>
    asked
      .slice(from)
      .filter((one) => 'room' in one && hex(one.room) === room && LEAVING.includes(one.op))
  const lines = async ({ chat }: Peer) =>
    (await chat.timeline(room, 0, viewOf({ chat } as Peer)?.length ?? 0)).map(({ text }) => text)

  /** Bob has lost his key, and whoever runs the endpoint gives his name to the new one. */
  async function rekey(): Promise<Identity> {
    await bob.chat.disconnect()
    const identity = await quickIdentity()
    await stand.restart(async () => {
      const file = join(stand.directory, 'bob.pem')
      writeFileSync(file, exportPublicPem(identity))
      await runChangeKey('bob', file, join(stand.directory, 'endpoint'))
    })
    return identity
  }

  it('goes on in a new group once alice trusts the new key, and not before', async () => {
    // One message is sealed for the old key and never leaves, one is not even sealed.
    const sealing = Promise.withResolvers<void>()
    const record = evil.swallow
    evil.swallow = (viewer, request) => {
      record?.(viewer, request)
      const held = viewer === 'alice' && request.op === 'send' && hex(request.room) === room
      if (held) sealing.resolve()
      return held
    }
    await alice.chat.send(room, 'sealed')
    await sealing.promise
    evil.swallow = record
    const identity = await rekey()
    await alice.chat.send(room, 'typed')
    const from = asked.length
    const again = await stand.peer('bob', { identity })
    again.chat.connect()
    await alarmed(alice)
    await alice.chat.send(room, 'typed in doubt')
    await until(again.chat, () => viewOf(again)?.phase === 'joining')
    await alice.chat.disconnect()
    stand.crash(alice)
    alice.chat.connect()
    await alarmed(alice)
    assert.isEmpty(silent(from), 'nothing leaves before she has decided')
    assert.equal(viewOf(alice)?.outgoing, 3)

    await decideKey(alice.chat, 'bob', 'trust')
    const said = ['alice: sealed', 'alice: typed', 'alice: typed in doubt']
    assert.deepEqual(await shown(again.chat, room, 3), said)
    await again.chat.send(room, 'it is me')
    assert.deepEqual(await shown(alice.chat, room, 5), ['alice: before', ...said, 'bob: it is me'])
    const all = await lines(alice)
    assert.match(all[all.indexOf('sealed') - 1] ?? '', NEW_KEY)
    assert.isEmpty(alice.chat.state.notices.filter(({ kind }) => kind === 'mitm'))
    const reader = viewOf(alice)?.readers.find(({ me }) => !me)
    assert.equal(reader?.fingerprint, hex(identity.fingerprint))
    // Everybody is back in the lobby as well.
    await until(alice.chat, ({ rooms }) => rooms[0]?.phase === 'ready')
  })

  it('tells each device that decides that keys are new, once, and loses nothing on the way', async () => {
    const second = await stand.peer('alice', { identity: alice.identity })
    second.chat.connect()
    await until(
      alice.chat,
      () => viewOf(alice)?.readers.some(({ devices }) => devices === 2) ?? false,
    )
    // It has the group for the old key itself: otherwise there is nothing that could be new to it.
    await until(second.chat, () => viewOf(second)?.phase === 'ready')
    const identity = await rekey()
    const again = await stand.peer('bob', { identity })
    again.chat.connect()
    await Promise.all([alarmed(alice), alarmed(second)])
    await decideKey(alice.chat, 'bob', 'trust')
    await alice.chat.send(room, 'after')
    assert.deepEqual(await shown(again.chat, room, 1), ['alice: after'])
    assert.equal(viewOf(second)?.phase, 'alarm', 'the other device decides for itself')
    await decideKey(second.chat, 'bob', 'trust')
    await until(second.chat, () => viewOf(second)?.phase === 'ready')
    await again.chat.send(room, 'to all')
    for (const peer of [alice, second]) {
      await until(peer.chat, async () => (await texts(peer.chat, room)).at(-1) === 'bob: to all')
      assert.lengthOf(
        (await lines(peer)).filter((text) => NEW_KEY.test(text)),
        1,
      )
    }
  })

  it('refuses a new group that a hostile endpoint claims with a key nobody has verified', async () => {
    const [mallory] = await stand.join('mallory')
    if (mallory === undefined) assert.fail('nobody')
    const { spki, fingerprint } = mallory.identity
    const theirs = await mallory.chat.openPrivate('alice')
    await shownReady(mallory, theirs)
    const other = (person: PersonInfo) => (person.user === 'bob' ? { ...person, spki } : person)
    const next = (info: RoomInfo) =>
      hex(info.room) === room ? { ...info, generation: (info.generation ?? 0) + 1 } : info
    evil.person = (viewer, person) => (viewer === 'alice' ? other(person) : person)
    evil.reply = (viewer, op, reply) =>
      viewer === 'alice' && op === 'sync' && 'rooms' in reply
        ? { ...reply, rooms: reply.rooms.map(next) }
        : reply
    const from = asked.length
    stand.crash(alice)
    alice.chat.connect()
    await alarmed(alice)
    await alice.chat.send(room, 'not to leave')
    await decideKey(alice.chat, 'bob', 'stay')
    assert.equal(viewOf(alice)?.phase, 'alarm')
    await alice.chat.disconnect()
    assert.isEmpty(silent(from))
    assert.isFalse(viewOf(alice)?.readers.some((one) => one.fingerprint === hex(fingerprint)))

    // The lie ends: she keeps the known key, and goes on in the group that she never gave up.
    evil.person = undefined
    evil.reply = undefined
    stand.crash(alice)
    alice.chat.connect()
    await alarmed(alice)
    await decideKey(alice.chat, 'bob', 'stay')
    assert.deepEqual(await shown(bob.chat, room, 2), ['alice: before', 'alice: not to leave'])
    assert.isFalse(asked.slice(from).some((one) => one.op === 'create_group' && isRoom(one.room)))
  })

  const isRoom = (id: Uint8Array): boolean => equal(id, fromHex(room))

  async function shownReady({ chat }: Peer, id: RoomId): Promise<void> {
    await until(chat, ({ rooms }) => rooms.find((one) => one.room === id)?.phase === 'ready')
    assert.isEmpty(await messages(chat, id))
  }
})
