import { type Bytes, concat, EMPTY, u8, u32 } from '../../web/protocol/bytes.ts'

/** One trunk message (`u32 length • u8 op • u32 id • body`), of whatever op and body. */
export function trunkMessage(op: number, id: number, body: Uint8Array = EMPTY): Bytes {
  return concat(u32(5 + body.length), u8(op), u32(id), new Uint8Array(body))
}
