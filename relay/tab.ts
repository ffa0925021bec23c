import type { WebSocket } from 'uWebSockets.js'
import type { Allowance, Limits } from './limits.ts'
import type { OriginTag } from './origin.ts'
import type { Reading, Topic } from './tabs_casts.ts'

const NO_TOPICS: readonly Topic[] = []

/**
 * One open connection. Whole numbers, as each byte counts 10,000 times, and few fields: uWebSockets
 * copies them to the socket's object, which takes three times the memory from the 13th on.
 */
export class Tab implements Allowance {
  readonly origin: OriginTag
  /** Its number on the trunk; 0 while the endpoint has not been told of it. */
  id = 0
  /** Whether it has sent a frame yet, and the second in which it last did (or was opened). */
  spoke = false
  heard: number
  frames = 0
  bytes = 0
  framesLeft: number
  bytesLeft: number
  refilled: number
  topics = NO_TOPICS
  /** Only once it was given something worth counting. */
  reading: Reading | undefined

  /** `second`: of a clock that never jumps. */
  constructor(origin: OriginTag, limits: Limits, second: number) {
    this.origin = origin
    this.heard = second
    this.framesLeft = limits.frameBurst
    this.bytesLeft = limits.byteBurst
    this.refilled = second
  }
}

export type Socket = WebSocket<Tab>
