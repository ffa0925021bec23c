import { startRelay } from '../../relay/relay.ts'
import { dialTrunk } from '../../relay/trunk_frames.ts'
import { HANDSHAKE_TIMEOUT_MS } from '../../web/protocol/handshake_messages.ts'
import { EndpointStand } from '../support/endpoint_stand.ts'
import { type End, logInto, TabSocket } from '../support/relay_stand.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'

describe('a tab whose connection the endpoint ends', () => {
  let stand: EndpointStand
  let relay: Awaited<ReturnType<typeof startRelay>>
  /** Milliseconds by which the endpoint's clock is ahead. */
  let passed = 0

  before(async () => {
    stand = await EndpointStand.start({ now: () => performance.now() + passed })
    const port = stand.endpoint.trunkPort
    relay = await startRelay({
      ...{ port: 0, host: 'localhost', version: '0.0.0', log: logInto([]) },
      trunk: (signal) => dialTrunk({ host: '127.0.0.1', port }, signal),
    })
    await relay.ready
  })
  after(async () => {
    await relay.close()
    await stand.stop()
  })

  async function endsWith(end: End, frame: Uint8Array): Promise<TabSocket> {
    const tab = await TabSocket.open(relay.port)
    tab.send(frame)
    assert.deepEqual(await tab.closed, end)
    return tab
  }

  it('is told by an alert first, and with 4020 that it is over', async () => {
    const tab = await endsWith({ code: 4020, text: 'The session is over.' }, new Uint8Array(40))
    assert.equal(tab.frames.waiting, 1)
  })

  it('is told with 4021 that its handshake has taken too long', async () => {
    const tab = await TabSocket.open(relay.port)
    // The endpoint answers what comes first, so it knows by then of what came before.
    await endsWith({ code: 4020, text: 'The session is over.' }, new Uint8Array(40))
    passed = HANDSHAKE_TIMEOUT_MS
    const text = 'The handshake took more than ten seconds. Trying again.'
    assert.deepEqual(await tab.closed, { code: 4021, text })
  })
})
