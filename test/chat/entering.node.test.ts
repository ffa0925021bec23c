import { staleEpoch } from '../../relay/endpoint/refusal.ts'
import type { Clock } from '../../web/chat/clock.ts'
import type { ChatState } from '../../web/chat/model.ts'
import { answering } from '../support/answering.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

const connected = ({ connection }: ChatState) => connection.phase === 'online'

describe('a newcomer', () => {
  let stand: Stand
  let alice: Peer

  before(async () => {
    stand = await Stand.start()
    const [first] = await stand.join('alice')
    assert.isDefined(first)
    alice = first
  })
  after(() => stand.close())

  it('is called connected when it is in the lobby’s group, not before', async () => {
    const bob = await stand.peer('bob')
    const seen = new Set<string>()
    bob.chat.addEventListener('change', () => {
      const { connection, rooms } = bob.chat.state
      seen.add(`${connection.phase}, ${rooms[0]?.phase ?? 'no lobby'}`)
    })
    bob.chat.connect()
    await inLobby(bob.chat)
    assert.equal([...seen][0], 'connecting, no lobby')
    assert.isFalse([...seen].some((one) => one.startsWith('offline')))
    assert.include([...seen], 'entering, joining')
    assert.notInclude([...seen], 'online, joining')
    assert.notInclude([...seen], 'online, no lobby')
  })

  it('reads what is written as soon as it is called connected', async () => {
    for (const name of ['carol', 'dave', 'erin']) {
      const newcomer = await stand.peer(name)
      newcomer.chat.connect()
      await until(newcomer.chat, connected)
      await alice.chat.send(lobbyOf(alice.chat), `hello ${name}`)
      assert.deepEqual(await shown(newcomer.chat, lobbyOf(newcomer.chat), 1), [
        `alice: hello ${name}`,
      ])
    }
  })
})

/** The look that a connection takes at itself every second. */
const TICK_MS = 1_000

/** Time passes only where somebody waits for about a second or less, and then at once. */
class ImpatientClock implements Clock {
  #steady = 0
  readonly now = Date.now

  steady(): number {
    return this.#steady
  }

  after(ms: number, work: () => void): () => void {
    const at = this.#steady + ms
    const ring = (): void => {
      this.#steady = Math.max(this.#steady, at)
      work()
    }
    const never = ms > 2_000 || ms === TICK_MS
    const timer = never ? undefined : setTimeout(ring, 0)
    return () => clearTimeout(timer)
  }
}

describe('a newcomer to whom others come first each time', () => {
  const LOSSES = 25
  const clock = new ImpatientClock()
  /** When it lost, on its clock. */
  const lost: number[] = []
  let stand: Stand

  before(async () => {
    const outrun = answering(async ({ peer, request, store, serve }) => {
      const joins = request.op === 'send' && request.commit !== undefined
      if (peer.user !== 'bob' || !joins || lost.length === LOSSES) return serve()
      lost.push(clock.steady())
      throw staleEpoch(store.room(request.room) ?? assert.fail('no such room'))
    })
    stand = await Stand.start({}, outrun)
    await stand.join('alice')
  })
  after(() => stand.close())

  it('tries again a little later after each time, after a second at most, and comes in', async () => {
    const bob = await stand.peer('bob', { clock })
    bob.chat.connect()
    await inLobby(bob.chat)
    assert.lengthOf(lost, LOSSES)
    const gaps = lost.slice(1).map((at, i) => at - (lost[i] ?? 0))
    for (const [i, gap] of gaps.entries()) {
      const wait = Math.min(50 * i, 1_000)
      // Timers may fire a little early, so one more millisecond is waited for.
      assert.include([wait, wait + 1], gap, `after ${i + 1}`)
    }
  })
})
