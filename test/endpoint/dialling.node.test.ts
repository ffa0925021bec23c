import { startRelay } from '../../relay/relay.ts'
import { listenForTrunk } from '../../relay/trunk_link.ts'
import { fromHex } from '../../web/protocol/bytes.ts'
import { anIdentity } from '../support/bare_peer.ts'
import { EndpointStand } from '../support/endpoint_stand.ts'
import { describe, it } from '../support/suite.ts'

const LOCAL = '127.0.0.1'

describe('an endpoint that dials its relay', () => {
  it('gets a trunk on loopback too, where the relay asks for the handshake all the same', async () => {
    const stand = await EndpointStand.start()
    const identity = await anIdentity()
    const pin = fromHex(stand.endpoint.fingerprint)
    await stand.down()
    const address = { host: LOCAL, port: 0 }
    const listener = await listenForTrunk(address, { host: 'localhost', identity, pin })
    const relay = await startRelay({
      ...{ port: 0, host: 'localhost', version: '0', trunk: listener.source },
    })
    const dialling = await EndpointStand.start({
      ...{ dataDir: stand.dataDir, relays: [identity.fingerprint] },
      dial: [{ host: LOCAL, port: listener.port }],
    })
    await relay.ready
    await dialling.stop()
    await relay.close()
    listener.close()
    await stand.stop()
  })
})
