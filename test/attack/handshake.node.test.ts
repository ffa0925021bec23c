/** THREATS R4 to R10, R12, R13 at the handshake: whoever holds the wire, and plays with it. */
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { clearAlert } from '../../web/protocol/alerts.ts'
import { type Bytes, concat, EMPTY, equal, hex } from '../../web/protocol/bytes.ts'
import { EndpointKeyChanged } from '../../web/protocol/handshake_client.ts'
import { ClientEnd, honest, Line, ServerEnd, type Wire } from '../support/ends.ts'
import { otherServerKey, Rig, signer } from '../support/handshake_rig.ts'
import { full, seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

const rig = new Rig(nodePrimitives)
/** M1 to M4 by where they go: M1 and M3 are frames 0 and 1 to the server, the others back. */
const MESSAGES = [
  { name: 'M1', to: 'server', index: 0 },
  { name: 'M2', to: 'client', index: 0 },
  { name: 'M3', to: 'server', index: 1 },
  { name: 'M4', to: 'client', index: 1 },
] as const
type Message = (typeof MESSAGES)[number]

/** Replaces one message and leaves the others alone. */
function replace(message: Message, change: (frame: Bytes) => readonly Bytes[]): Wire {
  return (frame, to, index) =>
    to === message.to && index === message.index ? change(frame) : [frame]
}

function flipped(frame: Bytes, bit: number): Bytes {
  const changed = new Uint8Array(frame)
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return changed
}

/** Neither end takes data, and they do not both believe in a session. */
function refused(line: Line, what: string): void {
  assert.isFalse(line.up, `${what}: a session came up`)
  assert.notEqual(line.client.at, 'session', `${what}: the client believes in a session`)
  for (const end of [line.client, line.server]) {
    assert.notMatch(end.failure ?? '', /^threw/, what)
    assert.isEmpty(end.messages)
  }
}

async function ticketed() {
  const pin = await rig.pin()
  const { client } = await rig.run()
  return { pin, ticket: client.ticket }
}

describe('a handshake whose messages are changed on the way', () => {
  it('ends without a session for any flipped bit', () =>
    seeded(async (random) => {
      const lengths = (await rig.run()).frames.map((frame) => frame.length)
      for (const [number, message] of MESSAGES.entries()) {
        const bits = (lengths[number] ?? 0) * 8
        const tried = full
          ? Array.from({ length: bits }, (_, bit) => bit)
          : Array.from({ length: 60 }, () => random.below(bits))
        for (const bit of tried) {
          const wire = replace(message, (frame) => [flipped(frame, bit)])
          refused(await Line.open(rig, wire), `${message.name} bit ${bit}`)
        }
      }
    }))

  it('ends without a session, or without the ticket, for any flipped bit of a resumption', () =>
    seeded(async (random) => {
      const resumed = (await rig.resumed()).frames.map((frame) => frame.length)
      for (const [number, message] of MESSAGES.slice(0, 3).entries()) {
        const bits = (resumed[number] ?? 0) * 8
        const count = full ? bits : 60
        for (let i = 0; i < count; i++) {
          const bit = full ? i : random.below(bits)
          const wire = replace(message, (frame) => [flipped(frame, bit)])
          const line = await Line.open(rig, wire, await ticketed())
          // M3 is the last message: the client has finished and finds out by the alert.
          if (message.name === 'M3') assert.notEqual(line.server.at, 'session')
          else refused(line, `${message.name} bit ${bit}`)
        }
      }
    }))

  it('ends without a session when a message is cut at any byte', async () => {
    const lengths = (await rig.run()).frames.map((frame) => frame.length)
    const step = full ? 1 : 37
    for (const [number, message] of MESSAGES.entries()) {
      for (let end = 0; end < (lengths[number] ?? 0); end += end < 80 ? 1 : step) {
        const line = await Line.open(
          rig,
          replace(message, (frame) => [frame.slice(0, end)]),
        )
        refused(line, `${message.name} cut at ${end}`)
      }
    }
  })

  it('ends without a session when anything is put behind a message', async () => {
    for (const message of MESSAGES) {
      const wire = replace(message, (frame) => [concat(frame, Uint8Array.of(0))])
      refused(await Line.open(rig, wire), message.name)
    }
  })

  it('ends as cut when a message does not come at all', async () => {
    for (const message of MESSAGES) {
      const line = await Line.open(
        rig,
        replace(message, () => []),
      )
      assert.isFalse(line.up)
      assert.equal(line.client.endOfStream(), 'truncated', message.name)
    }
  })

  it('ends without a session when a message comes twice', async () => {
    for (const message of MESSAGES) {
      const line = await Line.open(
        rig,
        replace(message, (frame) => [frame, frame]),
      )
      assert.isFalse(line.up, message.name)
    }
  })
})

describe('messages of one connection put into another', () => {
  it('never make a session, whatever pair of connections and message', async () => {
    const recorded: Bytes[][] = []
    for (let i = 0; i < 3; i++) recorded.push([...(await rig.run()).frames])
    for (const [from, frames] of recorded.entries())
      for (const [number, message] of MESSAGES.entries()) {
        const foreign = frames[number] as Bytes
        const line = await Line.open(
          rig,
          replace(message, () => [foreign]),
        )
        refused(line, `${message.name} of recording ${from}`)
      }
  })

  it('never make a session when two live connections swap a message', async () => {
    for (const message of MESSAGES) {
      const held: Bytes[] = []
      const first = await Line.open(
        rig,
        replace(message, (frame) => {
          held.push(frame)
          return []
        }),
      )
      const second = await Line.open(
        rig,
        replace(message, () => held),
      )
      refused(second, message.name)
      assert.isFalse(first.up)
    }
  })

  it('are refused when M1 and M3 of a recording are played again', async () => {
    const times = full ? 100 : 20
    for (let i = 0; i < times; i++) {
      const [m1, , m3] = (await rig.run()).frames as [Bytes, Bytes, Bytes]
      const server = new ServerEnd(rig)
      await server.take(m1)
      await server.take(m3)
      assert.equal(server.at, 'dead')
      assert.equal(server.failure, 'handshake_failed')
    }
  })

  it('are refused when M1 and M3 of a resumption are played again', async () => {
    const [m1, , m3] = (await rig.resumed()).frames as [Bytes, Bytes, Bytes]
    const server = new ServerEnd(rig)
    await server.take(m1)
    await server.take(m3)
    assert.equal(server.failure, 'handshake_failed')
  })
})

describe('a client or an endpoint that hears itself', () => {
  it('refuses its own M1 as the answer', async () => {
    const client = await ClientEnd.start(rig)
    await client.take(client.out[0] as Bytes)
    assert.equal(client.at, 'dead')
    assert.lengthOf(client.out, 1)
  })

  it('refuses its own share come back in an answer', async () => {
    const { frames } = await rig.run()
    const client = await ClientEnd.start(rig)
    const m1 = client.out[0] as Bytes
    const m2 = new Uint8Array(frames[1] as Bytes)
    m2.set(m1.subarray(43, 75), 38)
    await client.take(m2)
    assert.equal(client.failure, 'illegal_parameter')
  })

  it('refuses its own records', async () => {
    for (const end of ['client', 'server'] as const) {
      const line = await Line.open(rig)
      await line[end].send(Uint8Array.of(1))
      const frame = line[end].out.shift() as Bytes
      await line[end].take(frame)
      assert.equal(line[end].failure, 'bad_record')
      assert.isEmpty(line[end].messages)
    }
  })
})

describe('a downgrade', () => {
  /** Bytes of M1 and M2 that choose something: version, suites, group, lengths, mode. */
  const CHOICES: readonly [Message, readonly number[]][] = [
    [MESSAGES[0], [0, 1, 2, 3, 4, 37, 38, 39, 40, 41, 42, 75, 76]],
    [MESSAGES[1], [0, 1, 2, 3, 36, 37, 70, 71, 72]],
  ]

  it('by any value of any byte that chooses something makes no session', async () => {
    const step = full ? 1 : 5
    for (const [message, places] of CHOICES)
      for (const place of places)
        for (let value = place % step; value < 256; value += step) {
          let same = false
          const wire = replace(message, (frame) => {
            same = frame[place] === value
            const changed = new Uint8Array(frame)
            changed[place] = value
            return [changed]
          })
          const line = await Line.open(rig, wire)
          if (!same) refused(line, `${message.name}[${place}] = ${value}`)
        }
  })

  it('by stripping the ticket is noticed, since M1 is in the transcript', async () => {
    const strip = replace(MESSAGES[0], (m1) => [concat(m1.slice(0, 75), new Uint8Array(2))])
    refused(await Line.open(rig, strip, await ticketed()), 'stripped ticket')
  })

  it('by claiming a resumption that was not offered is refused', async () => {
    const wire = replace(MESSAGES[1], (m2) => {
      const changed = new Uint8Array(m2)
      changed[70] = 1
      return [changed]
    })
    const line = await Line.open(rig, wire)
    assert.equal(line.client.failure, 'illegal_parameter')
  })

  it('by a forged clear alert ends the try and changes nothing of the next one', async () => {
    const codes = ['protocol_version', 'busy', 'handshake_failed', 'decode_error', 'no_such_host']
    for (const code of codes) {
      const alert = clearAlert(code as 'busy')
      const line = await Line.open(
        rig,
        replace(MESSAGES[1], () => [alert]),
      )
      assert.equal(line.client.failure, code)
      assert.isEmpty(line.client.out)
      const next = await ClientEnd.start(rig)
      assert.equal(hex((next.out[0] as Bytes).slice(0, 5)), '0001020001')
    }
  })

  it('by an alert that may only come sealed, or that nobody knows, is a decode error', async () => {
    for (const code of [5, 6, 7, 11, 12, 255]) {
      const client = await ClientEnd.start(rig)
      await client.take(Uint8Array.of(0x15, code))
      assert.equal(client.failure, 'decode_error')
    }
  })
})

describe('another key in the place of the endpoint’s', () => {
  const impostor = new Rig(nodePrimitives, { server: { key: otherServerKey } })

  it('stops a client that has a pin: it has sent M1 and sends nothing more', async () => {
    const client = await ClientEnd.start(rig, { pin: await rig.pin() })
    const server = new ServerEnd(impostor)
    const m1 = client.out.shift() as Bytes
    await server.take(m1)
    await client.take(server.out.shift() as Bytes)
    assert.equal(client.failure, 'endpoint_key_changed')
    assert.isEmpty(client.out)
  })

  it('is named to the person by the fingerprint that was seen', async () => {
    try {
      const started = new Rig(nodePrimitives, { client: { pin: await rig.pin() } })
      Object.assign(started.server, { key: otherServerKey })
      await started.run()
      assert.fail('the impostor was taken')
    } catch (error) {
      assert.instanceOf(error, EndpointKeyChanged)
      const seen = (error as EndpointKeyChanged).seen
      assert.isTrue(equal(seen, await impostor.pin()))
    }
  })

  it('is told to a client without a pin, after it proved itself, so that it is marked', async () => {
    const line = await Line.open(impostor, honest)
    assert.isTrue(line.up)
    assert.isTrue(equal(line.client.established?.endpointKey ?? EMPTY, await impostor.pin()))
  })

  it('does nobody good who only copies the public key', async () => {
    const copied = { spki: rig.server.key.spki, decrypt: otherServerKey.decrypt }
    const thief = new Rig(nodePrimitives, { server: { key: copied } })
    const line = await Line.open(thief, honest, { pin: await rig.pin() })
    refused(line, 'copied public key')
    assert.equal(line.server.failure, 'handshake_failed')
  })

  it('leaves a ticket unused, since it is bound to the key of its endpoint', async () => {
    const { ticket } = await ticketed()
    const client = await ClientEnd.start(rig, { ticket, pin: await impostor.pin() })
    assert.lengthOf(client.out[0] as Bytes, 77)
    const unpinned = await ClientEnd.start(rig, { ticket, pin: undefined })
    assert.lengthOf(unpinned.out[0] as Bytes, 77)
  })
})

describe('somebody else’s key or name', () => {
  it('does not pass for the client’s: the signature must fit the key that is sent', async () => {
    const liar = { spki: signer('client').spki, sign: signer('other').sign }
    const line = await Line.open(rig, honest, { identity: liar })
    assert.equal(line.server.failure, 'handshake_failed')
    assert.equal(line.client.failure, 'handshake_failed')
  })

  it('is refused with one answer whether key, signature, name or directory was wrong', async () => {
    const strict = new Rig(nodePrimitives, { server: { admit: async () => 'refused' } })
    const short = { ...signer('short') }
    const cut = { ...signer('client'), sign: async () => new Uint8Array(384) }
    const foreign = { spki: signer('client').spki.slice(0, 300), sign: signer('client').sign }
    const lines = [
      await Line.open(strict),
      await Line.open(strict, honest, { identity: short }),
      await Line.open(rig, honest, { identity: cut }),
      await Line.open(rig, honest, { identity: foreign }),
      await Line.open(rig, honest, {
        identity: { ...signer('other'), spki: signer('client').spki },
      }),
    ]
    for (const line of lines) {
      assert.equal(line.server.failure, 'handshake_failed')
      assert.equal(line.client.failure, 'handshake_failed')
    }
  })
})
