import type { Outcome } from '../../relay/endpoint/peer.ts'
import { staleEpoch } from '../../relay/endpoint/refusal.ts'
import type { Op } from '../../web/protocol/messages.ts'
import { answering } from '../support/answering.ts'
import { JumpingClock } from '../support/jumping_clock.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

/** The answer to `sync` of an endpoint in whose list the device is not. */
function unlisted(outcome: Outcome<Op>): Outcome<Op> {
  if (!('rooms' in outcome.reply)) return outcome
  const rooms = outcome.reply.rooms.map((room) => ({ ...room, joined: false }))
  return { ...outcome, reply: { ...outcome.reply, rooms } }
}

describe('an endpoint that has lost a device’s place in the group', () => {
  let stand: Stand
  let alice: Peer
  let bob: Peer
  const clock = new JumpingClock()
  /** It takes nothing from bob: until he joins anew, or ever. */
  let lost: 'no' | 'until he joins' | 'for good' = 'no'
  /** When it refused a message of bob's, on his clock, and who waits for the next time. */
  const refused: number[] = []
  let seen = Promise.withResolvers<void>()

  before(async () => {
    const forgetful = answering(async ({ peer, request, store, serve }) => {
      if (peer.user !== 'bob' || lost === 'no') return serve()
      if (request.op === 'sync') return unlisted(await serve())
      if (request.op !== 'send') return serve()
      if (request.commit !== undefined) {
        if (lost === 'until he joins') lost = 'no'
        return serve()
      }
      refused.push(clock.steady())
      seen.resolve()
      seen = Promise.withResolvers()
      throw staleEpoch(store.room(request.room) ?? assert.fail('no such room'))
    })
    stand = await Stand.start({}, forgetful)
    ;[alice] = (await stand.join('alice')) as [Peer]
    bob = await stand.peer('bob', { clock })
    bob.chat.connect()
    await inLobby(bob.chat)
  })
  after(() => stand.close())

  it('is noticed at the first refusal: the device joins again, says why, and is heard', async () => {
    const lobby = lobbyOf(bob.chat)
    lost = 'until he joins'
    await bob.chat.send(lobby, 'hello')
    assert.deepEqual(await shown(alice.chat, lobby, 1), ['bob: hello'])
    await until(bob.chat, ({ rooms }) => rooms[0]?.phase === 'ready' && rooms[0].outgoing === 0)
    assert.lengthOf(refused, 1)
    const items = await bob.chat.timeline(lobby, 0, 100)
    const lines = items.filter(({ kind, id }) => kind === 'system' && id.startsWith('repair-'))
    assert.match(lines[0]?.text ?? '', /lost this device’s place/)
  })

  it('is noticed at the beginning of a session, before anything is sent', async () => {
    const lobby = lobbyOf(bob.chat)
    refused.length = 0
    await bob.chat.disconnect()
    lost = 'until he joins'
    await bob.chat.send(lobby, 'back again')
    bob.chat.connect()
    assert.include(await shown(alice.chat, lobby, 2), 'bob: back again')
    assert.deepEqual(refused, [])
  })

  it('and never finds it again is not asked for more than this, ever more seldom', async () => {
    refused.length = 0
    lost = 'for good'
    await bob.chat.send(lobbyOf(bob.chat), 'is anybody there?')
    for (let wait = 1_000; refused.length < 5; wait *= 2) {
      const waits = /lost this device’s place.* joins again soon/
      await until(bob.chat, ({ rooms }) => waits.test(rooms[0]?.text ?? ''), 'it waits')
      const next = seen.promise
      clock.sleep(wait)
      await next
    }
    const gaps = refused.slice(2).map((at, i) => at - (refused[i + 1] ?? 0))
    for (const [i, gap] of gaps.entries()) assert.isAtLeast(gap, 1_000 * 2 ** i, `after ${i + 1}`)
  })
})
