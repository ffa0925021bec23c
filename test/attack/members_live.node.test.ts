/**
 * THREATS P1, P2, E5: a member who says anything at all, to real clients over a real endpoint. What
 * is wrong is shown as such or not at all, and everyone else goes on talking.
 */
import { type Bytes, concat, hex } from '../../web/protocol/bytes.ts'
import { encodeMessage } from '../../web/protocol/messages.ts'
import { makeBinding } from '../../web/protocol/mls_credential.ts'
import { readMlsHeader } from '../../web/protocol/mls_header.ts'
import { msgId, sealed } from '../support/bare_peer.ts'
import { EvilMember } from '../support/evil_member.ts'
import { lobbyOf, messages, type Peer, Stand, shown, texts } from '../support/peers.ts'
import { full, type Random, seeded } from '../support/random.ts'
import { afterEach, assert, beforeEach, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'
import { commitAs, evilGroupInfo } from './members_evil.ts'

describe('a member of the lobby who is hostile', () => {
  let stand: Stand
  let alice: Peer
  let bob: Peer
  let eve: EvilMember
  let room: ReturnType<typeof lobbyOf>

  beforeEach(async () => {
    stand = await Stand.start()
    ;[alice, bob] = (await stand.join('alice', 'bob')) as [Peer, Peer]
    room = lobbyOf(alice.chat)
    eve = await EvilMember.join(stand.endpoint, 'eve')
    for (const { chat } of [alice, bob])
      await until(chat, ({ rooms }) => rooms[0]?.readers.length === 3, 'three are in')
  })
  afterEach(async () => {
    await eve.close()
    await stand.close()
  })

  /** The epoch of the lobby, which is another one whenever a device came in again. */
  async function epochNow(): Promise<number> {
    const { rooms } = await eve.peer.ask({ op: 'sync' })
    return rooms[0]?.epoch ?? assert.fail('no lobby')
  }

  /** Nobody had to stop, to join again, or to lose anything. */
  async function goesOn(epoch: number, said: string): Promise<void> {
    await alice.chat.send(room, `${said} by alice`)
    await bob.chat.send(room, `${said} by bob`)
    for (const { chat } of [alice, bob]) {
      await until(chat, async () => {
        const seen = await texts(chat, room)
        return seen.includes(`alice: ${said} by alice`) && seen.includes(`bob: ${said} by bob`)
      })
      assert.equal(chat.state.rooms[0]?.phase, 'ready', chat.state.rooms[0]?.text)
      assert.isEmpty(chat.state.notices)
    }
    assert.equal(await epochNow(), epoch, 'a device gave up its keys')
  }

  /** Changes bytes behind the header, so that the endpoint has nothing to say against it. */
  function mutated(random: Random, mls: Bytes): Bytes {
    const { groupId, authenticatedData } = readMlsHeader(mls)
    const body = 4 + 1 + groupId.length + 8 + 1 + 1 + authenticatedData.length
    const changed = new Uint8Array(mls)
    for (let left = random.below(4); left >= 0; left--)
      changed[body + random.below(changed.length - body)] = random.below(256)
    return changed
  }

  it('says Bob’s name in a commit of its own: it is refused, and nobody takes Bob’s key for changed (P1)', async () => {
    const { signatureKey, hostKeyHash } = eve.state.keys.binding
    const claim = { user: 'bob', device: msgId(), hostKeyHash, signatureKey }
    const { encoded } = await makeBinding(eve.identity, claim, Date.now())
    await eve.catchUp()
    const { mls } = await commitAs(eve.state, encoded)
    const commit = { groupInfo: await evilGroupInfo(eve.state), added: [], removed: [] }
    await eve.peer.ask({ op: 'send', room: eve.room, msgId: msgId(), mls, commit })
    for (const { chat } of [alice, bob]) {
      await until(chat, ({ rooms }) => rooms[0]?.phase === 'alarm', 'the room stops')
      const ids = chat.state.notices.map(({ id }) => id)
      assert.deepEqual(ids, [`member/${room}`])
      assert.isFalse(chat.state.people.some(({ trust }) => trust === 'changed'))
    }
  })

  it('sends mutated messages: they are named as unreadable, and the room goes on (P1)', () =>
    seeded(async (random) => {
      await alice.chat.send(room, 'before')
      await shown(bob.chat, room, 1)
      const epoch = await epochNow()
      const count = full ? 10_000 : 100
      let kept = 0
      for (let i = 0; i < count; i++) {
        const mls = mutated(random, await eve.seal(`message ${i}`))
        await eve.send(mls).then(
          () => (kept += 1),
          () => undefined,
        )
      }
      assert.isAbove(kept, count / 2)
      await goesOn(epoch, 'after')
    }))

  it('sends rubbish before anybody has said anything: who was away misses nothing (P1)', () =>
    seeded(async (random) => {
      await bob.chat.disconnect()
      const epoch = await epochNow()
      for (let i = 0; i < 10; i++) {
        await eve.send(mutated(random, await eve.seal('rubbish'))).catch(() => undefined)
        await eve.send(sealed({ room: eve.room, epoch }))
      }
      await alice.chat.send(room, 'while bob was away')
      await shown(alice.chat, room, 1)
      stand.crash(bob)
      bob.chat.connect()
      const honest = async () => (await texts(bob.chat, room)).includes('alice: while bob was away')
      await until(bob.chat, honest, 'what alice said meanwhile')
      assert.equal(await epochNow(), epoch, 'bob gave up his keys')
    }))

  it('jumps in epoch or generation: the endpoint does not take it (P1)', async () => {
    const epoch = await epochNow()
    for (const change of [
      { epoch: epoch + 1 },
      { epoch: epoch + 2 ** 40 },
      { epoch, generation: 1 },
      { epoch, generation: 2 ** 32 - 1 },
      { epoch, kind: 'proposal' as const },
      { epoch, kind: 'commit' as const },
    ]) {
      const error = await eve.send(sealed({ room: eve.room, ...change })).then(
        () => undefined,
        (refused: Error & { code?: string }) => refused,
      )
      assert.include(['bad_request', 'stale_epoch'], error?.code, JSON.stringify(change))
    }
    await goesOn(epoch, 'as ever')
  })

  it('skips ahead in its own ratchet, up to the limit and past it (P1)', async () => {
    const epoch = await epochNow()
    for (const skipped of [50, 199, 250, 1000]) {
      for (let i = 0; i < skipped; i++) await eve.seal('never sent')
      await eve.send(await eve.seal(`after ${skipped}`))
    }
    await goesOn(epoch, 'as ever')
    assert.include(await texts(bob.chat, room), 'eve: after 50')
  })

  it('seals bodies that are no messages: a line says so, and nothing of them is shown (P1)', () =>
    seeded(async (random) => {
      const epoch = await epochNow()
      const bodies: Bytes[] = [
        new Uint8Array(0),
        Uint8Array.of(0xf6),
        encodeMessage({ t: 'text', text: '', at: 0 }),
        encodeMessage({ t: 'text', text: 'x'.repeat(16_385), at: 0 }),
        encodeMessage({ t: 'text', text: 'HOSTILE', at: -1 }),
        encodeMessage({ t: 'text', text: 'HOSTILE', at: 0, more: 1 }),
        encodeMessage({ t: 'other', text: 'HOSTILE', at: 0 }),
        concat(encodeMessage({ t: 'text', text: 'HOSTILE', at: 0 }), Uint8Array.of(0)),
      ]
      for (let i = 0; i < (full ? 2_000 : 30); i++) bodies.push(random.bytes(random.below(60)))
      for (const body of bodies) await eve.send(await eve.seal(body))
      await goesOn(epoch, 'as ever')
      const from = (await messages(alice.chat, room)).filter((one) => one.from === 'eve')
      assert.isEmpty(from)
      assert.notInclude((await texts(alice.chat, room)).join(), 'HOSTILE')
    }))

  it('takes the ids of others’ messages: both are shown (P2)', async () => {
    const count = full ? 1_000 : 40
    const ids: string[] = []
    for (let i = 0; i < count; i++) ids.push(await alice.chat.send(room, `honest ${i}`))
    await shown(bob.chat, room, count)
    await eve.catchUp()
    for (const [i, id] of ids.entries()) {
      const bytes = Uint8Array.from(Buffer.from(id, 'hex'))
      await eve.send(await eve.seal(`thief ${i}`, eve.view(bytes)), bytes)
    }
    for (const { chat } of [alice, bob]) {
      const seen = await shown(chat, room, 2 * count)
      assert.lengthOf(seen, 2 * count)
      assert.equal(new Set(seen).size, 2 * count)
      assert.lengthOf(
        seen.filter((text) => text.startsWith('eve: thief')),
        count,
      )
    }
    // In advance as well: an id that an honest message will have, if anybody could know it.
    await goesOn(await epochNow(), 'as ever')
  })

  it('says the same message twice, under one id or two: it is shown once (E5)', async () => {
    const epoch = await epochNow()
    const id = msgId()
    const mls = await eve.seal('once', eve.view(id))
    const first = await eve.send(mls, id)
    assert.deepEqual(await eve.send(mls, id), first, 'the endpoint knows it again')
    await eve.send(mls)
    await eve.send(await eve.seal('once more under the same id', eve.view(id)))
    const [theirs] = await eve.log()
    await eve.send(theirs ?? assert.fail('an empty log')).catch(() => undefined)
    await goesOn(epoch, 'as ever')
    for (const { chat } of [alice, bob])
      assert.deepEqual(
        (await texts(chat, room)).filter((text) => text.startsWith('eve')),
        ['eve: once'],
      )
  })

  it('repeats what others said: it is not shown again, whoever is said to say it (E5)', async () => {
    for (let i = 0; i < 5; i++) await alice.chat.send(room, `said once ${i}`)
    await shown(bob.chat, room, 5)
    const epoch = await epochNow()
    const honest = (await eve.log()).filter(
      (mls) => readMlsHeader(mls).contentType === 'application',
    )
    for (let round = 0; round < 3; round++) for (const mls of honest) await eve.send(mls)
    await goesOn(epoch, 'as ever')
    for (const { chat } of [alice, bob]) {
      const seen = (await texts(chat, room)).filter((text) => text.includes('said once'))
      assert.deepEqual(
        seen,
        [0, 1, 2, 3, 4].map((i) => `alice: said once ${i}`),
        hex(msgId()),
      )
    }
  })
})
