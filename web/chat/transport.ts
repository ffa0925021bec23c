import type { Bytes } from '../protocol/bytes.ts'

/**
 * A connection that carries frames, so that nothing above it can tell TCP from WebSocket.
 * Iterating yields each incoming frame once, in order, and ends when the other side or the
 * network ends the connection; it never throws: how it ended is in {@link Transport.closed}.
 */
export interface Transport extends AsyncIterable<Bytes> {
  /** Queues one frame. After the connection has ended it does nothing. */
  send(frame: Uint8Array): void
  /** Bytes queued and not yet handed to the network: what backpressure is measured by. */
  readonly buffered: number
  /** Ends the connection; frames already queued are still delivered. */
  close(): void
  /** Settles when the connection has ended. Never rejects. */
  readonly closed: Promise<TransportEnd>
}

export interface TransportEnd {
  /** WebSocket close code; TCP reports 1000 for an orderly end and 1006 for a broken one. */
  readonly code: number
  /** The relay's sentence for people, or empty. */
  readonly reason: string
}

/** Opens a connection. Rejects with SottoError `unavailable` when it can't be had. */
export type Dial = (signal: AbortSignal) => Promise<Transport>
