import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Chat } from '../../web/chat/chat.ts'
import type { Dial } from '../../web/chat/transport.ts'
import { Trust } from '../../web/chat/trust.ts'
import { type Bytes, fromHex } from '../../web/protocol/bytes.ts'
import { Evil } from '../support/evil_endpoint.ts'
import { keptBack } from '../support/kept_back.ts'
import {
  decideKey,
  inLobby,
  lobbyOf,
  messages,
  type Peer,
  Stand,
  shown,
  texts,
} from '../support/peers.ts'
import { after, afterEach, assert, before, beforeEach, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

type Frame = Uint8Array<ArrayBuffer>

/** A network that does something to the frames of one direction. */
class Wire {
  /** What becomes of frame `index` (counted from 0 on each connection) from the endpoint. */
  down: (frame: Frame, index: number) => Frame[] = (frame) => [frame]
  up: (frame: Frame, index: number) => Frame[] = (frame) => [frame]
  readonly sent: number[] = []
  dials = 0

  through(dial: Dial): Dial {
    return async (signal) => {
      this.dials += 1
      const real = await dial(signal)
      let outgoing = 0
      const wire = this
      return {
        send(frame) {
          const copy = new Uint8Array(frame)
          for (const out of wire.up(copy, outgoing++)) {
            wire.sent.push(out.length)
            real.send(out)
          }
        },
        get buffered() {
          return real.buffered
        },
        close: () => real.close(),
        closed: real.closed,
        async *[Symbol.asyncIterator]() {
          let incoming = 0
          for await (const frame of real) yield* wire.down(new Uint8Array(frame), incoming++)
        },
      }
    }
  }
}

const notice = ({ state }: Chat, kind: string) =>
  state.notices.find(({ id }) => id.split('/')[0] === kind)

describe('an endpoint whose key is not the pinned one', () => {
  let real: Stand
  let false_: Stand

  before(async () => {
    real = await Stand.start()
    false_ = await Stand.start()
  })
  after(async () => {
    await real.close()
    await false_.close()
  })

  it('is sent nothing but the first message, and is not tried again until the person decides', async () => {
    const wire = new Wire()
    let to = real
    const dial: Dial = wire.through((signal) => to.dial(signal))
    const alice = await real.peer('alice', { dial, random: () => 0 })
    alice.chat.connect()
    await inLobby(alice.chat)
    await alice.chat.send(lobbyOf(alice.chat), 'before')
    await shown(alice.chat, lobbyOf(alice.chat), 1)
    await alice.chat.disconnect()

    to = false_
    wire.sent.length = 0
    wire.dials = 0
    alice.chat.connect()
    await until(alice.chat, ({ connection }) => connection.phase === 'stopped')
    assert.lengthOf(wire.sent, 1, 'only M1 has left')
    const blocking = notice(alice.chat, 'endpoint')
    assert.isTrue(blocking?.blocking)
    assert.equal(blocking?.kind, 'mitm')
    const plain = blocking?.seen.replaceAll(' ', '') ?? ''
    assert.include(plain, real.endpoint.fingerprint)
    assert.include(plain, false_.endpoint.fingerprint)
    alice.chat.connect()
    alice.chat.wake()
    alice.chat.dismiss(blocking?.id ?? '')
    await alice.chat.decide(blocking?.id ?? '', 'stay')
    assert.equal(wire.dials, 1)
    assert.isTrue(notice(alice.chat, 'endpoint')?.blocking)

    await alice.chat.decide(blocking?.id ?? '', 'trust')
    await inLobby(alice.chat)
    assert.equal(alice.chat.state.endpoint?.fingerprint, false_.endpoint.fingerprint)
    assert.deepEqual(await texts(alice.chat, lobbyOf(alice.chat)), ['alice: before'])
    await alice.chat.send(lobbyOf(alice.chat), 'after')
    await shown(alice.chat, lobbyOf(alice.chat), 2)
  })

  it('is found out too when somebody deletes the pin while the first message is on its way', async () => {
    const wire = new Wire()
    let to = real
    const dial: Dial = wire.through((signal) => to.dial(signal))
    const carol = await real.peer('carol', { dial, random: () => 0 })
    carol.chat.connect()
    await inLobby(carol.chat)
    await carol.chat.disconnect()

    to = false_
    wire.sent.length = 0
    const pins = 'pins/localhost'
    assert.isDefined(await carol.profile.storage.read(pins))
    let deleted: Promise<void> | undefined
    wire.up = (frame) => {
      deleted ??= carol.profile.storage.write(new Map([[pins, undefined]]))
      return [frame]
    }
    carol.chat.connect()
    await until(carol.chat, ({ connection }) => connection.phase === 'stopped')
    await deleted
    assert.lengthOf(wire.sent, 1, 'only M1 has left')
    assert.isTrue(notice(carol.chat, 'endpoint')?.blocking)

    // Nor does another tab take the false key for the first that it has seen.
    real.crash(carol, { dial })
    carol.chat.connect()
    await until(carol.chat, ({ connection }) => connection.phase === 'stopped')
    assert.lengthOf(wire.sent, 1)
    assert.isTrue(carol.chat.state.notices.some(({ blocking }) => blocking))
  })

  it('is refused at the first visit when the link says another key', async () => {
    const wire = new Wire()
    const pin = fromHex(real.endpoint.fingerprint)
    const bob = await false_.peer('bob', { pin, dial: wire.through(false_.dial) })
    bob.chat.connect()
    await until(bob.chat, ({ connection }) => connection.phase === 'stopped')
    assert.lengthOf(wire.sent, 1)
    assert.isTrue(notice(bob.chat, 'endpoint')?.blocking)
  })
})

describe('a network that changes records', () => {
  let stand: Stand
  let alice: Peer
  let bob: Peer
  let wire: Wire

  before(async () => {
    stand = await Stand.start()
    wire = new Wire()
    bob = (await stand.join('bob'))[0] as Peer
    alice = await stand.peer('alice', { dial: wire.through(stand.dial), random: () => 0 })
    // The test is not about how long people wait between two tries.
    alice.chat.addEventListener('change', () => {
      if (alice.chat.state.connection.phase === 'offline') setTimeout(() => alice.chat.wake(), 20)
    })
    alice.chat.connect()
    await inLobby(alice.chat)
  })
  after(() => stand.close())
  afterEach(() => {
    wire.up = (frame) => [frame]
    wire.down = (frame) => [frame]
  })

  /** Does it once to the next frame of a direction, then lets everything through. */
  const once = (direction: 'up' | 'down', change: (frame: Frame) => Frame[]) => {
    wire[direction] = (frame) => {
      wire[direction] = (later) => [later]
      return change(frame)
    }
  }

  const flip = (frame: Frame): Frame[] => {
    const at = frame.length - 20
    frame[at] = (frame[at] ?? 0) ^ 1
    return [frame]
  }
  const cases: readonly [name: string, change: (frame: Frame) => Frame[]][] = [
    ['a flipped bit', flip],
    ['a repeated record', (frame) => [frame, frame]],
    ['a foreign frame', () => [new Uint8Array(276).fill(0x17)]],
  ]
  for (const direction of ['up', 'down'] as const)
    for (const [name, change] of cases)
      it(`ends the session with a notice, and nothing is lost: ${name}, ${direction}`, async () => {
        const lobby = lobbyOf(alice.chat)
        const count = (await messages(alice.chat, lobby)).length
        once(direction, change)
        await alice.chat.send(lobby, `${name} ${direction}`)
        const seen = await shown(alice.chat, lobby, count + 1)
        assert.equal(seen.at(-1), `alice: ${name} ${direction}`)
        assert.deepEqual(await shown(bob.chat, lobby, seen.length), seen)
        await until(alice.chat, () => notice(alice.chat, 'tampered') !== undefined)
        const raised = notice(alice.chat, 'tampered')
        assert.equal(raised?.kind, 'mitm')
        assert.isFalse(raised?.blocking)
        alice.chat.dismiss('tampered')
        assert.isUndefined(notice(alice.chat, 'tampered'))
        await inLobby(alice.chat)
      })

  it('is no alarm when it merely breaks', async () => {
    const lobby = lobbyOf(alice.chat)
    const phases: string[] = []
    const look = () => {
      const { connection } = alice.chat.state
      if (connection.phase === 'offline') phases.push(connection.text)
    }
    alice.chat.addEventListener('change', look)
    const count = (await messages(alice.chat, lobby)).length
    once('up', () => {
      void stand.restart()
      return []
    })
    await alice.chat.send(lobby, 'over a restart')
    await shown(alice.chat, lobby, count + 1)
    alice.chat.removeEventListener('change', look)
    assert.isUndefined(notice(alice.chat, 'tampered'))
    assert.notEqual(phases.join(), '')
  })
})

describe('an endpoint that goes back in time', () => {
  const endpoint = new Evil()
  let stand: Stand
  let peers: Peer[]

  beforeEach(async () => {
    stand = await Stand.start({}, endpoint.build)
    peers = await stand.join('alice', 'bob')
  })
  afterEach(() => stand.close())

  /** Stops the endpoint, does something to its data, and starts it again on its port. */
  const saved = () => join(stand.directory, 'saved')
  const data = () => join(stand.directory, 'endpoint')
  const save = async () => {
    await stand.restart(() => cpSync(data(), saved(), { recursive: true }))
    await Promise.all(peers.map(({ chat }) => inLobby(chat)))
  }
  const restore = () =>
    stand.restart(() => {
      rmSync(data(), { recursive: true })
      cpSync(saved(), data(), { recursive: true })
    })

  it('is noticed: clients say so, keep what they have and send nothing there', async () => {
    const [alice, bob] = peers as [Peer, Peer]
    const lobby = lobbyOf(alice.chat)
    await alice.chat.send(lobby, 'one')
    await shown(bob.chat, lobby, 1)
    await save()
    await bob.chat.send(lobby, 'two')
    await shown(alice.chat, lobby, 2)
    await restore()
    for (const { chat } of peers) {
      await until(chat, ({ rooms }) => rooms[0]?.phase === 'alarm')
      assert.equal(notice(chat, 'fork')?.kind, 'mitm')
      assert.deepEqual(await texts(chat, lobby), ['alice: one', 'bob: two'])
    }
    await keptBack(endpoint, alice, lobby, 'three', bob)

    await bob.chat.decide(`fork/${lobby}`, 'go_on')
    await inLobby(bob.chat)
    await alice.chat.decide(`fork/${lobby}`, 'go_on')
    assert.equal((await shown(alice.chat, lobby, 3)).at(-1), 'alice: three')
    assert.equal((await shown(bob.chat, lobby, 3)).at(-1), 'alice: three')
  })

  it('is noticed too when it has gone on since by another way', async () => {
    const [alice, bob] = peers as [Peer, Peer]
    const lobby = lobbyOf(alice.chat)
    await save()
    await bob.chat.disconnect()
    await alice.chat.send(lobby, 'seen by alice alone')
    await shown(alice.chat, lobby, 1)
    await alice.chat.disconnect()
    await restore()
    bob.chat.connect()
    for (let i = 0; i < 3; i++) await bob.chat.send(lobby, `another history ${i}`)
    await shown(bob.chat, lobby, 3)
    alice.chat.connect()
    await until(alice.chat, ({ rooms }) => rooms[0]?.phase === 'alarm')
    assert.isDefined(notice(alice.chat, 'fork'))
    assert.deepEqual(await texts(alice.chat, lobby), ['alice: seen by alice alone'])
  })
})

describe('a device whose store was put back to an older state', () => {
  it('takes a new place in the room before it seals anything, and loses and repeats nothing', async () => {
    const stand = await Stand.start()
    try {
      const [alice, bob] = (await stand.join('alice', 'bob')) as [Peer, Peer]
      const lobby = lobbyOf(alice.chat)
      await alice.chat.send(lobby, 'one')
      await shown(bob.chat, lobby, 1)
      await shown(alice.chat, lobby, 1)
      const old = alice.profile.storage.copy()
      await alice.chat.send(lobby, 'two')
      await shown(alice.chat, lobby, 2)
      await alice.chat.disconnect()

      alice.profile = { ...alice.profile, storage: old }
      alice.chat = stand.chat(alice.profile)
      alice.chat.connect()
      await inLobby(alice.chat)
      await alice.chat.send(lobby, 'three')
      const seen = await shown(bob.chat, lobby, 3)
      assert.deepEqual(seen, ['alice: one', 'alice: two', 'alice: three'])
      const own = await alice.chat.timeline(lobby, 0, 100)
      assert.isTrue(own.some((item) => item.kind === 'system' && item.text.includes('older')))
    } finally {
      await stand.close()
    }
  })
})

describe('a person whose key is not the pinned one', () => {
  let endpoint: Evil
  let stand: Stand

  beforeEach(async () => {
    endpoint = new Evil()
    stand = await Stand.start({}, endpoint.build)
  })
  afterEach(() => stand.close())

  /** This device, which is not connected, knows the person by another key than the real one. */
  async function knowsOtherwise({ profile }: Peer, user: string): Promise<void> {
    const pins = await Trust.open(profile.storage, profile.vault, 'localhost')
    await pins.see([{ user, fingerprint: new Uint8Array(32).fill(7) as Bytes }])
    await pins.verified(user, true)
  }

  it('is an alarm in every place, and gets nothing until it is decided', async () => {
    const alice = await stand.peer('alice')
    await alice.chat.ready
    await knowsOtherwise(alice, 'bob')
    alice.chat = stand.chat(alice.profile)
    const [bob, carol] = (await stand.join('bob', 'carol')) as [Peer, Peer]
    alice.chat.connect()
    await until(alice.chat, () => notice(alice.chat, 'key') !== undefined)
    assert.equal(notice(alice.chat, 'key')?.kind, 'mitm')
    const seen = alice.chat.state.people.find(({ user }) => user === 'bob')
    assert.equal(seen?.trust, 'changed')
    await until(alice.chat, ({ rooms }) => rooms[0]?.phase === 'alarm')
    const lobby = lobbyOf(alice.chat)
    await keptBack(endpoint, alice, lobby, 'to whom?', carol)

    await decideKey(alice.chat, 'bob', 'trust')
    await alice.chat.decide(notice(alice.chat, 'member')?.id ?? '', 'go_on')
    await inLobby(alice.chat)
    assert.deepEqual(await shown(bob.chat, lobby, 1), ['alice: to whom?'])
    const room = await alice.chat.openPrivate('bob')
    await alice.chat.send(room, 'it is you')
    await shown(bob.chat, room, 1)
  })

  it('is an alarm in a room that it comes into: nothing is sealed there until it is decided (E1)', async () => {
    const [alice, bob] = (await stand.join('alice', 'bob')) as [Peer, Peer]
    const lobby = lobbyOf(alice.chat)
    await alice.chat.send(lobby, 'among us')
    await shown(bob.chat, lobby, 1)
    await alice.chat.disconnect()
    await knowsOtherwise(alice, 'mallory')
    stand.crash(alice)
    alice.chat.connect()
    await inLobby(alice.chat)

    const [mallory] = (await stand.join('mallory')) as [Peer]
    await until(alice.chat, ({ rooms }) => rooms[0]?.phase === 'alarm')
    await keptBack(endpoint, alice, lobby, 'not to mallory', bob)
    const readers = alice.chat.state.rooms[0]?.readers.map(({ user }) => user) ?? []
    assert.sameMembers(readers, ['alice', 'bob'])

    await decideKey(alice.chat, 'mallory', 'trust')
    assert.deepEqual(await shown(mallory.chat, lobby, 1), ['alice: not to mallory'])
    assert.deepEqual(await shown(bob.chat, lobby, 2), ['alice: among us', 'alice: not to mallory'])
  })
})
