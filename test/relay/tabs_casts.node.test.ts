import type { Socket } from 'node:net'
import { LIMITS as DEFAULTS, type Limits } from '../../relay/limits.ts'
import {
  CLOSE_CODES,
  decodeClose,
  encodeClose,
  encodeTopic,
  TRUNK,
} from '../../web/protocol/envelope.ts'
import { rawWebSocket, Stand, type TabSocket } from '../support/relay_stand.ts'
import { assert, describe, it } from '../support/suite.ts'

const MEGABYTE = 2 ** 20
const LIMITS = { tabBuffer: MEGABYTE, silence: 600 }
const LENGTH = 32_768
/** Casts until the test has heard of an end. */
const SLACK = 8 * LENGTH

async function at(limits: Partial<Limits>, work: (stand: Stand) => Promise<void>): Promise<void> {
  const stand = await Stand.start({ limits: { ...LIMITS, ...limits } })
  try {
    await work(stand)
  } finally {
    await stand.stop()
  }
}

/** A cast that says which one it is. */
function numbered(n: number, length = LENGTH): Uint8Array {
  const frame = new Uint8Array(length)
  new DataView(frame.buffer).setUint32(0, n)
  return frame
}

async function number(tab: TabSocket): Promise<number> {
  const frame = await tab.next()
  return new DataView(frame.buffer).getUint32(0)
}

/** A member of topic `topic` that answers. */
async function reader(stand: Stand, topic = 1): Promise<{ tab: TabSocket; id: number }> {
  const { tab, id } = await stand.tab()
  stand.endpoint.send(TRUNK.subscribe, id, encodeTopic(topic))
  return { tab, id }
}

/** A member that reads nothing. */
async function deaf(stand: Stand, topic = 1): Promise<{ socket: Socket; id: number }> {
  const socket = await rawWebSocket(stand.relay.port)
  socket.pause()
  const id = await stand.endpoint.opened()
  stand.endpoint.send(TRUNK.subscribe, id, encodeTopic(topic))
  return { socket, id }
}

/** Casts, each read by `tab`, until the next connection ends: who it is, and the bytes it took. */
async function untilEnd(
  stand: Stand,
  tab: TabSocket,
  each: () => void = () => undefined,
): Promise<{ id: number; code: number; bytes: number }> {
  let gone = false
  const closed = stand.endpoint.next(TRUNK.close).finally(() => {
    gone = true
  })
  let casts = 0
  for (; !gone; casts++) {
    stand.endpoint.send(TRUNK.cast, 1, numbered(casts))
    assert.equal(await number(tab), casts)
    each()
    assert.isBelow(casts, 1_000)
  }
  const { id, body } = await closed
  return { id, code: decodeClose(body).code, bytes: casts * LENGTH }
}

/** When this is over, the relay has done all that it was told before. */
async function settled(stand: Stand, { tab, id }: { tab: TabSocket; id: number }): Promise<void> {
  stand.endpoint.send(TRUNK.data, id, numbered(0xffff_ffff, 4))
  assert.equal(await number(tab), 0xffff_ffff)
}

/** A masked pong, the mask being zero. */
function pong(...payload: readonly number[]): Uint8Array {
  return Uint8Array.of(0x8a, 0x80 | payload.length, 0, 0, 0, 0, ...payload)
}

function assertBound(
  { bytes, code }: { bytes: number; code: number },
  window = DEFAULTS.tabWindow,
): void {
  assert.equal(code, CLOSE_CODES.too_slow.code)
  assert.isAbove(bytes, window + LIMITS.tabBuffer)
  assert.isBelow(bytes, window + LIMITS.tabBuffer + SLACK)
}

describe('casts to a tab that does not read', () => {
  it('wait in the relay before the kernel’s buffers are full, and only up to the bound', () =>
    // What has waited for one leaves room for the next: there is room for two.
    at({ allTabsBuffer: 16 * MEGABYTE }, async (stand) => {
      const { tab } = await reader(stand)
      for (let round = 0; round < 4; round++) {
        const { socket, id } = await deaf(stand)
        const end = await untilEnd(stand, tab)
        assert.equal(end.id, id)
        assertBound(end)
        socket.destroy()
      }
      assert.equal(stand.relay.connections, 1)
    }))

  it('wait once for all of them', () =>
    at({ allTabsBuffer: 16 * MEGABYTE }, async (stand) => {
      const all = await Promise.all(Array.from({ length: 100 }, () => deaf(stand)))
      const { tab } = await reader(stand)
      assertBound(await untilEnd(stand, tab))
      for (let ended = 1; ended < all.length; ended++) await stand.endpoint.next(TRUNK.close)
      assert.equal(stand.relay.connections, 1)
      for (const { socket } of all) socket.destroy()
    }))

  it('wait for many rooms only as long as there is room for all; those with most go first', () =>
    // An eighth of it, 2 MiB, is for what waits.
    at({ allTabsBuffer: 16 * MEGABYTE }, async (stand) => {
      const witness = await reader(stand, 9)
      const all: { socket: Socket; id: number }[] = []
      for (const topic of [1, 2, 3, 4, 5]) all.push(await deaf(stand, topic))
      const cast = (topic: number, bytes: number): void => {
        for (let left = bytes; left > 0; left -= LENGTH)
          stand.endpoint.send(TRUNK.cast, topic, numbered(0))
      }
      for (const topic of [1, 2, 3, 4, 5]) cast(topic, DEFAULTS.tabWindow + LENGTH)
      cast(3, 0.9 * MEGABYTE)
      for (const topic of [1, 2, 4, 5]) cast(topic, 0.4 * MEGABYTE)
      await settled(stand, witness)
      const ended: number[] = []
      while (ended.length + stand.relay.connections < 6)
        ended.push((await stand.endpoint.next(TRUNK.close)).id)
      assert.equal(ended[0], all[2]?.id)
      assert.equal(ended.length, 2) // then less than half of the room is taken
      for (const { socket } of all) socket.destroy()
    }))

  it('end it also when it says that it read: nobody knows what a ping says without reading', () =>
    at({}, async (stand) => {
      const { socket, id } = await deaf(stand)
      const { tab } = await reader(stand)
      const end = await untilEnd(stand, tab, () => {
        for (const lie of [pong(), pong(0, 0, 0, 0), pong(0, 0, 0, 1)]) socket.write(lie)
      })
      assert.equal(end.id, id)
      assertBound(end)
    }))

  it('wait later when it has read much before, and up to the same bound', () =>
    at({}, async (stand) => {
      const { tab } = await reader(stand)
      const once = await reader(stand)
      for (let n = 0; n < 128; n++) {
        stand.endpoint.send(TRUNK.cast, 1, numbered(n))
        assert.equal(await number(tab), n)
        assert.equal(await number(once.tab), n)
      }
      once.tab.socket.pause()
      const end = await untilEnd(stand, tab)
      assert.equal(end.id, once.id)
      assertBound(end, DEFAULTS.tabWindowMost)
    }))

  it('of other rooms do not count', () =>
    at({}, async (stand) => {
      const { socket } = await deaf(stand, 2)
      const { tab } = await reader(stand)
      for (let n = 0; n < 320; n++) {
        if (n % 64 === 0) stand.endpoint.send(TRUNK.cast, 2, numbered(n))
        stand.endpoint.send(TRUNK.cast, 1, numbered(n))
        assert.equal(await number(tab), n)
      }
      assert.equal(stand.relay.connections, 2)
      socket.destroy()
    }))
})

describe('casts to a tab that answers', () => {
  it('never end it, whatever it is given', () =>
    at({}, async (stand) => {
      const { tab } = await reader(stand)
      for (let n = 0; n < 640; n++) {
        stand.endpoint.send(TRUNK.cast, 1, numbered(n))
        assert.equal(await number(tab), n)
      }
      assert.equal(stand.relay.connections, 1)
    }))

  it('go on when others of its room have gone, a few or a thousand', () =>
    at({}, async (stand) => {
      const witness = await reader(stand)
      const { tab } = witness
      const together = 50
      for (let gone = 0; gone <= 1_000; gone += together) {
        const all = await Promise.all(Array.from({ length: together }, () => deaf(stand)))
        await settled(stand, witness)
        for (const { socket } of all) socket.destroy()
        for (let n = 0; n < together; n++) await stand.endpoint.next(TRUNK.close)
        for (let n = 0; n < 8; n++) {
          stand.endpoint.send(TRUNK.cast, 1, numbered(n))
          assert.equal(await number(tab), n)
        }
      }
      assert.equal(stand.relay.connections, 1)
    }))

  it('late come in order and once, of the rooms that it was in, between what is for it alone', () =>
    // What has been sent makes room: there is room for four times.
    at({ allTabsBuffer: 16 * MEGABYTE }, async (stand) => {
      const { endpoint } = stand
      const witness = await reader(stand)
      const late = await reader(stand)
      for (let round = 0; round < 8; round++) {
        late.tab.socket.pause()
        const expected: number[] = []
        const cast = (topic: number, n: number, comes: boolean): void => {
          endpoint.send(TRUNK.cast, topic, numbered(n))
          if (comes) expected.push(n)
        }
        const alone = (n: number): void => {
          endpoint.send(TRUNK.data, late.id, numbered(n, 4))
          expected.push(n)
        }
        for (let n = 0; n < 24; n++) {
          cast(1, n, true)
          if (n % 8 === 7) alone(1_000 + n)
        }
        cast(2, 50, false)
        endpoint.send(TRUNK.subscribe, late.id, encodeTopic(2))
        cast(2, 51, true)
        endpoint.send(TRUNK.unsubscribe, late.id, encodeTopic(1))
        cast(1, 52, false)
        alone(1_052)
        cast(2, 53, true)
        for (let n = 0; n < 25; n++) await witness.tab.next()
        await settled(stand, witness)
        assert.equal(stand.relay.connections, 2)
        late.tab.socket.resume()
        for (const n of expected) assert.equal(await number(late.tab), n)
        cast(1, 60, false)
        cast(2, 61, true)
        assert.equal(await number(late.tab), 61)
        endpoint.send(TRUNK.unsubscribe, late.id, encodeTopic(2))
        endpoint.send(TRUNK.subscribe, late.id, encodeTopic(1))
        assert.equal(await number(witness.tab), 60)
      }
      assert.equal(stand.relay.connections, 2)
    }))

  it('late come before the endpoint’s goodbye', () =>
    at({}, async (stand) => {
      const { endpoint } = stand
      const { tab, id } = await reader(stand)
      tab.socket.pause()
      for (let n = 0; n < 20; n++) endpoint.send(TRUNK.cast, 1, numbered(n))
      endpoint.send(TRUNK.data, id, numbered(1_000, 4))
      endpoint.send(TRUNK.close, id, encodeClose(4020, 'over'))
      tab.socket.resume()
      for (let n = 0; n < 20; n++) assert.equal(await number(tab), n)
      assert.equal(await number(tab), 1_000)
      assert.deepEqual(await tab.closed, { code: 4020, text: 'over' })
    }))
})
