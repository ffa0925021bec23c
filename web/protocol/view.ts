/**
 * What each message of a room says in its authenticated data: its own name, and how far its sender
 * had read the room's log. Two members who were shown different logs find it out from the first
 * message that passes between them (PROTOCOL.md, "Rooms").
 */
import { type Bytes, concat, Reader, u64 } from './bytes.ts'
import { SottoError } from './errors.ts'

export interface View {
  /** 16 random bytes that name the message among those of its sender. */
  readonly msgId: Bytes
  /** The last log entry that the sender had processed, 0 before the first. */
  readonly seq: number
  /** The chain value of that entry, 32 bytes. */
  readonly chain: Bytes
}

/** `view := msgId[16] ‖ u64 seq ‖ chain[32]`. */
export const VIEW_LENGTH = 56

/** 56 bytes. Throws RangeError on fields of a wrong length. */
export function encodeView({ msgId, seq, chain }: View): Bytes {
  if (msgId.length !== 16 || chain.length !== 32) throw new RangeError('not a view')
  return concat(msgId, u64(seq), chain)
}

/** Throws SottoError `decode_error` on anything but 56 bytes with a seq below 2^53. */
export function decodeView(authenticatedData: Uint8Array): View {
  try {
    const reader = new Reader(authenticatedData)
    const view = { msgId: reader.take(16), seq: reader.u64(), chain: reader.take(32) }
    reader.end()
    return view
  } catch (cause) {
    throw new SottoError('decode_error', 'A message does not say where it belongs.', { cause })
  }
}
