/** C.3: application messages, whatever comes as one, at both ends and in every room. */
import { type Bytes, concat } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import {
  bodySchema,
  decodeMessage,
  encodeMessage,
  eventSchema,
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

  it('that claim gigabytes, or are deep, are refused at once', () => {
    const claims = [
      Uint8Array.of(0x5b, 0, 0, 0, 1, 0, 0, 0, 0),
      Uint8Array.of(0x9a, 0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0xba, 0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0x7a, 0xff, 0xff, 0xff, 0xff),
      new Uint8Array(1_000_000).fill(0x81),
      new Uint8Array(1_000_000).fill(0xa1),
    ]
    for (const bytes of claims) {
      const start = performance.now()
      assert.throws(() => decodeMessage(requestSchema, bytes), SottoError)
      assert.isBelow(performance.now() - start, HANG)
    }
  })
})

function accepted(work: () => unknown): boolean {
  try {
    work()
    return true
  } catch {
    return false
  }
}
