/** Items in one page of a timeline: what is fetched, drawn and measured together. */
export const PAGE = 40
/** Pixels of an item before anything has been measured. */
const GUESS = 58

/**
 * Where each page of a long list stands, when only some pages have ever been drawn: measured
 * heights where they are known, the mean of those everywhere else. All figures are CSS pixels.
 */
export class PageWindow {
  readonly #measured = new Map<number, number>()
  #length = 0
  #sum = 0
  #count = 0

  get pages(): number {
    return Math.ceil(this.#length / PAGE)
  }

  get length(): number {
    return this.#length
  }

  /** Items [from, to) of a page. */
  range(page: number): { from: number; to: number } {
    return { from: page * PAGE, to: Math.min(this.#length, (page + 1) * PAGE) }
  }

  /** The number of items has changed; the page that was last is measured again. */
  resize(length: number): void {
    if (length === this.#length) return
    this.#forget(Math.max(0, this.pages - 1))
    for (const page of this.#measured.keys()) if (page * PAGE >= length) this.#forget(page)
    this.#length = length
  }

  /** Returns whether the height is news. */
  measure(page: number, height: number): boolean {
    if (this.#measured.get(page) === height) return false
    this.#forget(page)
    this.#measured.set(page, height)
    this.#sum += height
    this.#count += this.#itemsIn(page)
    return true
  }

  height(page: number): number {
    const mean = this.#count > 0 ? this.#sum / this.#count : GUESS
    return this.#measured.get(page) ?? mean * this.#itemsIn(page)
  }

  /** The height of the pages [from, to) together. */
  span(from: number, to: number): number {
    let height = 0
    for (let page = from; page < to; page++) height += this.height(page)
    return height
  }

  /** The pages that have something between `top` and `bottom`, as [first, last]. */
  between(top: number, bottom: number): [first: number, last: number] {
    const end = Math.max(0, this.pages - 1)
    let first = 0
    let y = this.height(0)
    while (first < end && y <= top) y += this.height(++first)
    let last = first
    while (last < end && y < bottom) y += this.height(++last)
    return [first, last]
  }

  /** Where a height from the top lies, in pages: stays the same place when pages are measured. */
  placeAt(top: number): number {
    const [page] = this.between(top, top)
    return page + (top - this.span(0, page)) / this.height(page)
  }

  /** The inverse of {@link placeAt}. */
  topOf(place: number): number {
    const page = Math.floor(place)
    return this.span(0, page) + (place - page) * this.height(page)
  }

  #itemsIn(page: number): number {
    const { from, to } = this.range(page)
    return Math.max(0, to - from)
  }

  #forget(page: number): void {
    const height = this.#measured.get(page)
    if (height === undefined) return
    this.#measured.delete(page)
    this.#sum -= height
    this.#count -= this.#itemsIn(page)
  }
}
