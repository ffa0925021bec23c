/**
 * THREATS E3: an endpoint that keeps things back. Who sends sees that it is not delivered, who
 * receives is told of what should be there. Half a minute passes at once, on clocks that jump.
 */
import type { Clock } from '../../web/chat/clock.ts'
import { systemClock } from '../../web/chat/clock.ts'
import { fromHex } from '../../web/protocol/bytes.ts'
import type { Reply } from '../../web/protocol/messages.ts'
import { Evil } from '../support/evil_endpoint.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown, texts } from '../support/peers.ts'
import { afterEach, assert, beforeEach, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

/** All but short timers are rung when the test says that their time has come. */
class Hand implements Clock {
  #ahead = 0
  readonly #due = new Set<{ readonly at: number; readonly work: () => void }>()

  now = (): number => systemClock.now() + this.#ahead
  steady = (): number => systemClock.steady() + this.#ahead

  after(ms: number, work: () => void): () => void {
    if (ms <= 200) return systemClock.after(ms, work)
    const timer = { at: this.steady() + ms, work }
    this.#due.add(timer)
    return () => void this.#due.delete(timer)
  }

  pass(ms: number): void {
    this.#ahead += ms
    for (const timer of [...this.#due].sort((a, b) => a.at - b.at)) {
      if (timer.at > this.steady()) continue
      if (this.#due.delete(timer)) timer.work()
    }
  }
}

const HALF_A_MINUTE = 30_000
const told = (peer: Peer, kind: string): boolean =>
  peer.chat.state.notices.some(({ id }) => id.startsWith(`${kind}/`))

describe('an endpoint that keeps back (E3)', () => {
  let evil: Evil
  let stand: Stand
  let alice: Peer
  let bob: Peer
  let hand: Hand
  let room: ReturnType<typeof lobbyOf>

  beforeEach(async () => {
    evil = new Evil()
    hand = new Hand()
    stand = await Stand.start({}, evil.build)
    ;[alice] = (await stand.join('alice')) as [Peer]
    room = lobbyOf(alice.chat)
    bob = await stand.peer('bob', { clock: hand })
    bob.chat.connect()
    await inLobby(bob.chat)
    await bob.chat.send(room, 'one')
    await shown(alice.chat, room, 1)
    await shown(bob.chat, room, 1)
  })
  afterEach(() => stand.close())

  /** Bob is told how long the log is, and not given what is in it. */
  function keepFrom(viewer: string): { end(): void } {
    evil.noCasts = true
    evil.reply = (who, op, reply) =>
      who === viewer && op === 'fetch' ? { ...(reply as Reply<'fetch'>), entries: [] } : reply
    return {
      end() {
        evil.noCasts = false
        evil.reply = undefined
      },
    }
  }

  /** Time passes on bob's clock, ten times as fast, until it has happened. */
  async function inTime<T>(happens: Promise<T>): Promise<T> {
    const passing = setInterval(() => hand.pass(100), 10)
    try {
      return await happens
    } finally {
      clearInterval(passing)
    }
  }

  /** Bob has heard of an entry that he does not have: he asks for it again and again. */
  async function asks(): Promise<void> {
    const before = evil.reply
    const asked = new Promise<void>((resolve) => {
      evil.reply = (who, op, reply) => {
        if (who === 'bob' && op === 'fetch') resolve()
        return before?.(who, op, reply) ?? reply
      }
    })
    await inTime(asked)
    evil.reply = before
  }

  it('a message from who should have it: named after half a minute, shown once it comes', async () => {
    const kept = keepFrom('bob')
    await alice.chat.send(room, 'kept back')
    await shown(alice.chat, room, 2)
    await evil.announce(fromHex(room))
    await asks()
    hand.pass(HALF_A_MINUTE - 15_000)
    await asks()
    assert.isFalse(told(bob, 'withheld'), 'it may still come')
    hand.pass(16_000)
    await until(bob.chat, () => told(bob, 'withheld'), 'bob is told')
    assert.deepEqual(await texts(bob.chat, room), ['bob: one'])
    // Dismissed once, it does not come again for the same gap.
    bob.chat.dismiss(`withheld/${room}`)
    await asks()
    hand.pass(HALF_A_MINUTE)
    await asks()
    assert.isFalse(told(bob, 'withheld'))
    kept.end()
    assert.deepEqual(await inTime(shown(bob.chat, room, 2)), ['bob: one', 'alice: kept back'])
  })

  it('a message for less than that: nobody is troubled', async () => {
    const kept = keepFrom('bob')
    await alice.chat.send(room, 'late')
    await evil.announce(fromHex(room))
    for (const ms of [1_000, 10_000, 10_000]) {
      await asks()
      hand.pass(ms)
    }
    kept.end()
    await inTime(shown(bob.chat, room, 2))
    hand.pass(HALF_A_MINUTE)
    await alice.chat.send(room, 'in time')
    await shown(bob.chat, room, 3)
    assert.isFalse(told(bob, 'withheld'))
  })

  it('the very answer to what is asked for: named after half a minute', async () => {
    evil.noCasts = true
    let asked: () => void = () => undefined
    const once = new Promise<void>((resolve) => {
      asked = resolve
    })
    evil.swallow = (viewer, request) => {
      const swallowed = viewer === 'bob' && request.op === 'fetch'
      if (swallowed) asked()
      return swallowed
    }
    await alice.chat.send(room, 'kept back')
    await evil.announce(fromHex(room))
    await once
    hand.pass(HALF_A_MINUTE + 1_000)
    await until(bob.chat, () => told(bob, 'withheld'), 'bob is told')
  })

  it('a commit: nobody is let in behind anybody’s back, and that something is missing is said', async () => {
    const kept = keepFrom('bob')
    const carol = await stand.peer('carol')
    carol.chat.connect()
    await inLobby(carol.chat)
    await carol.chat.send(room, 'hello')
    await shown(alice.chat, room, 2)
    await evil.announce(fromHex(room))
    await asks()
    const readers = () => bob.chat.state.rooms[0]?.readers.map(({ user }) => user).sort()
    assert.deepEqual(readers(), ['alice', 'bob'])
    hand.pass(HALF_A_MINUTE + 1_000)
    await until(bob.chat, () => told(bob, 'withheld'), 'bob is told')
    assert.deepEqual(readers(), ['alice', 'bob'])
    // What he writes now would be for those he knows of: it is not sealed before he has caught up.
    await bob.chat.send(room, 'to alice and carol')
    await asks()
    assert.equal(bob.chat.state.rooms[0]?.outgoing, 1)
    kept.end()
    await inTime(shown(carol.chat, room, 2))
    assert.deepEqual(readers(), ['alice', 'bob', 'carol'])
    assert.deepEqual((await texts(carol.chat, room)).slice(-1), ['bob: to alice and carol'])
    assert.isFalse(told(bob, 'withheld'), 'nothing is missing any more')
  })

  it('casts: heads tell of what is missing, and it is fetched', async () => {
    evil.noCasts = true
    await alice.chat.send(room, 'by fetch')
    await evil.announce(fromHex(room))
    assert.include(await shown(bob.chat, room, 2), 'alice: by fetch')
    assert.isEmpty(bob.chat.state.notices)
  })

  it('heads and not casts: nothing is missed', async () => {
    evil.noHeads = true
    for (let i = 0; i < 5; i++) await alice.chat.send(room, `cast ${i}`)
    await shown(bob.chat, room, 6)
    assert.isEmpty(bob.chat.state.notices)
  })

  it('heads and casts alike: the next session shows what is missing', async () => {
    evil.noHeads = true
    evil.noCasts = true
    await alice.chat.send(room, 'in silence')
    await shown(alice.chat, room, 2)
    assert.deepEqual(await texts(bob.chat, room), ['bob: one'])
    await bob.chat.disconnect()
    bob.chat.connect()
    await shown(bob.chat, room, 2)
  })

  it('what somebody sends: it is never shown as sent, and the sender is told', async () => {
    const swallowed = new Promise<void>((resolve) => {
      evil.swallow = (viewer, request) => {
        const his = viewer === 'bob' && request.op === 'send'
        if (his) resolve()
        return his
      }
    })
    await bob.chat.send(room, 'into the void')
    await swallowed
    const last = async () => (await bob.chat.timeline(room, 0, 100)).at(-1)
    const state = async () => {
      const item = await last()
      return item?.kind === 'text' ? item.state : ''
    }
    assert.equal(await state(), 'sending')
    hand.pass(HALF_A_MINUTE - 1_000)
    assert.isFalse(told(bob, 'unconfirmed'))
    hand.pass(2_000)
    await until(bob.chat, () => told(bob, 'unconfirmed'), 'bob is told')
    assert.match(bob.chat.state.notices[0]?.title ?? '', /Not delivered/)
    hand.pass(3_600_000)
    assert.equal(await state(), 'sending')
    // An honest endpoint takes it once, however often it was sent.
    evil.swallow = undefined
    await bob.chat.disconnect()
    bob.chat.connect()
    assert.deepEqual(await shown(alice.chat, room, 2), ['bob: one', 'bob: into the void'])
    assert.deepEqual(await shown(bob.chat, room, 2), ['bob: one', 'bob: into the void'])
    await until(bob.chat, () => !told(bob, 'unconfirmed'), 'bob is told no longer')
  })
})
