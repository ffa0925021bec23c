import { type Bytes, equal } from '../protocol/bytes.ts'
import type { View } from '../protocol/view.ts'
import type { Storage } from './storage.ts'

/** Chain values of one stored segment: 256 × 32 bytes, zeros where we were not there. */
const SEGMENT = 256
const LENGTH = 32

/**
 * The chain values that this device itself computed, `chain/<room>/<segment>`: what every sender's
 * view is compared with, and what an endpoint that went back in time is recognised by.
 */
export class ChainLog {
  readonly #storage: Storage
  readonly #prefix: string
  #segment = -1
  #values = new Uint8Array(SEGMENT * LENGTH)

  constructor(storage: Storage, room: string) {
    this.#storage = storage
    this.#prefix = `chain/${room}/`
  }

  /** Our chain value at `seq`, or undefined when this device was not there. */
  async at(seq: number): Promise<Bytes | undefined> {
    const segment = Math.floor(seq / SEGMENT)
    const values = segment === this.#segment ? this.#values : await this.#read(segment)
    const value = values.slice((seq % SEGMENT) * LENGTH, (seq % SEGMENT) * LENGTH + LENGTH)
    return value.some((byte) => byte !== 0) ? value : undefined
  }

  /** Puts new values into `changes`; call the result once they are written. */
  async stage(
    links: readonly { readonly seq: number; readonly chain: Bytes }[],
    changes: Map<string, unknown>,
  ): Promise<() => void> {
    let segment = this.#segment
    let values = this.#values
    for (const { seq, chain } of links) {
      const n = Math.floor(seq / SEGMENT)
      if (n !== segment || values === this.#values) {
        if (n !== segment) values = await this.#read(n)
        values = values.slice()
        segment = n
      }
      values.set(chain, (seq % SEGMENT) * LENGTH)
      changes.set(this.#key(n), values)
    }
    return () => {
      this.#segment = segment
      this.#values = values
    }
  }

  #key(segment: number): string {
    return this.#prefix + segment.toString(36).padStart(6, '0')
  }

  async #read(segment: number): Promise<Uint8Array<ArrayBuffer>> {
    const stored = await this.#storage.read(this.#key(segment))
    return stored instanceof Uint8Array && stored.length === SEGMENT * LENGTH
      ? (stored as Uint8Array<ArrayBuffer>)
      : new Uint8Array(SEGMENT * LENGTH)
  }
}

/** forked: two members were shown different logs. reordered: a reader of n stands before n. */
export type ViewVerdict = 'agrees' | 'forked' | 'reordered'

/**
 * Compares what a message at place `seq` says its sender had read with our own log. A view older
 * than our membership can't be judged and counts as agreeing. `newest` are values not yet stored.
 */
export async function judgeView(
  view: View,
  seq: number,
  own: ChainLog,
  newest: readonly { readonly seq: number; readonly chain: Bytes }[],
): Promise<ViewVerdict> {
  if (view.seq >= seq) return 'reordered'
  const chain = newest.find((link) => link.seq === view.seq)?.chain ?? (await own.at(view.seq))
  return chain === undefined || equal(chain, view.chain) ? 'agrees' : 'forked'
}
