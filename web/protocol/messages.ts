/**
 * What a peer and the endpoint say to each other inside records: CBOR maps, checked with valibot
 * at the boundary on both sides (PROTOCOL.md, "Application messages").
 */
import * as v from 'valibot'
import type { Bytes } from './bytes.ts'
import { decode, encode } from './cbor.ts'
import { SottoError } from './errors.ts'

const bytes = (length: number) =>
  v.custom<Bytes>((x) => x instanceof Uint8Array && x.length === length, `needs ${length} bytes`)
const blob = (most: number) =>
  v.custom<Bytes>((x) => x instanceof Uint8Array && x.length <= most, `at most ${most} bytes`)
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const text = (most: number) => v.pipe(v.string(), v.maxLength(most))
const list = <T extends v.GenericSchema>(of: T, most: number) =>
  v.pipe(v.array(of), v.maxLength(most))

const room = bytes(16)
const device = bytes(16)
const name = text(64)
const password = v.optional(text(1024))

/** One device of one person, as it stands in rooms. */
export const deviceRef = v.strictObject({ user: name, device })
export type DeviceRef = v.InferOutput<typeof deviceRef>

/** Everything a peer may ask. `id` is the peer's number for the request; the reply carries it. */
export const requestSchema = v.variant('op', [
  // Before admission (M4 status `register required` or `not admitted`) only these two are taken.
  v.strictObject({
    id: count,
    op: v.literal('register'),
    serverPassword: password,
    accountPassword: password,
  }),
  v.strictObject({
    id: count,
    op: v.literal('login'),
    serverPassword: password,
    accountPassword: password,
  }),

  /** Sets, changes or (null) removes the account password. */
  v.strictObject({
    id: count,
    op: v.literal('set_password'),
    current: password,
    next: v.nullable(text(1024)),
  }),
  /** Everything a peer needs to begin: rooms with heads, people, stock of key packages. */
  v.strictObject({ id: count, op: v.literal('sync') }),
  v.strictObject({
    id: count,
    op: v.literal('publish_key_packages'),
    packages: list(blob(8192), 64),
    lastResort: v.optional(blob(8192)),
  }),
  /** One key package for each device of `user` in `devices` (all its devices when absent). */
  v.strictObject({
    id: count,
    op: v.literal('take_key_packages'),
    user: name,
    devices: v.optional(list(device, 64)),
  }),
  /** The private room of the two, made when there is none yet. */
  v.strictObject({ id: count, op: v.literal('open_private'), user: name }),
  /** Gives up one's membership of a private room. */
  v.strictObject({ id: count, op: v.literal('leave_room'), room }),
  /** From here on casts of this room reach the peer; the reply has the cast key and the head. */
  v.strictObject({ id: count, op: v.literal('subscribe'), room }),
  v.strictObject({ id: count, op: v.literal('unsubscribe'), room }),
  /** Log entries with seq > after, in order, at most `most` and about 256 KiB. */
  v.strictObject({
    id: count,
    op: v.literal('fetch'),
    room,
    after: count,
    most: v.pipe(count, v.maxValue(1000)),
  }),
  /** Registers the room's group; first one per generation wins, others get `stale_epoch`. */
  v.strictObject({
    id: count,
    op: v.literal('create_group'),
    room,
    generation: count,
    groupInfo: blob(2 ** 21),
  }),
  /** The group's newest GroupInfo, for joining from outside. Only in open rooms. */
  v.strictObject({ id: count, op: v.literal('group_info'), room }),
  /**
   * Appends one MLS message to the room's log. For a commit: the GroupInfo of the epoch it makes
   * and who it adds and removes (what the endpoint keeps its list of a room's devices by; members
   * go by the tree), with one Welcome for all whom it adds.
   */
  v.strictObject({
    id: count,
    op: v.literal('send'),
    room,
    msgId: bytes(16),
    mls: blob(2 ** 20),
    commit: v.optional(
      v.strictObject({
        groupInfo: blob(2 ** 21),
        added: list(deviceRef, 1024),
        removed: list(deviceRef, 1024),
        welcome: v.optional(blob(2 ** 21)),
      }),
    ),
  }),
  /** The oldest Welcome to `room` that waits for this device. */
  v.strictObject({ id: count, op: v.literal('welcome'), room }),
  /** The Welcome was used, or is of no use: it is deleted. */
  v.strictObject({ id: count, op: v.literal('welcome_done'), room, welcome: count }),
  /** This device lost its state of the room's group and asks to be added afresh. */
  v.strictObject({ id: count, op: v.literal('rejoin'), room }),
  v.strictObject({ id: count, op: v.literal('devices') }),
  v.strictObject({ id: count, op: v.literal('remove_device'), device }),
])
export type Request = v.InferOutput<typeof requestSchema>
/** What can still be refused by its number when it is no request that is known here. */
export const numberedSchema = v.looseObject({ id: count })
export type Op = Request['op']
/** A request without its number, which the connection gives it. */
export type Ask = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never

const person = v.strictObject({
  user: name,
  /** SPKI of the identity key, so that a look-up pins at once. */
  spki: blob(1024),
  online: v.boolean(),
})
export type PersonInfo = v.InferOutput<typeof person>

const head = v.strictObject({ room, seq: count, chain: bytes(32) })
export type Head = v.InferOutput<typeof head>

export const roomInfo = v.strictObject({
  room,
  kind: v.picklist(['lobby', 'private']),
  /** Both people of a private room; empty for the lobby, which everyone may enter. */
  members: list(person, 2),
  seq: count,
  chain: bytes(32),
  /** The oldest sequence number that is still kept. */
  oldest: count,
  /** The group's generation, or null while nobody has made one. */
  generation: v.nullable(count),
  epoch: count,
  /** Whether the endpoint counts this device among the group's. */
  joined: v.boolean(),
  /** A Welcome waits for this device. */
  welcome: v.boolean(),
})
export type RoomInfo = v.InferOutput<typeof roomInfo>

/** The replies by op: what stands beside `re` in a reply. */
export const replySchemas = {
  register: v.strictObject({}),
  login: v.strictObject({}),
  set_password: v.strictObject({}),
  sync: v.strictObject({
    rooms: list(roomInfo, 100_000),
    people: list(person, 100_000),
    /** Key packages of this device that the endpoint still has, without the last resort. */
    stock: count,
    /** Whether the endpoint has this device's last-resort package. */
    lastResort: v.boolean(),
    /** Milliseconds since 1970 by the endpoint's clock. */
    time: count,
    /** Seconds after which a device that did not connect leaves the lobby's group. */
    lobbyAbsence: count,
    /** Days that the endpoint keeps messages for those who are away; 0 for ever. */
    keepDays: count,
  }),
  publish_key_packages: v.strictObject({ stock: count }),
  take_key_packages: v.strictObject({
    packages: list(v.strictObject({ device, package: blob(8192) }), 64),
  }),
  open_private: v.strictObject({ room: roomInfo }),
  leave_room: v.strictObject({}),
  subscribe: v.strictObject({ castSecret: bytes(32), head }),
  unsubscribe: v.strictObject({}),
  fetch: v.strictObject({
    entries: list(v.strictObject({ seq: count, chain: bytes(32), mls: blob(2 ** 20) }), 1000),
    head,
    oldest: count,
  }),
  create_group: v.strictObject({}),
  group_info: v.strictObject({ generation: count, epoch: count, groupInfo: blob(2 ** 21), head }),
  send: v.strictObject({ seq: count, chain: bytes(32) }),
  welcome: v.strictObject({
    welcome: v.nullable(
      v.strictObject({
        id: count,
        generation: count,
        mls: blob(2 ** 21),
        /** The commit's place in the log. */ seq: count,
        chain: bytes(32),
      }),
    ),
  }),
  welcome_done: v.strictObject({}),
  rejoin: v.strictObject({
    /** Nobody is left who could add us: make a new group of this generation. */ generation:
      v.nullable(count),
  }),
  devices: v.strictObject({
    devices: list(v.strictObject({ device, lastSeen: count, online: v.boolean() }), 64),
  }),
  remove_device: v.strictObject({}),
} as const satisfies Record<Op, v.GenericSchema>
export type Reply<O extends Op> = v.InferOutput<(typeof replySchemas)[O]>

/** Why a request was refused. `text` says to people what happened and what to do. */
export const REFUSALS = [
  'bad_request',
  'not_admitted',
  'denied',
  'no_such_user',
  'no_such_room',
  'not_a_member',
  'stale_epoch',
  'too_large',
  'slow_down',
  'unavailable',
] as const
export type RefusalCode = (typeof REFUSALS)[number]

export const refusalSchema = v.strictObject({
  re: count,
  error: v.picklist(REFUSALS),
  text: text(500),
  /** With `slow_down` and `denied`: milliseconds until another try is taken. */
  retryAfter: v.optional(count),
  /** With `stale_epoch`: where the room's group is. */
  epoch: v.optional(count),
  generation: v.optional(count),
})
export type Refusal = v.InferOutput<typeof refusalSchema>

/** What the endpoint says unasked. */
export const eventSchema = v.variant('ev', [
  /** Who came, went or is new since the last such event; gathered for up to a second. */
  v.strictObject({ ev: v.literal('people'), people: list(person, 10_000) }),
  /** The room's log ends here: each second while there is traffic, and for entries too big to cast. */
  v.strictObject({ ev: v.literal('head'), head }),
  /** From now on the room's casts are under this secret. */
  v.strictObject({ ev: v.literal('cast_secret'), room, castSecret: bytes(32) }),
  /** A room is new to this device or something about it (members, Welcome, group) has changed. */
  v.strictObject({ ev: v.literal('room'), room: roomInfo }),
  /** The room is no longer ours. */
  v.strictObject({ ev: v.literal('room_gone'), room }),
  /** One member is asked at a time: bring the group's devices in line with these. */
  v.strictObject({
    ev: v.literal('reconcile'),
    room,
    add: list(deviceRef, 1024),
    remove: list(deviceRef, 1024),
  }),
  v.strictObject({ ev: v.literal('stock'), stock: count }),
  /** For the person to read, such as a disk that is full. Code names the case for programs. */
  v.strictObject({ ev: v.literal('notice'), code: text(40), text: text(500) }),
])
export type Event = v.InferOutput<typeof eventSchema>

/** What stands inside the MLS ciphertext: only the members ever see it. */
export const bodySchema = v.variant('t', [
  v.strictObject({
    t: v.literal('text'),
    text: v.pipe(v.string(), v.minLength(1), v.maxLength(16_384)),
    /** Milliseconds since 1970 by the sender's clock: shown, never used for order. */
    at: count,
  }),
])
export type Body = v.InferOutput<typeof bodySchema>

/** The message's one encoding. Throws TypeError on what {@link encode} has none for. */
export function encodeMessage(message: object): Bytes {
  return encode(message)
}

/** Throws SottoError `decode_error` when `message` is not our CBOR or not of the schema's shape. */
export function decodeMessage<T extends v.GenericSchema>(
  schema: T,
  message: Uint8Array,
): v.InferOutput<T> {
  let value: unknown
  try {
    value = decode(message)
  } catch (cause) {
    throw new SottoError('decode_error', 'A message could not be read.', { cause })
  }
  const parsed = v.safeParse(schema, value)
  if (!parsed.success) {
    const where = v.getDotPath(parsed.issues[0]) ?? 'message'
    throw new SottoError('decode_error', `A message has a wrong field: ${where}.`)
  }
  return parsed.output
}
