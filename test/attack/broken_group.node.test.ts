import { nodePrimitives } from '../../relay/node_primitives.ts'
import { type Bytes, fromHex } from '../../web/protocol/bytes.ts'
import type { Identity } from '../../web/protocol/identity.ts'
import { mlsSuite } from '../../web/protocol/mls_provider.ts'
import { makeDeviceKeys } from '../../web/protocol/room_keys.ts'
import { type BarePeer, enter, msgId } from '../support/bare_peer.ts'
import { lobbyOf, type Peer, quickIdentity, Stand, shown } from '../support/peers.ts'
import { afterEach, assert, before, beforeEach, describe, fails, it } from '../support/suite.ts'
import { until } from '../support/until.ts'
import { evilJoin, forge, spoiling, UNUSABLE } from './members_evil.ts'

const LOCKED_OUT_MS = 300

/** Somebody with an account of their own, who says to the lobby whatever they like. */
describe('a person who joins the lobby to break it', () => {
  let stand: Stand
  let alice: Peer
  let bob: Peer
  let eve: BarePeer
  const device = nodePrimitives.random(16)
  let identity: Identity

  before(async () => {
    identity = await quickIdentity()
  })
  beforeEach(async () => {
    stand = await Stand.start({ lockedOutMs: LOCKED_OUT_MS })
    ;[alice, bob] = (await stand.join('alice', 'bob')) as [Peer, Peer]
  })
  afterEach(async () => {
    await eve.close()
    await stand.close()
  })

  /** Eve's commit by which a leaf of this name comes in, the key of which may be spoilt. */
  async function joining(
    user: string,
    spoil?: (key: Bytes) => Bytes,
  ): Promise<{ room: Bytes; mls: Bytes; groupInfo: Bytes }> {
    const { port, fingerprint } = stand.endpoint
    eve = await enter(port, { user: 'eve', identity, device, fingerprint })
    const room = fromHex(lobbyOf(alice.chat))
    const { groupInfo } = await eve.ask({ op: 'group_info', room })
    const [host, now, suite] = [fromHex(fingerprint), Date.now(), await mlsSuite()]
    const keys = await makeDeviceKeys({ suite, identity, user, device, hostKeyHash: host, now })
    const forged = await forge(keys, keys.binding.encoded)
    const used = spoil === undefined ? suite : spoiling(suite, spoil)
    const mls = await evilJoin({ ...keys, suite: used }, groupInfo, forged)
    return { room, mls, groupInfo }
  }

  function send(room: Bytes, mls: Bytes, groupInfo: Bytes) {
    const commit = { groupInfo, added: [{ user: 'eve', device }], removed: [] }
    return eve.ask({ op: 'send', room, msgId: msgId(), mls, commit })
  }

  /** These, and nobody else, are in one group, and read one another. */
  async function talk(...people: Peer[]): Promise<void> {
    const names = people.map(({ name }) => name).join()
    for (const { chat } of people)
      await until(chat, ({ rooms: [lobby] }) => {
        const readers = lobby?.readers.map(({ user }) => user).sort()
        return lobby?.phase === 'ready' && readers?.join() === names
      })
    for (const { name, chat } of people) await chat.send(lobbyOf(chat), `${name} is here`)
    for (const { chat } of people) await shown(chat, lobbyOf(chat), people.length)
  }

  it('in somebody else’s name, a look-alike’s or one that nobody has yet, is refused', async () => {
    for (const user of ['b0b', 'zoe']) {
      const { room, mls, groupInfo } = await joining(user)
      await fails('denied', () => send(room, mls, groupInfo))
      await eve.close()
    }
    await joining('eve')
    assert.deepEqual(alice.chat.state.notices, [])
    await talk(alice, bob)
  })

  it('by a leaf that nobody could encrypt to is refused', async () => {
    for (const [, spoil] of UNUSABLE) {
      const { room, mls, groupInfo } = await joining('eve', spoil)
      await fails('denied', () => send(room, mls, groupInfo))
      await eve.close()
    }
    await joining('eve')
    await talk(alice, bob)
  })

  it('with a GroupInfo of the time before keeps a newcomer out for a while, and not for good', async () => {
    const { room, mls, groupInfo } = await joining('eve')
    await send(room, mls, groupInfo)
    const carol = await stand.peer('carol', { log: () => undefined })
    carol.chat.connect()
    await talk(alice, bob, carol)
  })

  it('with a GroupInfo that is none keeps a newcomer out for a while, and not for good', async () => {
    const { room, mls } = await joining('eve')
    await send(room, mls, nodePrimitives.random(64))
    const carol = await stand.peer('carol', { log: () => undefined })
    carol.chat.connect()
    await talk(alice, bob, carol)
  })

  it('by a commit that nobody can follow, leaving nothing behind to join by, does not end it', async () => {
    const { room, mls } = await joining('eve')
    const broken = mls.slice()
    broken[broken.length - 5] = (broken[broken.length - 5] ?? 0) ^ 1
    await send(room, broken, nodePrimitives.random(64))
    for (const { chat } of [alice, bob])
      await until(chat, ({ rooms: [lobby] }) => lobby?.phase === 'repairing')
    await talk(alice, bob)
  })
})
