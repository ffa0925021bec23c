import type { Bytes } from '../../web/protocol/bytes.ts'

/** up: towards the endpoint. down: towards the tab or peer. */
export type Direction = 'up' | 'down'

/** One frame on its way through a hostile relay. */
export interface Seen {
  /** The connection, counted from 1 in the order in which they opened; for a cast its topic. */
  readonly conn: number
  readonly direction: Direction
  /** How many went before it on this connection and in this direction. */
  readonly index: number
  readonly bytes: Bytes
  readonly cast: boolean
}

/**
 * What a hostile relay does: the frames that go on in place of the one seen, none to drop it.
 * Undefined leaves it as it is.
 */
export type Script = (seen: Seen) => readonly Bytes[] | undefined

/** Counts, records and asks the script. Nothing in it depends on time or chance. */
export class Tamper {
  /** May be exchanged at any time. */
  script: Script | undefined
  readonly recorded: Seen[] = []
  readonly #record: boolean
  readonly #counts = new Map<string, number>()
  readonly #awaited: { matches: (seen: Seen) => boolean; resolve: (seen: Seen) => void }[] = []

  constructor(script: Script | undefined, record: boolean) {
    this.script = script
    this.#record = record
  }

  /** What goes on in place of `bytes`. */
  take(conn: number, direction: Direction, bytes: Uint8Array, cast = false): readonly Bytes[] {
    const key = `${cast ? 'cast' : direction} ${conn}`
    const index = this.#counts.get(key) ?? 0
    this.#counts.set(key, index + 1)
    const seen: Seen = { conn, direction, index, bytes: new Uint8Array(bytes), cast }
    if (this.#record) this.recorded.push(seen)
    const instead = this.script?.(seen) ?? [seen.bytes]
    for (const waiting of [...this.#awaited]) {
      if (!waiting.matches(seen)) continue
      this.#awaited.splice(this.#awaited.indexOf(waiting), 1)
      waiting.resolve(seen)
    }
    return instead
  }

  /** The next frame from now on that `matches`, after the script has had it. */
  seen(matches: (seen: Seen) => boolean): Promise<Seen> {
    return new Promise((resolve) => this.#awaited.push({ matches, resolve }))
  }

  /** How many frames have passed. */
  count(conn: number, direction: Direction): number {
    return this.#counts.get(`${direction} ${conn}`) ?? 0
  }

  /** Every byte that was carried, in order. */
  bytes(): Buffer {
    return Buffer.concat(this.recorded.map(({ bytes }) => bytes))
  }
}
