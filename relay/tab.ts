import type { WebSocket } from 'uWebSockets.js'
import type { Allowance, Limits } from './limits.ts'
import type { OriginTag } from './origin.ts'

/** One open connection. */
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
