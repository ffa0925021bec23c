/**
 * Items of one segment of a history. A new message rewrites the last segment only, and a hit of a
 * search costs the reading of one: hence small ones.
 */
export const SEGMENT = 32
/** Items that come into the search index together. */
export const STEP = 256

/** The ids of lines that say that something was lost begin with it. */
export const LOST_ID = 'lost-'

/** Before the number of each segment of this room's history. */
export function segmentsOf(room: string): string {
  return `lines/${room}/`
}

/** Where this segment is stored: in the order of their numbers. */
export function segmentKey(room: string, segment: number): string {
  return segmentsOf(room) + segment.toString(36).padStart(6, '0')
}
