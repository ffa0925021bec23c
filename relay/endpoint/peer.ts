import { hex } from '../../web/protocol/bytes.ts'
import type { Ask, Event, Op, Reply, Request } from '../../web/protocol/messages.ts'
import type { GroupDevice } from './store.ts'
import type { Wire } from './wire.ts'

/** A session that has passed the handshake, as the services see it. */
export interface Peer extends GroupDevice {
  /** The account's name as its person wrote it. */
  readonly user: string
  /** Skeleton and device in one string: {@link deviceKey}. */
  readonly key: string
  readonly wire: Wire
  /**
   * Seals one event for this peer, in the order of the calls. Resolves when it is on its way, or
   * the session is over; never rejects. One event object told to many is encoded once.
   */
  tell(event: Event): Promise<void>
  /** Ends the session with a sealed alert. */
  end(alert: 'revoked' | 'replaced'): void
}

export function deviceKey({ skeleton, device }: GroupDevice): string {
  return `${skeleton}/${hex(device)}`
}

/** Just the device: the store copies all that it is given to another thread. */
export function deviceOf({ skeleton, device }: GroupDevice): GroupDevice {
  return { skeleton, device }
}

export type RequestOf<O extends Op> = Extract<Request, { op: O }>
export type { Ask }

/** What became of a request. */
export interface Outcome<O extends Op = Op> {
  /** A function is called at the moment when the reply is sealed. */
  readonly reply: Reply<O> | (() => Reply<O>)
  /**
   * What follows from what is on disk now, for others as well. Called once, whatever becomes of the
   * reply: right after the reply has its place among the records, or could not get one any more.
   */
  readonly done?: () => void
  /** Called in the same turn in which the reply is handed to the wire, if it is. */
  readonly sent?: () => void
}

/** What the endpoint does for the sessions that were admitted. */
export interface Service {
  /** `peer` was admitted. Calls for one peer come in the order of its frames. */
  entered(peer: Peer): void
  gone(peer: Peer): void
  /** Throws {@link Refused}, or SottoError `unavailable`. */
  handle(peer: Peer, request: Request): Promise<Outcome>
  /** Says the last heads; then the sessions may be closed. */
  close(): Promise<void>
}
