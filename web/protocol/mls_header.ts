/**
 * The part of an MLS message that stands in clear (RFC 9420, 6), read without an MLS library: all
 * that the endpoint ever knows of a message, and the first check of every member.
 */
import { type Bytes, Reader } from './bytes.ts'
import { SottoError } from './errors.ts'

/** Past epochs whose application messages members can still open (PROTOCOL.md, "Rooms"). */
export const KEPT_EPOCHS = 4
/** The longest MLS message that a room takes, in bytes. */
export const MAX_MLS = 2 ** 20

const MLS10 = 1
const WIRE_FORMATS = ['', 'public', 'private'] as const
const CONTENT_TYPES = ['', 'application', 'proposal', 'commit'] as const
const BASIC_CREDENTIAL = 1
const SENDER_MEMBER = 1
const SENDER_EXTERNAL = 2
const SENDER_NEW_MEMBER_PROPOSAL = 3
const SENDER_NEW_MEMBER_COMMIT = 4
/** Leaf index, generation and reuse guard of 4 bytes each, and the AEAD's tag. */
const SENDER_DATA_LENGTH = 12 + 16

export interface MlsHeader {
  readonly wireFormat: 'private' | 'public'
  readonly groupId: Bytes
  readonly epoch: number
  readonly contentType: 'application' | 'proposal' | 'commit'
  /** A commit by which its sender joins from outside (sender type new_member_commit). */
  readonly external: boolean
  /** In clear, and authenticated by the message: for application messages the sender's view. */
  readonly authenticatedData: Bytes
}

/**
 * Reads the header of a PrivateMessage or PublicMessage. Of a PrivateMessage the whole frame is
 * checked to its last byte; the content of a PublicMessage is left to the members.
 * Throws SottoError `decode_error`, and `limit` when `mls` is longer than MAX_MLS.
 */
export function readMlsHeader(mls: Uint8Array): MlsHeader {
  if (mls.length > MAX_MLS) throw new SottoError('limit', 'A message is too long for a room.')
  return reading(() => {
    const reader = new Reader(mls)
    const header = readHeader(reader)
    if (header.wireFormat === 'private') reader.end()
    return header
  })
}

/** Who joins by an external commit, as the leaf says that it brings (RFC 9420, 7.2 and 12.4). */
export interface Joiner {
  /** The identity of the leaf's basic credential: a binding. */
  readonly identity: Bytes
  readonly signatureKey: Bytes
  /** By which the others encrypt to it. */
  readonly encryptionKey: Bytes
}

/** Reads the leaf of an external commit. Throws SottoError `decode_error`. */
export function readJoiner(mls: Uint8Array): Joiner {
  return reading(() => {
    const reader = new Reader(mls)
    if (!readHeader(reader).external) throw new RangeError('nobody joins by this')
    takeVector(reader) // the proposals
    if (reader.u8() !== 1) throw new RangeError('no path')
    const encryptionKey = takeVector(reader)
    const signatureKey = takeVector(reader)
    if (reader.u16() !== BASIC_CREDENTIAL) throw new RangeError('another kind of credential')
    return { signatureKey, encryptionKey, identity: takeVector(reader) }
  })
}

function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new SottoError('decode_error', 'A message of the room could not be read.', { cause })
  }
}

function readHeader(reader: Reader): MlsHeader {
  if (reader.u16() !== MLS10) throw new RangeError('not MLS 1.0')
  const wireFormat = named(WIRE_FORMATS, reader.u16())
  const groupId = takeVector(reader)
  const epoch = reader.u64()
  const rest = wireFormat === 'private' ? readPrivate(reader) : readPublic(reader)
  return { wireFormat, groupId, epoch, ...rest }
}

type Rest = Pick<MlsHeader, 'contentType' | 'external' | 'authenticatedData'>

function readPrivate(reader: Reader): Rest {
  const contentType = named(CONTENT_TYPES, reader.u8())
  const authenticatedData = takeVector(reader)
  if (takeVector(reader).length !== SENDER_DATA_LENGTH) throw new RangeError('bad sender data')
  takeVector(reader)
  return { contentType, external: false, authenticatedData }
}

function readPublic(reader: Reader): Rest {
  const sender = reader.u8()
  if (sender === SENDER_MEMBER || sender === SENDER_EXTERNAL) reader.u32()
  else if (sender !== SENDER_NEW_MEMBER_PROPOSAL && sender !== SENDER_NEW_MEMBER_COMMIT)
    throw new RangeError('unknown sender type')
  const authenticatedData = takeVector(reader)
  const contentType = named(CONTENT_TYPES, reader.u8())
  const external = sender === SENDER_NEW_MEMBER_COMMIT
  if (external && contentType !== 'commit') throw new RangeError('a joiner may only commit')
  return { contentType, external, authenticatedData }
}

function named<T extends string>(names: readonly ['', ...T[]], value: number): T {
  const name = names[value]
  if (!name) throw new RangeError('value out of range')
  return name as T
}

/** `opaque x<V>` (RFC 9420, 2.1.2): a length of 1, 2 or 4 bytes in its shortest form, then x. */
export function takeVector(reader: Reader): Bytes {
  const first = reader.u8()
  const form = first >>> 6
  let length = first & 0x3f
  if (form === 1) length = length * 0x100 + reader.u8()
  else if (form === 2) length = length * 0x100_0000 + reader.u24()
  else if (form === 3) throw new RangeError('vector length in eight bytes')
  const least = [0, 2 ** 6, 2 ** 14][form] as number
  if (length < least) throw new RangeError('vector length not in its shortest form')
  return reader.take(length)
}
