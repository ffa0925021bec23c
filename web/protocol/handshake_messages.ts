/**
 * The plaintexts of the handshake as bytes, in wire order (PROTOCOL.md, "Handshake"). Decoders
 * accept one encoding of each value and throw SottoError `decode_error` for everything else.
 */
import { type Bytes, concat, EMPTY, fromUtf8, lp8, lp16, Reader, u8, u16, utf8 } from './bytes.ts'
import { SottoError } from './errors.ts'
import { HASH_LENGTH } from './key_schedule.ts'
import { TICKET_ID_LENGTH } from './tickets.ts'

export const VERSION = 1
/** AES-256-GCM, SHA-256, RSA-OAEP, RSA-PSS. */
export const SUITE = 0x0001
/** X25519. */
export const GROUP = 0x001d
export const MODE = { full: 0, resumed: 1 } as const
/** M1 at most; the other messages stay far below it and are held to it too. */
export const MESSAGE_MOST = 4096
/** From M1 to M4; then whoever waits closes. */
export const HANDSHAKE_TIMEOUT_MS = 10_000

const RANDOM_LENGTH = 32
export const SHARE_LENGTH = 32
export const DEVICE_LENGTH = 16
const USER_MOST = 64
/** What E3b is padded to a multiple of, so that its size tells nothing of key and name. */
const IDENTITY_STEP = 1536
const PAD = 0x80

/** Runs a decoder; whatever it throws becomes `decode_error`. */
function decoding<T>(message: Bytes, decode: (reader: Reader) => T): T {
  try {
    if (message.length > MESSAGE_MOST) throw new RangeError('longer than a handshake message')
    const reader = new Reader(message)
    const value = decode(reader)
    reader.end()
    return value
  } catch (cause) {
    if (cause instanceof SottoError) throw cause
    throw new SottoError('decode_error', 'A handshake message could not be read.', { cause })
  }
}

// M1 = u16 version | lp8(u16 suite…) | client_random[32] | lp16((u16 group, lp16 share)…)
//      | lp8 ticket_id | lp8 binder

export interface Hello {
  readonly suites: readonly number[]
  readonly random: Bytes
  readonly shares: readonly { readonly group: number; readonly share: Bytes }[]
  /** 16 bytes, or none. */
  readonly ticketId: Bytes
  /** 32 bytes, or none. */
  readonly binder: Bytes
}

export function encodeHello(hello: Hello): Bytes {
  return concat(
    u16(VERSION),
    lp8(concat(...hello.suites.map(u16))),
    hello.random,
    lp16(concat(...hello.shares.map(({ group, share }) => concat(u16(group), lp16(share))))),
    lp8(hello.ticketId),
    lp8(hello.binder),
  )
}

/** Throws SottoError `protocol_version` for another version, `decode_error` for bad bytes. */
export function decodeHello(m1: Bytes): Hello {
  return decoding(m1, (reader) => {
    if (reader.u16() !== VERSION)
      throw new SottoError('protocol_version', 'The other side speaks another version of Sotto.')
    const suites = all(new Reader(reader.lp8()), (list) => list.u16())
    const random = reader.take(RANDOM_LENGTH)
    const shares = all(new Reader(reader.lp16()), (list) => ({
      group: list.u16(),
      share: list.lp16(),
    }))
    if (new Set(shares.map(({ group }) => group)).size !== shares.length)
      throw new RangeError('two shares for one group')
    const ticketId = reader.lp8()
    const binder = reader.lp8()
    const offered = ticketId.length === TICKET_ID_LENGTH && binder.length === HASH_LENGTH
    if (!offered && ticketId.length + binder.length > 0) throw new RangeError('half a ticket')
    return { suites, random, shares, ticketId, binder }
  })
}

function all<T>(list: Reader, read: (list: Reader) => T): T[] {
  const items: T[] = []
  while (list.left > 0) items.push(read(list))
  if (items.length === 0) throw new RangeError('an empty list')
  return items
}

/** M1 as the binder's MAC takes it: with an empty binder. */
export function withoutBinder(hello: Hello): Bytes {
  return encodeHello({ ...hello, binder: EMPTY })
}

// M2: clear = u16 suite | u16 group | server_random[32] | lp16 share | u8 mode, then lp16(E2)

export interface ServerHello {
  readonly suite: number
  readonly group: number
  readonly random: Bytes
  readonly share: Bytes
  readonly mode: number
}

export function encodeServerHello(hello: ServerHello): Bytes {
  return concat(u16(hello.suite), u16(hello.group), hello.random, lp16(hello.share), u8(hello.mode))
}

/** M2 as its clear part, the same as bytes for the transcript, and E2. */
export function decodeM2(m2: Bytes): { hello: ServerHello; clear: Bytes; e2: Bytes } {
  return decoding(m2, (reader) => {
    const hello = {
      suite: reader.u16(),
      group: reader.u16(),
      random: reader.take(RANDOM_LENGTH),
      share: reader.lp16(),
      mode: reader.u8(),
    }
    return { hello, clear: encodeServerHello(hello), e2: reader.lp16() }
  })
}

// P2 = lp16(SPKI_S) | lp8(host)

export function encodeP2(spki: Bytes, host: string): Bytes {
  return concat(lp16(spki), lp8(utf8(host)))
}

export function decodeP2(p2: Bytes): { spki: Bytes; host: Bytes } {
  return decoding(p2, (reader) => ({ spki: reader.lp16(), host: reader.lp8() }))
}

// M3 = lp16(E3a) | lp16(E3b)

export function decodeM3(m3: Bytes): { e3a: Bytes; e3b: Bytes } {
  return decoding(m3, (reader) => ({ e3a: reader.lp16(), e3b: reader.lp16() }))
}

// ID = lp16(SPKI_C) | lp8(user) | device_id[16]

export interface Peer {
  /** The client's SPKI, DER. */
  readonly spki: Bytes
  readonly user: string
  /** 16 bytes. */
  readonly device: Bytes
}

/** Throws RangeError when a field breaks its rule: NFC, 1 to 64 bytes; 16 bytes. */
export function encodeId({ spki, user, device }: Peer): Bytes {
  const name = utf8(user)
  if (user.normalize('NFC') !== user || name.length === 0 || name.length > USER_MOST)
    throw new RangeError('a user name is NFC and has 1 to 64 bytes')
  if (device.length !== DEVICE_LENGTH) throw new RangeError('a device id has 16 bytes')
  return concat(lp16(spki), lp8(name), device)
}

function decodeId(id: Bytes): Peer {
  return decoding(id, (reader) => {
    const spki = reader.lp16()
    const name = reader.lp8()
    const peer = { spki, user: fromUtf8(name), device: reader.take(DEVICE_LENGTH) }
    // Only the encoding that encodeId makes: checks NFC and length as well.
    encodeId(peer)
    return peer
  })
}

// inside E3b: lp16(ID) | lp16(sig) | fin_c, then 0x80 and zeros to a multiple of 1536

export interface Proof {
  readonly id: Bytes
  readonly peer: Peer
  readonly sig: Bytes
  readonly finC: Bytes
}

export function encodeProof(id: Bytes, sig: Bytes, finC: Bytes): Bytes {
  const content = concat(lp16(id), lp16(sig), finC, u8(PAD))
  const padded = new Uint8Array(Math.ceil(content.length / IDENTITY_STEP) * IDENTITY_STEP)
  padded.set(content)
  return padded
}

export function decodeProof(padded: Bytes): Proof {
  return decoding(padded, (reader) => {
    const id = reader.lp16()
    const sig = reader.lp16()
    const finC = reader.take(HASH_LENGTH)
    const padding = reader.rest()
    const length = Math.ceil((padded.length - padding.length + 1) / IDENTITY_STEP) * IDENTITY_STEP
    const clean = padding.every((byte, i) => byte === (i === 0 ? PAD : 0))
    if (padded.length !== length || !clean) throw new RangeError('padded in another way')
    return { id, peer: decodeId(id), sig, finC }
  })
}

// M4 and E2 of a resumption: lp16(params) | fin_s

export function encodeWelcome(params: Bytes, finS: Bytes): Bytes {
  return concat(lp16(params), finS)
}

export function decodeWelcome(welcome: Bytes): { params: Bytes; finS: Bytes } {
  return decoding(welcome, (reader) => ({ params: reader.lp16(), finS: reader.take(HASH_LENGTH) }))
}

// What RSA works on

/** What the client signs: 64 × 0x20 ‖ "sotto1 client auth" ‖ 00 ‖ T5, as in TLS 1.3. */
export function signedPart(T5: Bytes): Bytes {
  return concat(new Uint8Array(64).fill(0x20), utf8('sotto1 client auth'), u8(0), T5)
}

/** OAEP's label: "sotto1 oaep" ‖ 00 ‖ T3 ties the ciphertext to this very handshake. */
export function oaepLabel(T3: Bytes): Bytes {
  return concat(utf8('sotto1 oaep'), u8(0), T3)
}
