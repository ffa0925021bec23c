import type { Bytes } from '../../web/protocol/bytes.ts'
import { equal } from '../../web/protocol/bytes.ts'
import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { ClientEnd, Line, ServerEnd, type Wire } from '../support/ends.ts'
import { Rig } from '../support/handshake_rig.ts'
import { SMALL_ORDER, withHighBit } from '../support/primitives_contract.ts'
import { assert, describe, it } from '../support/suite.ts'

const rig = new Rig(webPrimitives)
/** Where the share stands in M1 and in M2. */
const IN_M1 = 43
const IN_M2 = 38

function withShare(frame: Bytes, at: number, share: Uint8Array): Bytes {
  const changed = new Uint8Array(frame)
  changed.set(share, at)
  return changed
}

describe('a key share', () => {
  it('of small order is refused by the endpoint, in every spelling', async () => {
    const m1 = (await ClientEnd.start(rig)).out[0] as Bytes
    for (const point of SMALL_ORDER) {
      const server = new ServerEnd(rig)
      await server.take(withShare(m1, IN_M1, point))
      assert.equal(server.failure, 'illegal_parameter')
      assert.deepEqual(server.out, [Uint8Array.of(0x15, 2)])
    }
  })

  it('of small order is refused by the client, which then says nothing', async () => {
    const m2 = (await rig.run()).frames[1] as Bytes
    for (const point of SMALL_ORDER) {
      const client = await ClientEnd.start(rig)
      client.out.pop()
      await client.take(withShare(m2, IN_M2, point))
      assert.equal(client.failure, 'illegal_parameter')
      assert.isEmpty(client.out)
    }
  })

  it('in another spelling of the same point makes no session: transcripts differ', async () => {
    const twin =
      (to: 'server' | 'client', at: number): Wire =>
      (frame, direction, index) =>
        direction === to && index === 0
          ? [withShare(frame, at, withHighBit(frame.slice(at, at + 32)))]
          : [frame]
    for (const wire of [twin('server', IN_M1), twin('client', IN_M2)]) {
      const line = await Line.open(rig, wire)
      assert.isFalse(line.up)
      assert.notEqual(line.client.at, 'session')
      assert.notEqual(line.server.at, 'session')
    }
  })

  it('is new for each connection, at both ends', async () => {
    const [one, other] = [await rig.run(), await rig.run()]
    const share = (frame: Bytes | undefined, at: number) =>
      (frame ?? new Uint8Array()).slice(at, at + 32)
    assert.isFalse(equal(share(one.frames[0], IN_M1), share(other.frames[0], IN_M1)))
    assert.isFalse(equal(share(one.frames[1], IN_M2), share(other.frames[1], IN_M2)))
  })
})
