/**
 * Family 13: what must be refused, in which state, and with which answer. The honest messages are
 * those of `handshake_full.json`, so each case is its state and one frame.
 */
import { nodePrimitives as p } from '../../relay/node_primitives.ts'
import { clearAlertFor } from '../../web/protocol/alerts.ts'
import { type Bytes, concat, EMPTY, fromHex, hex, lp16, u8 } from '../../web/protocol/bytes.ts'
import { startHandshake } from '../../web/protocol/handshake_client.ts'
import { encodeHello } from '../../web/protocol/handshake_messages.ts'
import { acceptHandshake } from '../../web/protocol/handshake_server.ts'
import { aeadOf, nonceOf } from '../../web/protocol/key_schedule.ts'
import { RecordOpener, RecordSealer } from '../../web/protocol/record.ts'
import { clientOptions, fill, inputs, serverOptions } from './make.ts'

interface Negative {
  readonly name: string
  readonly state:
    | 'endpoint awaits M1'
    | 'client awaits M2'
    | 'endpoint awaits M3'
    | 'client awaits M4'
  readonly frame: string
  /** The code of the error at the side that refuses. */
  readonly error: string
  /** The clear alert that it sends; a client sends none. */
  readonly alert: string | null
}

function changed(frame: Bytes, at: number, ...bytes: number[]): Bytes {
  const copy = new Uint8Array(frame)
  copy.set(bytes, at < 0 ? frame.length + at : at)
  return copy
}

async function codeOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work()
  } catch (error) {
    return error
  }
  throw new Error('a negative vector was accepted')
}

function negative(name: string, state: Negative['state'], frame: Bytes, error: unknown): Negative {
  const alert = state.startsWith('endpoint') ? hex(clearAlertFor(error)) : null
  return { name, state, frame: hex(frame), error: (error as { code: string }).code, alert }
}

const SMALL = {
  zero: '00'.repeat(32),
  one: `01${'00'.repeat(31)}`,
  'order 8': 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  'order 8, the other': '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'p - 1': `ec${'ff'.repeat(30)}7f`,
  p: `ed${'ff'.repeat(30)}7f`,
  'p + 1': `ee${'ff'.repeat(30)}7f`,
  'zero with the high bit': `${'00'.repeat(31)}80`,
}

function badM1s(m1: Bytes): [string, Bytes][] {
  const hello = {
    suites: [1],
    random: fill(1, 32),
    shares: [{ group: 0x1d, share: fill(2, 32) }],
    ticketId: EMPTY,
    binder: EMPTY,
  }
  const [share] = hello.shares as [(typeof hello.shares)[number]]
  return [
    ['nothing', EMPTY],
    ['version 0', changed(m1, 0, 0, 0)],
    ['version 2', changed(m1, 0, 0, 2)],
    ['cut by one byte', m1.slice(0, -1)],
    ['one byte more', concat(m1, u8(0))],
    ['a suite list of one byte', concat(m1.slice(0, 2), u8(1), m1.slice(4))],
    ['no suites', encodeHello({ ...hello, suites: [] })],
    ['an unknown suite only', encodeHello({ ...hello, suites: [2] })],
    ['no shares', encodeHello({ ...hello, shares: [] })],
    ['an unknown group only', encodeHello({ ...hello, shares: [{ ...share, group: 0x17 }] })],
    ['one group twice', encodeHello({ ...hello, shares: [share, share] })],
    [
      'a share of 31 bytes',
      encodeHello({ ...hello, shares: [{ group: 0x1d, share: fill(2, 31) }] }),
    ],
    ['a ticket without a binder', encodeHello({ ...hello, ticketId: fill(1, 16) })],
    ['a binder without a ticket', encodeHello({ ...hello, binder: fill(1, 32) })],
    [
      'longer than 4 KiB',
      encodeHello({ ...hello, shares: [share, { group: 9, share: fill(1, 4096) }] }),
    ],
    ...Object.entries(SMALL).map(([name, point]): [string, Bytes] => [
      `a share of small order: ${name}`,
      encodeHello({ ...hello, shares: [{ group: 0x1d, share: fromHex(point) }] }),
    ]),
  ]
}

function badM2s(m1: Bytes, m2: Bytes): [string, Bytes][] {
  return [
    ['nothing', EMPTY],
    ['another suite', changed(m2, 0, 0, 2)],
    ['another group', changed(m2, 2, 0, 0x17)],
    ['mode 1 though no ticket was offered', changed(m2, 70, 1)],
    ['mode 2', changed(m2, 70, 2)],
    ['the client’s own share', changed(m2, 38, ...m1.slice(43, 75))],
    ...Object.entries(SMALL).map(([name, point]): [string, Bytes] => [
      `a share of small order: ${name}`,
      changed(m2, 38, ...fromHex(point)),
    ]),
    ['the same point with its high bit set', changed(m2, 69, (m2[69] ?? 0) | 0x80)],
    ['another random', changed(m2, 4, (m2[4] ?? 0) ^ 1)],
    ['a changed tag', changed(m2, -1, (m2.at(-1) ?? 0) ^ 1)],
    ['one byte more', concat(m2, u8(0))],
    ['cut by one byte', m2.slice(0, -1)],
    ['a clear alert: busy', fromHex('1501')],
    ['a clear alert with a sealed code', fromHex('1505')],
    ['a clear alert with an unknown code', fromHex('15ff')],
  ]
}

function badM3s(m3: Bytes): [string, Bytes][] {
  const end = 2 + 400
  return [
    ['nothing', EMPTY],
    ['E3a changed', changed(m3, 10, (m3[10] ?? 0) ^ 1)],
    ['E3b changed', changed(m3, -1, (m3.at(-1) ?? 0) ^ 1)],
    ['E3b missing', concat(m3.slice(0, end), lp16(EMPTY))],
    ['one byte more', concat(m3, u8(0))],
    ['cut by one byte', m3.slice(0, -1)],
    ['E3a and E3b in the other order', concat(m3.slice(end), m3.slice(0, end))],
  ]
}

async function records() {
  const secret = fill(0x77, 32)
  const key = await p.hmacKey(secret)
  const { aead, iv } = await aeadOf(p, key)
  const seal = async (inner: Bytes): Promise<Bytes> => {
    const length = inner.length + 16
    const header = Uint8Array.of(0x17, length >> 16, length >> 8, length)
    return concat(header, await aead.seal(nonceOf(iv, 0), header, inner))
  }
  const misstated = async (length: number): Promise<Bytes> => {
    const header = Uint8Array.of(0x17, 0, length >> 8, length)
    const inner = concat(u8(1), fill(1, 10), u8(0x80), new Uint8Array(244))
    return concat(header, await aead.seal(nonceOf(iv, 0), header, inner))
  }
  const good = await new RecordSealer(p, key).seal({ content: 'app', payload: fill(1, 10) })
  const padded = (content: number, ...tail: number[]) =>
    concat(u8(content), Uint8Array.from(tail), new Uint8Array(255 - tail.length))
  const bad: [string, Bytes][] = [
    ['nothing', EMPTY],
    ['another type', changed(good, 0, 0x16)],
    ['a wrong length', changed(good, 3, 0)],
    ['cut by one byte', good.slice(0, -1)],
    ['a changed tag', changed(good, -1, (good.at(-1) ?? 0) ^ 1)],
    ['a size that is no bucket', await seal(new Uint8Array(255))],
    ['no bucket: 4,352 bytes', await seal(new Uint8Array(4352))],
    ['a wrong length, sealed as such', await misstated(0x111)],
    ['no padding', await seal(new Uint8Array(256))],
    ['content 0', await seal(padded(0, 0x80))],
    ['content 7', await seal(padded(7, 0x80))],
    ['padded past its bucket', await seal(concat(padded(1, 0x80), new Uint8Array(256)))],
    ['the 0x80 replaced', await seal(padded(1, 0x81))],
  ]
  const cases = []
  for (const [name, frame] of bad) {
    const error = await codeOf(async () => new RecordOpener(p, key).open(frame))
    cases.push({ name, frame: hex(frame), error: (error as { code: string }).code })
  }
  return { secret: hex(secret), seq: 0, cases }
}

export async function negatives() {
  const i = inputs(1)
  const started = await startHandshake(clientOptions(i))
  const accepting = await acceptHandshake(serverOptions(i), started.m1)
  const answered = await started.receive(accepting.m2)
  const { m4 = EMPTY } = await accepting.receive(answered.m3)

  const cases: Negative[] = []
  for (const [name, frame] of badM1s(started.m1)) {
    const error = await codeOf(() => acceptHandshake(serverOptions(i), frame))
    cases.push(negative(name, 'endpoint awaits M1', frame, error))
  }
  for (const [name, frame] of badM2s(started.m1, accepting.m2)) {
    const fresh = await startHandshake(clientOptions(i))
    cases.push(negative(name, 'client awaits M2', frame, await codeOf(() => fresh.receive(frame))))
  }
  for (const [name, frame] of badM3s(answered.m3)) {
    const fresh = await acceptHandshake(serverOptions(i), started.m1)
    const error = await codeOf(() => fresh.receive(frame))
    cases.push(negative(name, 'endpoint awaits M3', frame, error))
  }
  for (const [name, frame] of [
    ['nothing', EMPTY],
    ['a changed tag', changed(m4, -1, (m4.at(-1) ?? 0) ^ 1)],
    ['M2 again', accepting.m2],
    ['a clear alert: handshake_failed', fromHex('1502')],
  ] as const) {
    const fresh = await startHandshake(clientOptions(i))
    const state = await fresh.receive(accepting.m2)
    if (state.mode !== 'full') throw new Error('not full')
    cases.push(negative(name, 'client awaits M4', frame, await codeOf(() => state.receive(frame))))
  }
  return { cases, records: await records() }
}
