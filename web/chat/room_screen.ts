import { equal, hex } from '../protocol/bytes.ts'
import type { StoredItem } from './history.ts'
import type { MessageId, MessageView, RoomId, RoomView, SystemView, TimelineItem } from './model.ts'
import type { OutboxEntry } from './outbox.ts'
import type { RoomDeps } from './room_deps.ts'
import type { RoomStore } from './room_store.ts'

/** What the screen has to know of a room besides what is stored. */
export interface Situation {
  readonly online: boolean
  readonly gone: boolean
  /** What the room waits for before it can be used, else empty. */
  readonly waiting: string
  /** Numbers of outbox entries that the endpoint has acknowledged. */
  readonly acked: { has(n: number): boolean }
  readonly crypto: string
}

/** System lines that are not stored, such as who came and went. */
const MOST_PASSING = 500

/**
 * A room as the screen sees it: the stored messages, between them what passes by, and at the end
 * what is still on its way out.
 */
export class RoomScreen {
  readonly #store: RoomStore
  readonly #deps: RoomDeps
  /** Sorted by `before`, the number of stored items that stand in front. */
  #passing: { readonly before: number; readonly item: SystemView }[] = []
  #count = 0

  constructor(store: RoomStore, deps: RoomDeps) {
    this.#store = store
    this.#deps = deps
  }

  /** Shows a line at the end of the room, as long as this page lasts. */
  announce(text: string): void {
    const item = { kind: 'system', id: `now-${this.#count++}`, text, at: this.#deps.clock.now() }
    this.#passing = [
      ...this.#passing,
      { before: this.#store.history.length, item: item as SystemView },
    ].slice(-MOST_PASSING)
  }

  get length(): number {
    const { history, outbox } = this.#store
    return history.length + this.#passing.length + outbox.entries.length
  }

  /** Items [from, to), at once when they are at hand. */
  range(
    from: number,
    to: number,
    situation: Situation,
  ): readonly TimelineItem[] | Promise<readonly TimelineItem[]> {
    const { history, outbox } = this.#store
    const settled = history.length + this.#passing.length
    const tail = outbox.entries
      .slice(Math.max(0, from - settled), Math.max(0, to - settled))
      .map((entry) => this.#sending(entry, situation))
    const first = this.#storedBefore(Math.min(from, settled))
    const last = this.#storedBefore(Math.min(to, settled))
    const passing = this.#passing.slice(
      Math.min(from, settled) - first,
      Math.min(to, settled) - last,
    )
    const merge = (stored: readonly StoredItem[]): TimelineItem[] => [
      ...interleave(stored.map(toView), first, passing),
      ...tail,
    ]
    const stored = history.range(first, last)
    return stored instanceof Promise ? stored.then(merge) : merge(stored)
  }

  /** How many stored items stand before place `index` of the timeline. */
  #storedBefore(index: number): number {
    let low = 0
    let high = this.#passing.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#passing[middle]?.before ?? 0) + middle < index) low = middle + 1
      else high = middle
    }
    return index - low
  }

  #sending(entry: OutboxEntry, { online, acked }: Situation): MessageView {
    const state =
      entry.failed !== '' ? 'failed' : acked.has(entry.n) ? 'sent' : online ? 'sending' : 'waiting'
    return {
      kind: 'text',
      id: hex(entry.msgId) as MessageId,
      from: this.#deps.me.user,
      mine: true,
      text: entry.text,
      at: entry.at,
      state,
      reason: entry.failed,
    }
  }

  view(situation: Situation): RoomView {
    const { meta, unread } = this.#store
    const { me, trust } = this.#deps
    const { phase, text } = this.#phase(situation)
    return {
      room: this.#store.id as RoomId,
      kind: meta.kind,
      title: meta.kind === 'lobby' ? 'Lobby' : meta.peer,
      readers: meta.readers.map(({ user, fingerprint, devices }) => ({
        user,
        fingerprint: hex(fingerprint),
        devices,
        me: user === me.user && equal(fingerprint, me.fingerprint),
        trust: trust.word(user),
      })),
      phase,
      text,
      unread,
      lastActivity: meta.lastAt,
      length: this.length,
      outgoing: this.#store.outbox.entries.length,
      crypto: situation.crypto,
    }
  }

  #phase({ gone, waiting }: Situation): Pick<RoomView, 'phase' | 'text'> {
    const { meta, inGroup } = this.#store
    if (gone) return { phase: 'gone', text: 'This conversation is over: it can only be read.' }
    if (meta.alarm !== null) return { phase: 'alarm', text: meta.alarm.text }
    if (meta.peer !== '' && this.#deps.trust.word(meta.peer) === 'changed')
      return { phase: 'alarm', text: `The key of ${meta.peer} has changed. Nothing is sent.` }
    if (meta.repair !== '')
      return { phase: 'repairing', text: `${meta.repair} Joining again. ${waiting}`.trim() }
    if (!inGroup || waiting !== '')
      return { phase: 'joining', text: waiting === '' ? 'Setting up encryption.' : waiting }
    return { phase: 'ready', text: '' }
  }
}

function toView(item: StoredItem): TimelineItem {
  if (item.k === 's') return { kind: 'system', id: item.id, text: item.text, at: item.at }
  const { id, from, mine, text, at } = item
  const state = mine ? 'sent' : 'received'
  return { kind: 'text', id: id as MessageId, from, mine, text, at, state, reason: '' }
}

/** Puts passing lines between stored ones, of which `first` is the number of the first. */
function interleave(
  stored: readonly TimelineItem[],
  first: number,
  passing: readonly { readonly before: number; readonly item: SystemView }[],
): TimelineItem[] {
  const out: TimelineItem[] = []
  let next = 0
  stored.forEach((item, i) => {
    for (let line = passing[next]; line && line.before <= first + i; line = passing[++next])
      out.push(line.item)
    out.push(item)
  })
  return [...out, ...passing.slice(next).map(({ item }) => item)]
}
