/** THREATS R1 to R6, R8, R16, R18 on records: what a relay can do to a session that is up. */
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { type Bytes, concat, EMPTY, u24, u32 } from '../../web/protocol/bytes.ts'
import { RecordSealer } from '../../web/protocol/record.ts'
import { Line } from '../support/ends.ts'
import { Rig } from '../support/handshake_rig.ts'
import { NonceLog, recordNonces } from '../support/nonce_recorder.ts'
import { full, seeded } from '../support/random.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

const log = new NonceLog()
const rig = new Rig(recordNonces(nodePrimitives, log))
/** One handshake for all: a session is made anew from its end each time. */
const ends = await rig.run()
const DIRECTIONS = ['toServer', 'toClient'] as const
type Direction = (typeof DIRECTIONS)[number]
const RECORDS = full ? 200 : 40

/** `count` records of one session in one direction, numbered inside. Sealed once, for all tests. */
async function recordOf(direction: Direction, count: number, from = ends): Promise<Bytes[]> {
  const { wire, client, server } = rig.sessions(from)
  const sender = direction === 'toServer' ? client : server
  for (let i = 0; i < count; i++) await sender.send(u32(i))
  return wire[direction]
}
const sent = {
  toServer: await recordOf('toServer', RECORDS),
  toClient: await recordOf('toClient', RECORDS),
}

/** Plays frames to a fresh end of the same session: what it believed, and how it ended. */
async function play(direction: Direction, frames: readonly Bytes[]) {
  // Its alert goes under a key whose nonces the recorder has seen: this end seals unrecorded.
  const plain = Object.assign(Object.create(rig), { primitives: nodePrimitives }) as Rig
  const { client, server, wire } = plain.sessions(ends)
  const receiver = direction === 'toServer' ? server : client
  const believed: number[] = []
  let failure: string | undefined
  for (const frame of frames) {
    try {
      const received = await receiver.receive(frame)
      if (received.kind === 'message')
        believed.push(new DataView(received.message.buffer).getUint32(0))
    } catch (error) {
      failure ??= (error as { code?: string }).code ?? `threw ${error}`
    }
  }
  const alerts = wire[direction === 'toServer' ? 'toClient' : 'toServer'].length
  return { believed, failure, alerts, end: receiver.streamEnded()?.code }
}

const upTo = (k: number) => Array.from({ length: k }, (_, i) => i)

describe('a relay that tampers with the records of a session', () => {
  for (const direction of DIRECTIONS) {
    const frames = sent[direction]

    it(`${direction}: drops any one, and the session ends at the next`, async () => {
      for (let k = 0; k < RECORDS - 1; k++) {
        const got = await play(direction, frames.toSpliced(k, 1))
        assert.deepEqual(got, {
          believed: upTo(k),
          failure: 'bad_record',
          alerts: 1,
          end: undefined,
        })
      }
    })

    it(`${direction}: drops the last ones, and the end is told from a goodbye`, async () => {
      const got = await play(direction, frames.slice(0, -1))
      assert.deepEqual(got.believed, upTo(RECORDS - 1))
      assert.equal(got.end, 'truncated')
    })

    it(`${direction}: repeats any one, and nothing is shown twice`, async () => {
      for (let k = 0; k < RECORDS; k++) {
        const again = frames.toSpliced(k, 0, frames[k] as Bytes)
        const got = await play(direction, again)
        assert.deepEqual(got.believed, upTo(k + 1))
        assert.equal(got.failure, 'bad_record')
      }
    })

    it(`${direction}: swaps neighbours, or delays one behind ten`, async () => {
      for (let k = 0; k < RECORDS - 1; k++) {
        for (const late of [k + 1, k + 10]) {
          if (late >= RECORDS) continue
          const order = frames.toSpliced(k, 1).toSpliced(late, 0, frames[k] as Bytes)
          const got = await play(direction, order)
          assert.deepEqual(got.believed, upTo(k))
          assert.equal(got.failure, 'bad_record')
        }
      }
    })

    it(`${direction}: cuts one at any byte, or lengthens it`, async () => {
      const count = full ? 20 : 2
      for (let k = 0; k < count; k++) {
        const frame = frames[k] as Bytes
        for (let end = 0; end < frame.length; end++) {
          const got = await play(direction, [...frames.slice(0, k), frame.slice(0, end)])
          assert.deepEqual(got.believed, upTo(k))
          assert.equal(got.failure, 'bad_record')
        }
        // Also with a header that fits what is left of it.
        const short = concat(frame.slice(0, 1), u24(256), frame.slice(4, 260))
        assert.equal((await play(direction, [short])).failure, 'bad_record')
        const long = concat(frame, Uint8Array.of(0))
        assert.equal((await play(direction, [...frames.slice(0, k), long])).failure, 'bad_record')
      }
    })

    it(`${direction}: flips bits, and nothing of the record is believed`, () =>
      seeded(async (random) => {
        for (let i = 0; i < (full ? 20_000 : 1000); i++) {
          const k = random.below(40)
          const frame = new Uint8Array(frames[k] as Bytes)
          const bit = random.below(frame.length * 8)
          frame[bit >> 3] = (frame[bit >> 3] ?? 0) ^ (1 << (bit & 7))
          const got = await play(direction, [...frames.slice(0, k), frame])
          assert.deepEqual(got.believed, upTo(k))
          assert.equal(got.failure, 'bad_record')
        }
      }))
  }

  it('puts records of other sessions and directions in their place', async () => {
    const others: Bytes[] = []
    for (const other of [await rig.run(), await rig.run()])
      for (const way of DIRECTIONS) others.push(...(await recordOf(way, 1, other)))
    for (const direction of DIRECTIONS) {
      const back = direction === 'toServer' ? 'toClient' : 'toServer'
      for (const frame of [sent[back][0] as Bytes, ...others]) {
        const got = await play(direction, [frame])
        assert.deepEqual(got.believed, [])
        assert.equal(got.failure, 'bad_record')
      }
    }
  })

  it('plays a whole session again after it is over, to a new one of the same person', async () => {
    const line = await Line.open(rig)
    for (const frame of sent.toServer) await line.server.take(frame)
    assert.isEmpty(line.server.messages)
    assert.equal(line.server.failure, 'bad_record')
  })
})

describe('a peer that floods', () => {
  /** A session's server, and a client that keeps no rule but the cryptography. */
  async function flooded() {
    const fresh = await rig.run()
    const { server } = rig.sessions(fresh)
    return { server, sealer: new RecordSealer(nodePrimitives, fresh.client.keys.client) }
  }

  it('with key updates is cut off at the second', async () => {
    const { server, sealer } = await flooded()
    const update = async () => {
      const frame = await sealer.seal({ content: 'keyUpdate', payload: EMPTY })
      sealer.update()
      return server.receive(frame)
    }
    await update()
    await fails('limit', update)
    await fails('closed', update)
  })

  it('with key updates may do it every ten seconds, or every thousand records', async () => {
    const { server, sealer } = await flooded()
    const update = async () => {
      const frame = await sealer.seal({ content: 'keyUpdate', payload: EMPTY })
      sealer.update()
      return server.receive(frame)
    }
    await update()
    rig.time += 10_000
    await update()
    for (let i = 0; i < 999; i++) {
      const payload = Uint8Array.of(0, 1)
      await server.receive(await sealer.seal({ content: 'app', payload }))
    }
    await update()
    await fails('limit', update)
  })

  it('with pings is cut off after sixteen at once', async () => {
    const { server, sealer } = await flooded()
    const ping = async () => server.receive(await sealer.seal({ content: 'ping', payload: EMPTY }))
    for (let i = 0; i < 16; i++) await ping()
    await fails('limit', ping)
  })

  it('with records that hold nothing is cut off at the first', async () => {
    const { server, sealer } = await flooded()
    const empty = await sealer.seal({ content: 'app', payload: EMPTY })
    await fails('decode_error', () => server.receive(empty))
  })

  it('with the first part of a message without end holds no more than one message', async () => {
    const { server, sealer } = await flooded()
    const payload = new Uint8Array(65_534).fill(1)
    await fails('limit', async () => {
      for (let i = 0; i < 100; i++)
        await server.receive(await sealer.seal({ content: 'app', payload }))
    })
  })
})

describe('a nonce', () => {
  it('is never used twice under one key, in all that was sealed here', async () => {
    await Line.open(rig)
    const { client } = rig.sessions(await rig.resumed())
    await Promise.all([client.send(new Uint8Array(200_000)), client.ping(), client.updateKey()])
    await client.send(u32(1))
    assert.isUndefined(log.reused)
    assert.isAbove(log.count, 2 * RECORDS)
  })

  it('used twice would be noticed by the recorder', async () => {
    const own = new NonceLog()
    const aead = await recordNonces(nodePrimitives, own).aead(new Uint8Array(32))
    const nonce = new Uint8Array(12)
    await aead.seal(nonce, EMPTY, EMPTY)
    assert.throws(() => aead.seal(nonce, EMPTY, EMPTY), /used twice/)
  })
})
