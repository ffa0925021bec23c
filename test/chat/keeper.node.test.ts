import { nodePrimitives } from '../../relay/node_primitives.ts'
import { openTicket, TICKET } from '../../web/chat/stored_ticket.ts'
import type { Transport } from '../../web/chat/transport.ts'
import { TICKET_LIFE_MS } from '../../web/protocol/tickets.ts'
import { JumpingClock } from '../support/jumping_clock.ts'
import { inLobby, Stand } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

const YEAR = 365 * 24 * 3_600_000

describe('the keeper of a connection', () => {
  let stand: Stand
  before(async () => {
    stand = await Stand.start()
  })
  after(() => stand.close())

  it('takes the times of a handshake by a clock that does not jump, a ticket’s by the time of day', async () => {
    const clock = new JumpingClock()
    const { chat, profile } = await stand.peer('bob', {
      clock,
      dial: (signal) => {
        // Set right by the network time, just as the handshake begins.
        clock.set(-YEAR)
        return stand.dial(signal)
      },
    })
    chat.addEventListener('change', () => {
      if ((chat.state.handshake?.steps.length ?? 0) >= 2) clock.set(0)
    })
    chat.connect()
    await inLobby(chat)
    const { handshake } = chat.state
    for (const { at } of handshake?.steps ?? []) assert.isBelow(Math.abs(at), YEAR / 2)
    const stored = await profile.storage.read(TICKET)
    const ticket = await openTicket(nodePrimitives, profile.vault, stored)
    assert.isBelow(Math.abs((ticket?.expires ?? 0) - Date.now() - TICKET_LIFE_MS), YEAR / 2)
  })

  it('leaves none open on which the handshake came through and the store then failed', async () => {
    const open = new Set<Transport>()
    const { chat, profile } = await stand.peer('alice', {
      async dial(signal) {
        const transport = await stand.dial(signal)
        open.add(transport)
        const close = transport.close.bind(transport)
        transport.close = () => {
          open.delete(transport)
          close()
        }
        return transport
      },
    })
    profile.storage.onWrite = (changes) => {
      if (changes.get('ticket') !== undefined) throw new Error('The disk is full.')
    }
    chat.connect()
    await until(chat, ({ connection, handshake }) => {
      return connection.phase === 'offline' && handshake?.steps.at(-1)?.name === 'Session keys'
    })
    assert.isEmpty(open)
  })
})
