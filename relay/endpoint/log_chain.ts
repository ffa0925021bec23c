import { hash } from 'node:crypto'
import type { Bytes } from '../../web/protocol/bytes.ts'

/**
 * The hash chain over a room's log (PROTOCOL.md, "Cast"), by node:crypto and at once:
 * chain_0 = H("sotto1 chain" ‖ room[16]), chain_n = H("sotto1 chain" ‖ chain_{n-1} ‖ u64 seq ‖ H(mls)).
 */
const LABEL = Buffer.from('sotto1 chain')

export const CHAIN_LENGTH = 32

function sha256(data: Uint8Array): Buffer {
  return hash('sha256', data, 'buffer')
}

/** A copy over a buffer of its own: Node's small Buffers share one. */
function bytesOf(buffer: Buffer): Bytes {
  return new Uint8Array(buffer)
}

/** chain_0 of a room, 32 bytes. */
export function firstChain(room: Bytes): Bytes {
  return bytesOf(sha256(Buffer.concat([LABEL, room])))
}

/** The chain after the entry `mls` at `seq`, 32 bytes. */
export function nextChain(previous: Bytes, seq: number, mls: Bytes): Bytes {
  const input = Buffer.allocUnsafe(LABEL.length + CHAIN_LENGTH + 8 + 32)
  let at = LABEL.copy(input)
  input.set(previous, at)
  at += CHAIN_LENGTH
  at = input.writeUInt32BE(Math.floor(seq / 0x1_0000_0000), at)
  at = input.writeUInt32BE(seq >>> 0, at)
  input.set(sha256(mls), at)
  return bytesOf(sha256(input))
}
