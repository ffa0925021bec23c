/**
 * THREATS R15: every order of frames, at both roles. Twelve kinds of frames, each as genuine as it
 * can be at that moment: made by an honest partner where one could make it, recorded elsewhere.
 * One path is accepted, everything else ends the connection before anything is believed.
 */
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { clearAlert } from '../../web/protocol/alerts.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { makeTicket, type Ticket } from '../../web/protocol/tickets.ts'
import { ClientEnd, Line, ServerEnd } from '../support/ends.ts'
import { Rig } from '../support/handshake_rig.ts'
import { full, type Random, seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

const KINDS = [
  'M1',
  'M1 ticket',
  'M2',
  'M2 resumed',
  'M3',
  'M3 resumed',
  'M4',
  'clear alert',
  'app',
  'key update',
  'close',
  'empty',
] as const
type Kind = (typeof KINDS)[number]

const rig = new Rig(nodePrimitives)
/** An endpoint that knows no tickets, with the same key. */
const forgetful = new Rig(nodePrimitives)

/** Genuine frames of connections that are over. */
async function record(): Promise<Record<Kind, Bytes>> {
  const first = await rig.run()
  const second = await rig.run({ pin: await rig.pin(), ticket: first.client.ticket })
  const sessions = rig.sessions(await rig.run())
  await sessions.client.send(Uint8Array.of(1))
  await sessions.client.updateKey()
  await sessions.client.close('done')
  const frames = (list: readonly Bytes[], index: number) => list[index] ?? new Uint8Array()
  return {
    M1: frames(first.frames, 0),
    'M1 ticket': frames(second.frames, 0),
    M2: frames(first.frames, 1),
    'M2 resumed': frames(second.frames, 1),
    M3: frames(first.frames, 2),
    'M3 resumed': frames(second.frames, 2),
    M4: frames(first.frames, 3),
    'clear alert': clearAlert('busy'),
    app: frames(sessions.wire.toServer, 0),
    'key update': frames(sessions.wire.toServer, 1),
    close: frames(sessions.wire.toServer, 2),
    empty: new Uint8Array(),
  }
}
const recorded = await record()
const pin = await rig.pin()

const first = (await rig.run()).client.ticket

/** An unused ticket, as a full handshake leaves it with both ends, without that handshake's RSA. */
async function freshTicket(): Promise<Ticket> {
  const psk = await nodePrimitives.hmacKey(nodePrimitives.random(32))
  const ticket = await makeTicket(nodePrimitives, psk, first, 'member', rig.time, rig.time)
  rig.tickets.put(ticket, rig.time)
  return ticket
}

/** A record of this kind by an honest partner that holds a session. */
async function recordBy(partner: ClientEnd | ServerEnd, kind: Kind): Promise<Bytes | undefined> {
  const { session } = partner
  if (session?.open !== true) return undefined
  if (kind === 'app') await session.send(Uint8Array.of(7))
  else if (kind === 'key update') await session.updateKey()
  else if (kind === 'close') await session.close('done')
  else return undefined
  return partner.out.pop()
}

interface Outcome {
  readonly at: string
  readonly messages: number
  readonly failure: string | undefined
}

/** Plays a sequence to an endpoint, beside an honest client. */
async function playToServer(sequence: readonly Kind[]): Promise<Outcome> {
  const server = new ServerEnd(rig)
  let partner: ClientEnd | undefined
  for (const kind of sequence) {
    let frame: Bytes | undefined
    if (kind === 'M1' || kind === 'M1 ticket') {
      const ticket = kind === 'M1' ? undefined : await freshTicket()
      partner = await ClientEnd.start(rig, { ticket, pin })
      frame = partner.out.shift()
    } else if (kind === 'M3' || kind === 'M3 resumed') {
      const mode = partner?.session ? 'M3 resumed' : 'M3'
      if (mode === kind) frame = partner?.out.shift()
    } else if (partner) frame = await recordBy(partner, kind)
    await server.take(frame ?? recorded[kind])
    for (let answer = server.out.shift(); answer; answer = server.out.shift())
      await partner?.take(answer)
  }
  return { at: server.at, messages: server.messages.length, failure: server.failure }
}

/** Plays a sequence to a client that offered a ticket, beside an honest endpoint. */
async function playToClient(sequence: readonly Kind[]): Promise<Outcome> {
  const client = await ClientEnd.start(rig, { ticket: await freshTicket(), pin })
  const m1 = client.out.shift() as Bytes
  let partner: ServerEnd | undefined
  for (const kind of sequence) {
    let frame: Bytes | undefined
    if (kind === 'M2' || kind === 'M2 resumed') {
      partner = new ServerEnd(kind === 'M2' ? forgetful : rig)
      await partner.take(m1)
      frame = partner.out.shift()
    } else if (kind === 'M4') {
      const m3 = client.out.shift()
      if (m3) await partner?.take(m3)
      frame = partner?.out.shift()
    } else if (partner) frame = await recordBy(partner, kind)
    await client.take(frame ?? recorded[kind])
    const m3 = client.session && client.out.shift()
    if (m3) await partner?.take(m3)
  }
  return { at: client.at, messages: client.messages.length, failure: client.failure }
}

/** What the specification says of a sequence: how far it gets, how many messages are believed. */
function expected(sequence: readonly Kind[], paths: readonly (readonly Kind[])[]): Outcome {
  const path = paths.find((steps) => steps.every((kind, i) => sequence[i] === kind))
  const dead = { at: 'dead', messages: 0, failure: undefined }
  if (path === undefined) {
    const partial = paths.some((steps) => sequence.every((kind, i) => steps[i] === kind))
    return partial ? { ...dead, at: 'handshake' } : dead
  }
  let messages = 0
  let updated = false
  for (const kind of sequence.slice(path.length)) {
    if (kind === 'app') messages += 1
    else if (kind === 'key update' && !updated) updated = true
    else return { ...dead, messages }
  }
  return { ...dead, at: 'session', messages }
}

const SERVER_PATHS: readonly (readonly Kind[])[] = [
  ['M1', 'M3'],
  ['M1 ticket', 'M3 resumed'],
]
const CLIENT_PATHS: readonly (readonly Kind[])[] = [['M2', 'M4'], ['M2 resumed']]

function check(sequence: readonly Kind[], got: Outcome, want: Outcome): void {
  const at = ['dead', 'session'].includes(got.at) ? got.at : 'handshake'
  const what = sequence.join(', ')
  assert.equal(at, want.at, what)
  assert.equal(got.messages, want.messages, what)
  assert.notMatch(got.failure ?? '', /^threw/, what)
}

/** Every sequence of exactly this length. */
function* sequences(length: number): Generator<readonly Kind[]> {
  if (length === 0) yield []
  else for (const head of sequences(length - 1)) for (const kind of KINDS) yield [...head, kind]
}

/** Those of five frames that begin well, or a few steps off it. */
function long(random: Random, paths: readonly (readonly Kind[])[]): readonly Kind[] {
  const rest = Array.from({ length: 5 }, () =>
    random.below(3) > 0 ? random.pick(['app', 'key update', 'close'] as const) : random.pick(KINDS),
  )
  return [...random.pick(paths), ...rest].slice(0, 5)
}

describe('frames in any order', () => {
  const roles = [
    { name: 'an endpoint', play: playToServer, paths: SERVER_PATHS },
    { name: 'a client', play: playToClient, paths: CLIENT_PATHS },
  ]
  for (const { name, play, paths } of roles) {
    it(`of up to ${full ? 5 : 3}: ${name} accepts one path only`, async () => {
      for (let length = 1; length <= (full ? 5 : 3); length++)
        for (const sequence of sequences(length))
          check(sequence, await play(sequence), expected(sequence, paths))
    })

    it(`that begin well and go on anyhow: ${name} believes what is in order only`, () =>
      seeded(async (random) => {
        for (let i = 0; i < 150; i++) {
          const sequence = long(random, paths)
          check(sequence, await play(sequence), expected(sequence, paths))
        }
      }))
  }

  it('leave a pair that was left alone with one session and one transcript', async () => {
    const line = await Line.open(rig)
    assert.isTrue(line.up)
    assert.deepEqual(line.client.established?.transcript, line.server.established?.transcript)
  })
})
