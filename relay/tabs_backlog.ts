/** A frame that waits, kept once for all the tabs that it waits for. */
interface Waiting {
  readonly frame: Uint8Array
  tabs: number
}

/** What waits for one tab, oldest first. */
export interface Backlog {
  readonly waiting: Waiting[]
  bytes: number
}

/** What it takes in memory that one frame waits for one tab, besides the frame itself. */
const PLACE = 16

/** What waits for tabs that are behind, and the memory that all of it takes. */
export class Backlogs {
  #held = 0

  /** Bytes. */
  get held(): number {
    return this.#held
  }

  /** One copy of `frame` waits in all of these from now on. */
  add(frame: Uint8Array, backlogs: readonly Backlog[]): void {
    const waiting = { frame: frame.slice(), tabs: backlogs.length }
    for (const backlog of backlogs) {
      backlog.waiting.push(waiting)
      backlog.bytes += frame.length
    }
    this.#held += frame.length + backlogs.length * PLACE
  }

  /** Takes out the oldest until they are `bytes` or more: by default all. */
  take(backlog: Backlog, bytes = Number.POSITIVE_INFINITY): Uint8Array[] {
    let count = 0
    let taken = 0
    for (; taken < bytes && count < backlog.waiting.length; count++)
      taken += backlog.waiting[count]?.frame.length ?? 0
    backlog.bytes -= taken
    return backlog.waiting.splice(0, count).map((waiting) => {
      waiting.tabs -= 1
      this.#held -= PLACE + (waiting.tabs === 0 ? waiting.frame.length : 0)
      return waiting.frame
    })
  }
}
