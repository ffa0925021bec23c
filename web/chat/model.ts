/**
 * What a screen needs to know, as plain values: the page and the terminal both draw from these
 * and from nothing else. Every snapshot is a new object; parts that did not change keep their
 * identity.
 */
import type { HandshakeStep } from '../protocol/handshake_steps.ts'

export type { HandshakeStep } from '../protocol/handshake_steps.ts'

/** Hex of a room's 16 bytes. */
export type RoomId = string & { readonly brand: 'RoomId' }
/** Hex of the 16 random bytes that name one message of one sender. */
export type MessageId = string & { readonly brand: 'MessageId' }

export interface ChatState {
  readonly me: Me
  readonly connection: ConnectionState
  /** The lobby first, then private rooms, latest activity first, those that are over last. */
  readonly rooms: readonly RoomView[]
  /** Everyone the endpoint told of, oneself included; online first, then by name. */
  readonly people: readonly PersonView[]
  /** What the person has to know, newest first, until it is dismissed or decided. */
  readonly notices: readonly Notice[]
  /** The newest handshake of this very connection, step by step as it happens. */
  readonly handshake: HandshakeView | undefined
  /** The endpoint's key, as it is pinned. */
  readonly endpoint?: EndpointView
}

export interface EndpointView {
  readonly host: string
  /** Hex SHA-256 of its SPKI, 64 digits; empty before the first connection. */
  readonly fingerprint: string
  /** It came with the link, or the person accepted it; else it was merely the first one seen. */
  readonly verified: boolean
}

export interface Me {
  readonly user: string
  /** Hex SHA-256 of the identity's SPKI, 64 digits. */
  readonly fingerprint: string
  /** Hex, 32 digits. */
  readonly device: string
  /** False until the identity has been exported once: it exists nowhere else. */
  readonly backedUp: boolean
}

export type ConnectionState =
  | { readonly phase: 'connecting' }
  | { readonly phase: 'handshake' }
  /** The endpoint wants registration data or passwords first. */
  | { readonly phase: 'admission'; readonly needs: 'register' | 'login'; readonly text: string }
  /** The session stands; what others write in the lobby can't be read here before it is entered. */
  | { readonly phase: 'entering' }
  | { readonly phase: 'online'; readonly resumed: boolean; readonly since: number }
  | Offline
  /** Ended until the person decides: see the blocking notice. `final`: there is nothing to decide. */
  | { readonly phase: 'stopped'; readonly text: string; readonly final?: boolean }

/** Not connected. */
export interface Offline {
  readonly phase: 'offline'
  readonly text: string
  /** The next try (ms since 1970), if one is planned. */
  readonly retryAt: number | undefined
  /** The endpoint does not take this key for this name. */
  readonly refused?: boolean
  /**
   * It has another name than the one it is asked for, or another version: as far as what is not
   * authenticated can be believed, every other try ends the same.
   */
  readonly mismatch?: boolean
}

export interface RoomView {
  readonly room: RoomId
  readonly kind: 'lobby' | 'private'
  /** "Lobby", or the other person's name. */
  readonly title: string
  /** Who can read what is written now, by the group's own tree: never what the endpoint says. */
  readonly readers: readonly Reader[]
  readonly phase: 'joining' | 'ready' | 'repairing' | 'stopped' | 'alarm' | 'gone'
  /** In words, when `phase` is not `ready`: what is going on and why. */
  readonly text: string
  readonly unread: number
  readonly lastActivity: number
  /** Number of items in the room's timeline: `timeline(room, from, to)` gives them. */
  readonly length: number
  /** Why what is on its way out has to wait, for people; empty when it does not. */
  readonly waits?: string
  /** How many of these, at the end, are still on their way out: their place is not final yet. */
  readonly outgoing?: number
  /** How many of those failed: nothing becomes of them before the person decides. */
  readonly failed?: number
  /** What the group's cryptography runs on, for the screen: suite, and native or library. */
  readonly crypto: string
  /** What being away for long costs here, for people; empty when nothing, or nothing that is known. */
  readonly absence?: string
  /** Whether messages are kept on this device, or shown in this session only. */
  readonly keepsHistory: boolean
}

export interface Reader {
  readonly user: string
  readonly fingerprint: string
  readonly devices: number
  readonly me: boolean
  readonly trust: Trust
}

/** pinned: key seen before; verified: compared by the person; changed: not the pinned key. */
export type Trust = 'pinned' | 'verified' | 'changed'

export interface PersonView {
  readonly user: string
  readonly fingerprint: string
  readonly online: boolean
  readonly me: boolean
  readonly trust: Trust
  /** The private room with this person, if there is one. */
  readonly room: RoomId | undefined
}

export type TimelineItem = MessageView | SystemView

export interface MessageView {
  readonly kind: 'text'
  readonly id: MessageId
  readonly from: string
  readonly mine: boolean
  readonly text: string
  /** Milliseconds since 1970 by the sender's clock. */
  readonly at: number
  /** received: somebody else's. waiting: it can't leave yet. sent: acknowledged and durable. */
  readonly state: 'received' | 'waiting' | 'sending' | 'sent' | 'failed'
  /** Why it failed and what to do, or what it waits for; empty otherwise. */
  readonly reason: string
  /** It waits, and nobody has been sent it yet: it can still be taken back. */
  readonly unsent?: boolean
  /** It failed, and trying again can't help: the conversation is over, or this device was removed. */
  readonly final?: boolean
}

export interface SystemView {
  readonly kind: 'system'
  readonly id: string
  readonly text: string
  readonly at: number
}

export interface Notice {
  readonly id: string
  readonly kind: 'info' | 'warning' | 'mitm'
  readonly title: string
  /** What was seen, in plain words. */
  readonly seen: string
  /** What to do. */
  readonly advice: string
  /** Blocks the whole page until one of `choices` is taken. */
  readonly blocking: boolean
  /** Label and what `decide` takes. Without any, the notice is simply dismissed. */
  readonly choices: readonly {
    readonly choice: string
    readonly label: string
    readonly danger: boolean
  }[]
}

export interface HandshakeView {
  readonly mode: 'full' | 'resumed' | undefined
  readonly done: boolean
  /** Milliseconds from the first byte sent to done, or to now. */
  readonly ms: number
  readonly steps: readonly HandshakeStep[]
  /** Hex of the last transcript hash: both sides have the same when done. */
  readonly transcript: string
}

/** A message that a search has found. */
export interface SearchHit {
  readonly room: RoomId
  /** Its place in the room's timeline, as it was at the time of the search. */
  readonly place: number
  readonly id: MessageId
  readonly from: string
  readonly mine: boolean
  readonly at: number
  /** Plain text around the first match, on one line. */
  readonly snippet: string
  /** Begins and ends of the matches within `snippet`, in UTF-16 units. */
  readonly ranges: readonly (readonly [from: number, to: number])[]
}

/** How far a search has come in each room. */
export type SearchPlace = ReadonlyMap<RoomId, number>

export interface SearchOptions {
  /** Hits at most; 25 unless it is given. */
  readonly limit?: number
  /** Only in this room. */
  readonly room?: RoomId | undefined
  /** Goes on where another page of the same query ended. */
  readonly after?: SearchPlace | undefined
  /** Ends the search: it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export interface SearchPage {
  /** Newest first. */
  readonly hits: readonly SearchHit[]
  /** For {@link SearchOptions.after}; undefined when there are no more hits. */
  readonly more: SearchPlace | undefined
}

/** One device of the person, as the endpoint knows it. */
export interface DeviceView {
  /** Hex, 32 digits. */
  readonly device: string
  /** The one this chat runs on. */
  readonly me: boolean
  readonly online: boolean
  /** Milliseconds since 1970 by the endpoint's clock. */
  readonly lastSeen: number
}

/** What a screen may ask for. Implemented by `Chat`; 'change' is dispatched on every new state. */
export interface ChatModel extends EventTarget {
  readonly state: ChatState
  /** Items [from, to) of a room's timeline, oldest first. Those at hand come at once. */
  timeline(
    room: RoomId,
    from: number,
    to: number,
  ): readonly TimelineItem[] | Promise<readonly TimelineItem[]>
  /** Sends to a room; resolves when the message is safely in the outbox. */
  send(room: RoomId, text: string): Promise<MessageId>
  retry(room: RoomId, id: MessageId): Promise<void>
  discard(room: RoomId, id: MessageId): Promise<void>
  /** Opens (or makes) the private room with a person. Rejects with SottoError for people. */
  openPrivate(user: string): Promise<RoomId>
  leave(room: RoomId): Promise<void>
  /**
   * Takes a conversation that is over off this device, with its messages and all else that is kept
   * of it. Rejects while it is not over.
   */
  remove(room: RoomId): Promise<void>
  markRead(room: RoomId): void
  /** What was typed into a room and not sent; it outlives the page. */
  draft(room: RoomId): string
  setDraft(room: RoomId, text: string): void
  /** Connects, and stays so until `disconnect`. */
  connect(): void
  /** Says goodbye with an authenticated close; the outbox stays. */
  disconnect(): Promise<void>
  /** Answers a `phase: 'admission'`. Rejects with the endpoint's text. */
  admit(passwords: { serverPassword?: string; accountPassword?: string }): Promise<void>
  /** This person's devices, this one first, then the ones online, then by when they were seen. */
  devices(): Promise<readonly DeviceView[]>
  /** The device is signed out, leaves every conversation and is never taken again. */
  removeDevice(device: string): Promise<void>
  /**
   * Sets, changes or (null) removes the password that the endpoint asks this name for. Rejects with
   * the endpoint's text when `current` is not the present one.
   */
  setPassword(next: string | null, current?: string): Promise<void>
  /** The two have compared their fingerprints, or not after all. */
  verifyPerson(user: string, verified: boolean): Promise<void>
  /**
   * Finds messages on this device, in all rooms, that have all words of `query`, whatever their case
   * and accents; the last word may be unfinished. A query without a word finds nothing.
   */
  search(query: string, options?: SearchOptions): Promise<SearchPage>
  /** Whether a room's messages are kept from now on. What was kept before stays. */
  setHistory(room: RoomId, keep: boolean): Promise<void>
  /** Deletes the messages of a room, or of all, from this device. Nobody else's are touched. */
  wipeHistory(room: RoomId | 'all'): Promise<void>
  dismiss(notice: string): void
  decide(notice: string, choice: string): Promise<void>
}
