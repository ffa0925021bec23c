import type { Bytes } from '../../web/protocol/bytes.ts'
import type { Direction, Script, Seen } from './evil_script.ts'
import type { Random } from './random.ts'

export const FRAME_FAULTS = [
  'drop',
  'duplicate',
  'swap',
  'delay',
  'flip',
  'truncate',
  'replay',
] as const
export type FrameFault = (typeof FRAME_FAULTS)[number]

/** Frames that overtake a delayed one. */
const OVERTAKING = 10

interface Armed {
  readonly fault: FrameFault
  readonly direction: Direction
  /** Frames in this direction that still pass before. */
  left: number
}

interface Lane {
  last: Bytes | undefined
  /** A frame that waits for so many others to pass. */
  held: { readonly bytes: Bytes; left: number } | undefined
}

/** Damages single frames on their way (THREATS R1 to R5), as a campaign arms it. */
export class FrameFaults {
  readonly done = new Map<FrameFault, number>()
  readonly #random: Random
  readonly #lanes = new Map<string, Lane>()
  #armed: Armed[] = []

  constructor(random: Random) {
    this.#random = random
  }

  /** Armed and not yet done. */
  get waiting(): number {
    return this.#armed.length
  }

  arm(fault: FrameFault, direction: Direction, after: number): void {
    this.#armed.push({ fault, direction, left: after })
  }

  disarm(): void {
    this.#armed = []
    this.#lanes.clear()
  }

  /** What damages the frames of the proxy of this name. */
  script(proxy: string): Script {
    return (seen) => {
      const key = `${proxy} ${seen.cast ? 'cast' : seen.direction} ${seen.conn}`
      const lane = this.#lanes.get(key) ?? { last: undefined, held: undefined }
      this.#lanes.set(key, lane)
      const frames = this.#take(seen, lane)
      lane.last = seen.bytes
      return this.#released(lane, frames)
    }
  }

  #take(seen: Seen, lane: Lane): readonly Bytes[] {
    const next = this.#armed.find(({ direction }) => direction === seen.direction)
    if (next === undefined || next.left-- > 0) return [seen.bytes]
    if (lane.held !== undefined || (next.fault === 'replay' && lane.last === undefined))
      return [seen.bytes] // not this frame, then: one of the next
    this.#armed.splice(this.#armed.indexOf(next), 1)
    this.done.set(next.fault, (this.done.get(next.fault) ?? 0) + 1)
    return this.#damaged(next.fault, seen.bytes, lane)
  }

  #damaged(fault: FrameFault, bytes: Bytes, lane: Lane): readonly Bytes[] {
    const r = this.#random
    switch (fault) {
      case 'drop':
        return []
      case 'duplicate':
        return [bytes, bytes]
      case 'swap':
      case 'delay':
        lane.held = { bytes, left: fault === 'swap' ? 1 : OVERTAKING }
        return []
      case 'flip': {
        const flipped = bytes.slice()
        const at = r.below(flipped.length)
        flipped[at] = (flipped[at] ?? 0) ^ (1 << r.below(8))
        return [flipped]
      }
      case 'truncate':
        return [bytes.slice(0, 1 + r.below(Math.max(1, bytes.length - 1)))]
      case 'replay':
        return lane.last === undefined ? [bytes] : [bytes, lane.last]
    }
  }

  #released(lane: Lane, frames: readonly Bytes[]): readonly Bytes[] {
    const { held } = lane
    if (held === undefined || frames.length === 0) return frames
    held.left -= 1
    if (held.left > 0) return frames
    lane.held = undefined
    return [...frames, held.bytes]
  }
}
