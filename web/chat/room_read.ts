import { type Bytes, equal, hex, Reader } from '../protocol/bytes.ts'
import { chain } from '../protocol/cast.ts'
import { SottoError } from '../protocol/errors.ts'
import { bodySchema, decodeMessage } from '../protocol/messages.ts'
import { readMlsHeader } from '../protocol/mls_header.ts'
import { decodeView, type View } from '../protocol/view.ts'
import { judgeView } from './forks.ts'
import type { StoredItem } from './history.ts'
import type { LogEntry } from './merge.ts'
import type { Opened } from './mls.ts'
import type { OutboxEntry } from './outbox.ts'
import type { Loaded, RoomDeps } from './room_deps.ts'
import type { Alarm, Change, Cursor, Group, Pending, RoomStore } from './room_store.ts'

/** Why reading stopped before the end of what was there. */
export type Stop =
  | { readonly kind: 'alarm'; readonly alarm: Alarm }
  /** The group state is of no use any more; `cause` says why, for people. */
  | { readonly kind: 'repair'; readonly cause: string; readonly doubt?: boolean }

export interface Reading {
  readonly change: Change
  readonly stop: Stop | undefined
}

/** Bytes of the room in a group's id; the generation follows. */
const ROOM = 16
/**
 * So many unread messages, and nothing that opens, make this device doubt its own state. Anybody in
 * the room can write what nobody can open, so a state that has opened something is not doubted.
 */
export const MOST_UNREADABLE = 3
/** Counted from here, no number of unreadable messages is too many. */
export const PROVEN = Number.NEGATIVE_INFINITY

/**
 * Reads consecutive entries of a room's log, strictly in order. Each is verified against our own
 * chain before anything else. What comes out is one change, to be written at once.
 */
export class LogReader {
  readonly #store: RoomStore
  readonly #deps: RoomDeps
  readonly #loaded: Loaded
  readonly #mayDoubt: boolean
  readonly #items: StoredItem[] = []
  readonly #links: { seq: number; chain: Bytes }[] = []
  readonly #landed: OutboxEntry[] = []
  readonly #doubtful: OutboxEntry[] = []
  #cursor: Cursor
  #group: Group
  #pending: Pending | null
  #received: number
  #lastAt: number
  #unreadable: number
  #stop: Stop | undefined

  constructor(
    store: RoomStore,
    deps: RoomDeps,
    loaded: Loaded,
    start: {
      readonly cursor: Cursor
      readonly group: Group
      readonly unreadable: number
      /** Whether messages in our place that we know nothing of count for what they seem to be. */
      readonly mayDoubt: boolean
    },
  ) {
    const { cursor, group, unreadable, mayDoubt } = start
    this.#mayDoubt = mayDoubt
    this.#store = store
    this.#deps = deps
    this.#loaded = loaded
    this.#cursor = cursor
    this.#group = group
    this.#pending = store.pending
    this.#received = store.meta.received
    this.#lastAt = store.meta.lastAt
    this.#unreadable = unreadable
  }

  /** Messages that could not be opened so far, or PROVEN once something could. */
  get unreadable(): number {
    return this.#unreadable
  }

  /** Reads one entry; false when reading has to stop here, before this entry counts as read. */
  async read(entry: LogEntry): Promise<boolean> {
    const { seq, mls } = entry
    const before = this.#cursor.chain
    const link =
      before.length === 0 ? entry.chain : await chain(this.#deps.primitives, before, seq, mls)
    if (!equal(link, entry.chain)) return this.#end({ kind: 'alarm', alarm: FORKED })
    const stop = seq <= this.#store.meta.from ? this.#passed(mls) : await this.#entry(seq, mls)
    if (stop !== undefined) return this.#end(stop)
    this.#cursor = { seq, chain: link }
    this.#links.push(this.#cursor)
    return true
  }

  result(): Reading {
    const change = {
      meta: { cursor: this.#cursor, received: this.#received, lastAt: this.#lastAt },
      items: this.#items,
      links: this.#links,
      removed: this.#landed,
      replaced: this.#doubtful,
      ...(this.#group === this.#store.group ? {} : { group: this.#group }),
      ...(this.#pending === this.#store.pending ? {} : { pending: this.#pending }),
    }
    return { change, stop: this.#stop }
  }

  #end(stop: Stop): false {
    this.#stop = stop
    return false
  }

  async #entry(seq: number, mls: Bytes): Promise<Stop | undefined> {
    const header = readable(() => readMlsHeader(mls))
    if (header === undefined) return this.#rubbish(seq)
    const generation = generationOf(header.groupId)
    if (generation === undefined) return this.#rubbish(seq)
    if (generation < this.#group.generation) return this.#passed(mls)
    if (generation > this.#group.generation) return { kind: 'repair', cause: SET_UP_ANEW }
    if (this.#pending !== null && equal(mls, this.#pending.mls))
      return this.#ownCommit(this.#pending)
    if (header.contentType === 'application') {
      const view = readable(() => decodeView(header.authenticatedData))
      if (view === undefined) return this.#rubbish(seq)
      const own = this.#own(view, mls)
      if (own !== undefined) return this.#ownMessage(own)
      return this.#message(seq, mls, view, header.epoch)
    }
    return this.#commit(mls)
  }

  /** From before this device's place in the group: it knows only what it has sent itself. */
  #passed(mls: Bytes): undefined {
    const header = readable(() => readMlsHeader(mls))
    if (header?.contentType !== 'application') return
    const view = readable(() => decodeView(header.authenticatedData))
    const own = view === undefined ? undefined : this.#own(view, mls)
    if (own !== undefined) this.#ownMessage(own)
  }

  async #ownCommit(pending: Pending): Promise<undefined> {
    const { mls, keys } = this.#loaded
    this.#group = { ...this.#group, state: await mls.decodeRoom(keys, pending.next) }
    this.#pending = null
  }

  #own(view: View, mls: Bytes): OutboxEntry | undefined {
    const entry = this.#store.outbox.find(view.msgId)
    return entry?.sealed && equal(entry.sealed, mls) ? entry : undefined
  }

  #ownMessage(entry: OutboxEntry): undefined {
    this.#landed.push(entry)
    this.#show(ownItem(entry, this.#deps.me))
  }

  async #message(seq: number, mls: Bytes, view: View, epoch: number): Promise<Stop | undefined> {
    const opened = await this.#open(mls)
    if (opened instanceof SottoError) return this.#unopened(seq, view, epoch)
    if (opened.kind !== 'message') return this.#unknownOwn(seq, view)
    this.#unreadable = PROVEN
    const verdict = await judgeView(view, seq, this.#store.chains, this.#links)
    if (verdict !== 'agrees')
      return { kind: 'alarm', alarm: verdict === 'forked' ? FORKED : REORDERED }
    const { user, device } = opened.sender
    const mine = user === this.#deps.me.user
    const item = readBody(opened.body, hex(view.msgId), user, hex(device), mine)
    if (this.#repeated(item)) return undefined
    if (!mine) this.#received += 1
    this.#show(item)
  }

  /** A message that does not open: damaged or repeated by somebody, or our own state is broken. */
  #unopened(seq: number, view: View, epoch: number): Stop | undefined {
    if (this.#shown(view) || this.#store.outbox.find(view.msgId) !== undefined) return undefined
    const { mls } = this.#loaded
    const { state } = this.#group
    // Somebody wrote while we came in: it is for those who were there already.
    if (epoch < mls.epoch(state) && !mls.wasIn(state, epoch))
      return this.#line(seq, 'before', BEFORE)
    this.#unreadable += 1
    if (epoch > mls.epoch(state)) return { kind: 'repair', cause: UNREADABLE }
    return this.#rubbish(seq)
  }

  /** What a member or the endpoint put there is no message: say so, and go on. */
  #rubbish(seq: number): undefined {
    const text = 'A message here could not be opened: it was damaged, or sent a second time.'
    return this.#line(seq, 'unreadable', text)
  }

  #line(seq: number, kind: string, text: string): undefined {
    this.#show({ k: 's', id: `${kind}-${seq}`, text, at: this.#deps.clock.now() })
  }

  /**
   * Sealed in our place, and we know nothing of it: either what is stored here is older than what
   * we sent, or a member pretends so. A new place in the group settles both; going on to seal from
   * an old state could use a key twice. A member who pretends again is not obeyed again.
   */
  #unknownOwn(seq: number, view: View): Stop | undefined {
    if (this.#shown(view)) return undefined
    if (!this.#mayDoubt) return this.#rubbish(seq)
    const waiting = this.#store.outbox.find(view.msgId)
    // Under this id something else of ours may have been sent: the person has to look.
    if (waiting !== undefined) this.#doubtful.push({ ...waiting, failed: DOUBTFUL })
    return { kind: 'repair', cause: ROLLED_BACK, doubt: true }
  }

  /** A message that stands there already: shown once is enough. */
  #shown({ msgId }: View): boolean {
    const id = hex(msgId)
    return this.#items.some((item) => item.id === id) || this.#store.history.hasId(id)
  }

  async #commit(mls: Bytes): Promise<Stop | undefined> {
    const opened = await this.#open(mls)
    if (opened instanceof SottoError) {
      if (opened.code === 'bad_member')
        return { kind: 'alarm', alarm: { kind: 'member', text: opened.message } }
      return { kind: 'repair', cause: 'A change of the room’s devices could not be followed.' }
    }
    if (opened.kind === 'removed') return { kind: 'repair', cause: REMOVED }
    if (opened.kind === 'own') return { kind: 'repair', cause: ROLLED_BACK }
    this.#unreadable = PROVEN
    // Another commit won this epoch: ours was for the epoch before and can't win any more.
    this.#pending = null
  }

  /** Opens under the state so far and moves it on; a refusal is returned, never thrown. */
  async #open(mls: Bytes): Promise<Opened | SottoError> {
    try {
      const trust = { verify: this.#deps.verify, now: this.#deps.clock.now() }
      const result = await this.#loaded.mls.open(this.#group.state, mls, trust)
      this.#group = { ...this.#group, state: result.state }
      return result.opened
    } catch (error) {
      if (error instanceof SottoError && error.code !== 'unavailable') return error
      throw error
    }
  }

  #repeated(item: StoredItem): boolean {
    return this.#store.history.has(item) || this.#items.some((other) => sameMessage(item, other))
  }

  #show(item: StoredItem): void {
    this.#items.push(item)
    this.#lastAt = Math.max(this.#lastAt, Math.min(item.at, this.#deps.clock.now()))
  }
}

/** A message of ours as it is kept once it has been said. */
export function ownItem({ msgId, text, at }: OutboxEntry, me: RoomDeps['me']): StoredItem {
  const device = hex(me.device)
  return { k: 'm', id: hex(msgId), from: me.user, device, mine: true, text, at }
}

const BEFORE = 'A message here was written before this device came in: it can’t be read on it.'
const FORKED: Alarm = {
  kind: 'fork',
  text: 'The server has shown two different histories of this conversation.',
}
const REORDERED: Alarm = {
  kind: 'fork',
  text: 'The server has put messages of this conversation into another order.',
}
const DOUBTFUL =
  'This may have been sent already, before this device was put back to an older state. Ask whether it arrived, then send it again or discard it.'
const MAYBE_SENT =
  'This may have been sent already, in a part of the conversation that this device can’t look at any more. Ask whether it arrived, then send it again or discard it.'
const ROLLED_BACK = 'What this device had stored was older than what it had sent.'
export const SET_UP_ANEW = 'The conversation was set up anew by another device.'
export const UNREADABLE = 'Several messages could not be opened on this device.'
const REMOVED = 'This device was away for long and had left the conversation meanwhile.'

/** What was sealed and may have been sent, where that can't be learnt any more: the person decides. */
export function inDoubt(
  { outbox }: RoomStore,
  which: (entry: OutboxEntry) => boolean = () => true,
): OutboxEntry[] {
  return outbox.entries
    .filter((entry) => entry.sealed !== null && entry.failed === '' && which(entry))
    .map((entry) => ({ ...entry, failed: MAYBE_SENT }))
}

/** Undefined when this is the id of no group of a room. */
function generationOf(groupId: Bytes): number | undefined {
  return groupId.length === ROOM + 4 ? new Reader(groupId.slice(ROOM)).u32() : undefined
}

/** Undefined for bytes that are not what they should be. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof SottoError) return undefined
    throw error
  }
}

function sameMessage(a: StoredItem, b: StoredItem): boolean {
  return a.k === 'm' && b.k === 'm' && a.id === b.id && a.from === b.from && a.device === b.device
}

function readBody(
  body: Bytes,
  id: string,
  from: string,
  device: string,
  mine: boolean,
): StoredItem {
  try {
    const { text, at } = decodeMessage(bodySchema, body)
    return { k: 'm', id, from, device, mine, text, at }
  } catch {
    const text = `${from} sent something that this version of Sotto can’t show. Reload to update.`
    return { k: 's', id: `${from}/${id}`, text, at: 0 }
  }
}
