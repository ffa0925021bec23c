import type { Transport } from '../../web/chat/transport.ts'
import { Stand } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

describe('the keeper of a connection', () => {
  let stand: Stand
  before(async () => {
    stand = await Stand.start()
  })
  after(() => stand.close())

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
