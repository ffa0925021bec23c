import type { Bytes } from '../../web/protocol/bytes.ts'
import type { CloseCode } from '../../web/protocol/envelope.ts'

/** One connection of a peer, as the endpoint holds it: straight over TCP, or through a relay. */
export interface Wire {
  /** For the log, such as `tcp 7` or `trunk 2/31`. */
  readonly name: string
  /** An opaque tag of the network that it comes from. */
  readonly origin: string
  readonly carrier: Carrier
  send(frame: Bytes): void
  /** Ends it after what was sent. Once; then nothing more is sent or received. */
  close(reason: CloseCode): void
  /** Bytes of frames that have arrived and wait here to be handled, for backpressure. */
  held(bytes: number): void
  /** From now on frames of the topic's casts go to this connection too. */
  subscribe(topic: number): void
  unsubscribe(topic: number): void
}

/** What frames of one or many wires leave on: a peer's socket, or a relay's trunk. */
export interface Carrier {
  /** One frame for every wire of this carrier that is subscribed to `topic`. */
  cast(topic: number, frame: Bytes): void
  /**
   * Runs `task` when little waits to be sent and no other large answer is being made on this
   * carrier. So that answers are made as fast as they are taken, and not faster.
   */
  unhurried<T>(task: () => Promise<T>): Promise<T>
}

/** Takes what comes on a wire. */
export interface WireEvents {
  /** `frame` is a view: it is copied to be kept. */
  frame(frame: Bytes): void
  /** So many bytes have come of a frame that is not whole yet. */
  unfinished(bytes: number): void
  /** The wire is gone without our doing. `reason` is for the log. */
  gone(reason: string): void
}

export type OnWire = (wire: Wire) => WireEvents | undefined
