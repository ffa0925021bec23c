/** C.3: application messages, whatever comes as one, at both ends and in every room. */
import { type Bytes, concat } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import {
  bodySchema,
  decodeMessage,
  encodeMessage,
  eventSchema,
  mostValues,
  refusalSchema,
  replySchemas,
  requestSchema,
} from '../../web/protocol/messages.ts'
import type { Shape } from '../../web/protocol/shape.ts'
import { full, type Random, seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

const ROUNDS = full ? 1_000_000 : 3_000
/** Longest time for one message, in ms. */
const HANG = 1_000
const room = new Uint8Array(16).fill(1)
const chain = new Uint8Array(32).fill(2)
const device = new Uint8Array(16).fill(3)
const head = { room, seq: 7, chain }
const person = { user: 'alice', spki: new Uint8Array(20), online: true }
const info = {
  ...{ room, kind: 'lobby', members: [person], seq: 1, chain, oldest: 1 },
  ...{ generation: null, epoch: 0, joined: false, welcome: true },
}

const REQUESTS: readonly object[] = [
  { id: 1, op: 'register', serverPassword: 'x' },
  { id: 1, op: 'set_password', next: null },
  { id: 1, op: 'sync' },
  { id: 1, op: 'publish_key_packages', packages: [chain, room] },
  { id: 1, op: 'take_key_packages', user: 'bob', devices: [device] },
  { id: 1, op: 'fetch', room, after: 3, most: 1000 },
  {
    ...{ id: 1, op: 'send', room, msgId: device, mls: chain },
    commit: { groupInfo: chain, added: [{ user: 'bob', device }], removed: [], welcome: chain },
  },
  { id: 1, op: 'welcome_done', room, welcome: 4 },
]
const EVENTS: readonly object[] = [
  { ev: 'people', people: [person, person] },
  { ev: 'head', head },
  { ev: 'room', room: info },
  { ev: 'reconcile', room, add: [{ user: 'bob', device }], remove: [] },
  { ev: 'notice', code: 'full', text: 'The disk is full.' },
]
const REPLIES: readonly object[] = [
  { entries: [{ seq: 1, chain, mls: chain }], head, oldest: 1 },
  { castSecret: chain, head },
  { welcome: { id: 1, generation: 0, mls: chain, seq: 2, chain } },
  {
    rooms: [info],
    stopped: [{ room, text: 'Its record was changed.' }],
    people: [person],
    stock: 1,
    lastResort: true,
    time: 1,
    lobbyAbsence: 2,
    keepDays: 0,
  },
]
const REFUSALS: readonly object[] = [{ re: 1, error: 'stale_epoch', text: 'Late.', epoch: 3 }]
const BODIES: readonly object[] = [{ t: 'text', text: 'hello', at: 1_700_000_000_000 }]

const TARGETS: Record<string, { seeds: readonly object[]; schemas: readonly Shape<unknown>[] }> = {
  requests: { seeds: REQUESTS, schemas: [requestSchema] },
  events: { seeds: EVENTS, schemas: [eventSchema] },
  replies: { seeds: REPLIES, schemas: Object.values(replySchemas) },
  refusals: { seeds: REFUSALS, schemas: [refusalSchema] },
  bodies: { seeds: BODIES, schemas: [bodySchema] },
}

/** Changed, cut, lengthened, doubled in itself, or of lengths that are not there. */
function mutate(random: Random, seed: Bytes): Bytes {
  let bytes = seed.slice()
  for (let left = random.below(4); left >= 0; left--) {
    const at = random.below(bytes.length + 1)
    const kind = random.below(7)
    if (kind === 0) bytes = bytes.slice(0, at)
    else if (kind === 1)
      bytes = concat(bytes.slice(0, at), random.bytes(random.below(20)), bytes.slice(at))
    else if (kind === 2) bytes = concat(bytes.slice(0, at), bytes)
    else if (kind === 3)
      bytes = concat(bytes.slice(0, at), Uint8Array.of(0x5b, 0, 0, 0, 0, 0xff), bytes.slice(at))
    else if (at < bytes.length)
      bytes[at] = random.pick([0, 0x1f, 0x3b, 0x9f, 0xbf, 0xf6, 0xfb, 0xff, random.below(256)])
  }
  return bytes
}

/** The values in a message, as PROTOCOL.md counts them. */
function valuesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 1
  return Object.values(value).reduce<number>((sum, inside) => sum + valuesIn(inside), 1)
}

/** An array that says it has so many items, and these bytes as its items. */
function crowded(bytes: Uint8Array, items: number): Bytes {
  const string = encodeMessage(new Uint8Array(items))
  // The head of a byte string, made one of an array.
  const head = string.slice(0, string.length - items)
  head[0] = (head[0] as number) + 0x40
  return concat(head, bytes)
}

function many<T>(length: number, one: (i: number) => T): T[] {
  return Array.from({ length }, (_, i) => one(i))
}

/**
 * The longest lists that the endpoint's limits allow, of items as short as they can be: the fewest
 * bytes a value. Longer names, keys, MLS messages and numbers only add bytes.
 */
const least = { user: 'a', spki: new Uint8Array(294), online: true }
const leastRoom = {
  ...{ room, kind: 'private', members: [least, least], seq: 0, chain, oldest: 0 },
  ...{ generation: 0, epoch: 0, joined: true, welcome: true },
}
const refs = many(1024, () => ({ user: 'a', device }))
const FULLEST: readonly (readonly [what: string, shape: Shape<unknown>, message: object])[] = [
  [
    'what two thousand private rooms and 500 people are told by',
    replySchemas.sync,
    {
      ...{ rooms: many(2_001, () => leastRoom), people: many(500, () => least), stopped: [] },
      ...{ stock: 0, lastResort: true, time: 0, lobbyAbsence: 0, keepDays: 0 },
    },
  ],
  [
    'a thousand entries of empty MLS messages',
    replySchemas.fetch,
    { entries: many(1000, () => ({ seq: 0, chain, mls: new Uint8Array() })), head, oldest: 0 },
  ],
  [
    'a commit that adds and removes 1,024 devices',
    requestSchema,
    {
      ...{ id: 0, op: 'send', room, msgId: device, mls: new Uint8Array() },
      commit: { groupInfo: new Uint8Array(), added: refs, removed: refs },
    },
  ],
  [
    'a group out of line by 1,024 devices each way',
    eventSchema,
    { ev: 'reconcile', room, add: refs, remove: refs },
  ],
  [
    'ten thousand people who came',
    eventSchema,
    { ev: 'people', people: many(10_000, () => least) },
  ],
  [
    'the devices of a person',
    replySchemas.devices,
    { devices: many(64, () => ({ device, lastSeen: 0, online: true })) },
  ],
]

/** Every own key of a value and of what is in it. */
function keysIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return []
  return Object.entries(value).flatMap(([key, inside]) => [key, ...keysIn(inside)])
}

describe('application messages, given any bytes', () => {
  for (const [name, { seeds, schemas }] of Object.entries(TARGETS))
    it(`of ${name} are what the schema says, or refused by name`, () =>
      seeded((random) => {
        const encoded = seeds.map((seed) => encodeMessage(seed))
        for (const seed of encoded)
          assert.isTrue(schemas.some((schema) => accepted(() => decodeMessage(schema, seed))))
        for (let i = 0; i < ROUNDS; i++) {
          const bytes =
            i % 10 === 0 ? random.bytes(random.below(80)) : mutate(random, random.pick(encoded))
          const schema = random.pick(schemas)
          const start = performance.now()
          try {
            const value = decodeMessage(schema, bytes)
            // One encoding per value: what is taken is written again as it came.
            // (To a schema without fields nothing of any kind is the same nothing.)
            if (Object.keys(value as object).length > 0)
              assert.deepEqual(encodeMessage(value as object), bytes)
            assert.notInclude(keysIn(value), '__proto__')
          } catch (error) {
            if (!(error instanceof SottoError)) throw error
            assert.equal(error.code, 'decode_error')
          }
          assert.isBelow(performance.now() - start, HANG)
        }
      }))

  it('cannot reach what all objects share', () => {
    const polluted = Uint8Array.of(
      ...[0xa1, 0x69, ...new TextEncoder().encode('__proto__'), 0xa1, 0x61, 0x78, 0x01],
    )
    assert.throws(() => decodeMessage(bodySchema, polluted), SottoError)
    assert.isUndefined(({} as { x?: unknown }).x)
  })

  for (const [what, shape, message] of FULLEST)
    it(`take ${what}`, () => {
      const encoded = encodeMessage(message)
      assert.isAtMost(valuesIn(message), mostValues(encoded.length))
      assert.deepEqual(decodeMessage(shape, encoded), message)
    })

  it('are given up after as many values as a message of their length may have', () => {
    for (const length of [300, 5_000, 300_000]) {
      const head = crowded(new Uint8Array(), length).length
      const most = Math.floor(mostValues(head + length))
      for (const one of [0x40, 0x60, 0x80, 0xa0, 0x00, 0xf6]) {
        // What is no CBOR at all comes right behind the last one that may be.
        const bytes = new Uint8Array(length).fill(0xff)
        bytes.fill(one, 0, most)
        const refusal = refusalOf(crowded(bytes, length))
        assert.match(String(refusal.cause), /too many values/)
        bytes[most - 2] = 0xff
        assert.match(String(refusalOf(crowded(bytes, length)).cause), /indefinite length/)
      }
    }
  })

  it('of any length are read or refused within their values, crowded as they may be', () =>
    seeded((random) => {
      for (let i = 0; i < ROUNDS / 100; i++) {
        const length = random.below(2 ** (10 + random.below(12)))
        const bytes = random.bytes(length)
        const few = random.pick([[0x80], [0x40, 0x60], [0xa0, 0xf5], [0x00, 0x20, 0x81, 0x80]])
        for (let at = 0; at < length; at++)
          bytes[at] = few[(bytes[at] as number) % few.length] as number
        const message = crowded(bytes, random.below(length + 1))
        const refusal = refusalOf(message)
        if (length > 1_000) assert.match(String(refusal.cause), /too many|left over|too deep/)
      }
    }))

  it('that claim gigabytes, are deep or have millions of values are refused at once', () => {
    const claims = [
      Uint8Array.of(0x5b, 0, 0, 0, 1, 0, 0, 0, 0),
      Uint8Array.of(0x9a, 0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0xba, 0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0x7a, 0xff, 0xff, 0xff, 0xff),
      new Uint8Array(1_000_000).fill(0x81),
      new Uint8Array(1_000_000).fill(0xa1),
      crowded(new Uint8Array(6_000_000).fill(0x40), 6_000_000),
    ]
    for (const bytes of claims) {
      const start = performance.now()
      assert.throws(() => decodeMessage(requestSchema, bytes), SottoError)
      assert.isBelow(performance.now() - start, HANG)
    }
  })
})

function refusalOf(message: Bytes): SottoError {
  try {
    decodeMessage(requestSchema, message)
  } catch (error) {
    if (error instanceof SottoError && error.code === 'decode_error') return error
    throw error
  }
  throw new Error('That was taken as a request.')
}

function accepted(work: () => unknown): boolean {
  try {
    work()
    return true
  } catch {
    return false
  }
}
