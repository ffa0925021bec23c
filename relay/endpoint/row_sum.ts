import { crc32 } from 'node:zlib'

/** What a column holds here: integers that are safe in JavaScript, texts, blobs. */
export type Value = number | string | Uint8Array | null

/**
 * CRC-32 over a row's values in the order of its columns: finds what a disk or memory changed,
 * where SQLite itself looks at the structure only. The types and lengths are part of it.
 */
export function rowSum(values: readonly Value[]): number {
  let header = ''
  for (const value of values) {
    if (value === null) header += '-'
    else if (typeof value === 'number') header += `${value},`
    else if (typeof value === 'string') header += `${value.length}:${value}`
    else header += `#${value.length},`
  }
  let sum = crc32(header)
  for (const value of values) if (value instanceof Uint8Array) sum = crc32(value, sum)
  return sum
}
