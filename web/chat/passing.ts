import type { StoredItem } from './history.ts'

/** Lines that are not stored, per room: older ones make room. */
const MOST = 5_000

interface Line {
  /** The number of stored items that stand in front. */
  readonly before: number
  readonly item: StoredItem
}

/**
 * Lines of a room that last as long as the page: who came and went, and messages of a room whose
 * history is off. They stand between the stored items.
 */
export class Passing {
  #lines: readonly Line[] = []

  get length(): number {
    return this.#lines.length
  }

  add(before: number, items: readonly StoredItem[]): void {
    if (items.length === 0) return
    const more = items.map((item) => ({ before, item }))
    this.#lines = [...this.#lines, ...more].slice(-MOST)
  }

  clear(): void {
    this.#lines = []
  }

  /** How many stored items stand before place `place` of both together. */
  storedBefore(place: number): number {
    const lines = this.#lines
    return place - count(lines.length, (i) => (lines[i]?.before ?? 0) + i < place)
  }

  /** The place of stored item `n` among both together. */
  placeOf(n: number): number {
    const lines = this.#lines
    return n + count(lines.length, (i) => (lines[i]?.before ?? 0) <= n)
  }

  /** The lines [from, to), counted without stored items. */
  slice(from: number, to: number): readonly Line[] {
    return this.#lines.slice(from, to)
  }
}

/** How many of the numbers [0, length) are `low`: those come first. */
function count(length: number, low: (i: number) => boolean): number {
  let least = 0
  let most = length
  while (least < most) {
    const middle = (least + most) >> 1
    if (low(middle)) least = middle + 1
    else most = middle
  }
  return least
}
