/**
 * What a peer and the endpoint say to each other inside records: CBOR maps, whose shapes are
 * checked at the boundary on both sides (PROTOCOL.md, "Application messages").
 */
import type { Bytes } from './bytes.ts'
import { decode, encode } from './cbor.ts'
import { SottoError } from './errors.ts'
import {
  blob,
  boolean,
  bytes,
  count,
  known,
  list,
  map,
  nullable,
  type Of,
  oneOf,
  optional,
  type Shape,
  text,
  upTo,
  variant,
} from './shape.ts'

const room = bytes(16)
const device = bytes(16)
const name = text(64)
const password = optional(text(1024))

/** One device of one person, as it stands in rooms. */
export const deviceRef = map({ user: name, device })
export type DeviceRef = Of<typeof deviceRef>

/** Everything a peer may ask. `id` is the peer's number for the request; the reply carries it. */
export const requestSchema = variant(
  'op',
  // Before admission (M4 status `register required` or `not admitted`) only these two are taken.
  map({
    id: count,
    op: oneOf('register'),
    serverPassword: password,
    accountPassword: password,
  }),
  map({
    id: count,
    op: oneOf('login'),
    serverPassword: password,
    accountPassword: password,
  }),

  /** Sets, changes or (null) removes the account password. */
  map({
    id: count,
    op: oneOf('set_password'),
    current: password,
    next: nullable(text(1024)),
  }),
  /** Everything a peer needs to begin: rooms with heads, people, stock of key packages. */
  map({ id: count, op: oneOf('sync') }),
  map({
    id: count,
    op: oneOf('publish_key_packages'),
    packages: list(blob(8192), 64),
    lastResort: optional(blob(8192)),
  }),
  /** One key package for each device of `user` in `devices` (all its devices when absent). */
  map({
    id: count,
    op: oneOf('take_key_packages'),
    user: name,
    devices: optional(list(device, 64)),
  }),
  /** The private room of the two, made when there is none yet. */
  map({ id: count, op: oneOf('open_private'), user: name }),
  /** Gives up one's membership of a private room. */
  map({ id: count, op: oneOf('leave_room'), room }),
  /** From here on casts of this room reach the peer; the reply has the cast key and the head. */
  map({ id: count, op: oneOf('subscribe'), room }),
  map({ id: count, op: oneOf('unsubscribe'), room }),
  /** Log entries with seq > after, in order, at most `most` and about 256 KiB. */
  map({
    id: count,
    op: oneOf('fetch'),
    room,
    after: count,
    most: upTo(1000),
  }),
  /** Registers the room's group; first one per generation wins, others get `stale_epoch`. */
  map({
    id: count,
    op: oneOf('create_group'),
    room,
    generation: count,
    groupInfo: blob(2 ** 21),
  }),
  /** The group's newest GroupInfo, for joining from outside. Only in open rooms. */
  map({ id: count, op: oneOf('group_info'), room }),
  /**
   * Appends one MLS message to the room's log. For a commit: the GroupInfo of the epoch it makes
   * and who it adds and removes (what the endpoint keeps its list of a room's devices by; members
   * go by the tree), with one Welcome for all whom it adds.
   */
  map({
    id: count,
    op: oneOf('send'),
    room,
    msgId: bytes(16),
    mls: blob(2 ** 20),
    commit: optional(
      map({
        groupInfo: blob(2 ** 21),
        added: list(deviceRef, 1024),
        removed: list(deviceRef, 1024),
        welcome: optional(blob(2 ** 21)),
      }),
    ),
  }),
  /** The oldest Welcome to `room` that waits for this device. */
  map({ id: count, op: oneOf('welcome'), room }),
  /** The Welcome was used, or is of no use: it is deleted. */
  map({ id: count, op: oneOf('welcome_done'), room, welcome: count }),
  /** This device lost its state of the room's group and asks to be added afresh. */
  map({ id: count, op: oneOf('rejoin'), room }),
  map({ id: count, op: oneOf('devices') }),
  map({ id: count, op: oneOf('remove_device'), device }),
)
export type Request = Of<typeof requestSchema>
/** What can still be refused by its number when it is no request that is known here. */
export const numberedSchema = known({ id: count })
export type Op = Request['op']
/** A request without its number, which the connection gives it. */
export type Ask = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never

const person = map({
  user: name,
  /** SPKI of the identity key, so that a look-up pins at once. */
  spki: blob(1024),
  online: boolean,
})
export type PersonInfo = Of<typeof person>

const head = map({ room, seq: count, chain: bytes(32) })
export type Head = Of<typeof head>

export const roomInfo = map({
  room,
  kind: oneOf('lobby', 'private'),
  /** Both people of a private room; empty for the lobby, which everyone may enter. */
  members: list(person, 2),
  seq: count,
  chain: bytes(32),
  /** The oldest sequence number that is still kept. */
  oldest: count,
  /** The group's generation, or null while nobody has made one. */
  generation: nullable(count),
  epoch: count,
  /** Whether the endpoint counts this device among the group's. */
  joined: boolean,
  /** A Welcome waits for this device. */
  welcome: boolean,
})
export type RoomInfo = Of<typeof roomInfo>

/** A room that the endpoint has stopped, and why, for people. */
const stoppedRoom = map({ room: bytes(16), text: text(500) })
export type StoppedRoom = Of<typeof stoppedRoom>

/** The replies by op: what stands beside `re` in a reply. */
export const replySchemas = {
  register: map({}),
  login: map({}),
  set_password: map({}),
  sync: map({
    rooms: list(roomInfo, 100_000),
    stopped: list(stoppedRoom, 100_000),
    people: list(person, 100_000),
    /** Key packages of this device that the endpoint still has, without the last resort. */
    stock: count,
    /** Whether the endpoint has this device's last-resort package. */
    lastResort: boolean,
    /** Milliseconds since 1970 by the endpoint's clock. */
    time: count,
    /** Seconds after which a device that did not connect leaves the lobby's group. */
    lobbyAbsence: count,
    /** Days that the endpoint keeps messages for those who are away; 0 for ever. */
    keepDays: count,
  }),
  publish_key_packages: map({ stock: count }),
  take_key_packages: map({
    packages: list(map({ device, package: blob(8192) }), 64),
  }),
  open_private: map({ room: roomInfo }),
  leave_room: map({}),
  subscribe: map({ castSecret: bytes(32), head }),
  unsubscribe: map({}),
  fetch: map({
    entries: list(map({ seq: count, chain: bytes(32), mls: blob(2 ** 20) }), 1000),
    head,
    oldest: count,
  }),
  create_group: map({}),
  group_info: map({ generation: count, epoch: count, groupInfo: blob(2 ** 21), head }),
  send: map({ seq: count, chain: bytes(32) }),
  welcome: map({
    welcome: nullable(
      map({
        id: count,
        generation: count,
        mls: blob(2 ** 21),
        /** The commit's place in the log. */ seq: count,
        chain: bytes(32),
      }),
    ),
  }),
  welcome_done: map({}),
  rejoin: map({
    /** Nobody is left who could add us: make a new group of this generation. */ generation:
      nullable(count),
  }),
  devices: map({
    devices: list(map({ device, lastSeen: count, online: boolean }), 64),
  }),
  remove_device: map({}),
} as const satisfies Record<Op, Shape<unknown>>
export type Reply<O extends Op> = Of<(typeof replySchemas)[O]>

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

export const refusalSchema = map({
  re: count,
  error: oneOf(...REFUSALS),
  text: text(500),
  /** With `slow_down` and `denied`: milliseconds until another try is taken. */
  retryAfter: optional(count),
  /** With `stale_epoch`: where the room's group is. */
  epoch: optional(count),
  generation: optional(count),
})
export type Refusal = Of<typeof refusalSchema>

/** What the endpoint says unasked. */
export const eventSchema = variant(
  'ev',
  /** Who came, went or is new since the last such event; gathered for up to a second. */
  map({ ev: oneOf('people'), people: list(person, 10_000) }),
  /** The room's log ends here: each second while there is traffic, and for entries too big to cast. */
  map({ ev: oneOf('head'), head }),
  /** From now on the room's casts are under this secret. */
  map({ ev: oneOf('cast_secret'), room, castSecret: bytes(32) }),
  /** A room is new to this device or something about it (members, Welcome, group) has changed. */
  map({ ev: oneOf('room'), room: roomInfo }),
  /** The room is no longer ours. */
  map({ ev: oneOf('room_gone'), room }),
  /** One member is asked at a time: bring the group's devices in line with these. */
  map({
    ev: oneOf('reconcile'),
    room,
    add: list(deviceRef, 1024),
    remove: list(deviceRef, 1024),
  }),
  map({ ev: oneOf('stock'), stock: count }),
  /** For the person to read, such as a disk that is full. Code names the case for programs. */
  map({ ev: oneOf('notice'), code: text(40), text: text(500) }),
)
export type Event = Of<typeof eventSchema>

/** What stands inside the MLS ciphertext: only the members ever see it. */
export const bodySchema = variant(
  't',
  map({
    t: oneOf('text'),
    text: text(16_384, 1),
    /** Milliseconds since 1970 by the sender's clock: shown, never used for order. */
    at: count,
  }),
)
export type Body = Of<typeof bodySchema>

/** The message's one encoding. Throws TypeError on what {@link encode} has none for. */
export function encodeMessage(message: object): Bytes {
  return encode(message)
}

/**
 * The values that a message of so many bytes may have. Decoding comes before the shape is known, so
 * this keeps a megabyte of empty arrays from taking a hundred. The most crowded thing there is,
 * `deviceRef`, has over ten bytes a value; lists of over 1,024 have over forty, by SPKIs or MLS.
 */
export function mostValues(length: number): number {
  return Math.min(256 + length / 8, 8_192 + length / 40)
}

/** Throws SottoError `decode_error` when `message` is not our CBOR or not of that shape. */
export function decodeMessage<T>(shape: Shape<T>, message: Uint8Array): T {
  let value: unknown
  try {
    value = decode(message, mostValues(message.length))
  } catch (cause) {
    throw new SottoError('decode_error', 'A message could not be read.', { cause })
  }
  return checkMessage(shape, value)
}

/** Throws SottoError `decode_error`, with the wrong field's name, when `value` is not of that shape. */
export function checkMessage<T>(shape: Shape<T>, value: unknown): T {
  const wrong = shape(value)
  if (wrong === undefined) return value as T
  throw new SottoError('decode_error', `A message has a wrong field: ${wrong || 'message.'}`)
}
