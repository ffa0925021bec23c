import { equal, hex } from '../protocol/bytes.ts'
import { costOfAbsence, type Limits } from './absence.ts'
import type { StoredItem } from './history.ts'
import type { MessageId, MessageView, RoomId, RoomView, TimelineItem } from './model.ts'
import type { OutboxEntry } from './outbox.ts'
import type { RoomDeps } from './room_deps.ts'
import type { RoomStore } from './room_store.ts'
import type { Searchable } from './search.ts'

/** What the screen has to know of a room besides what is stored. */
export interface Situation {
  readonly online: boolean
  /** Why the endpoint gives and takes nothing here, else empty. */
  readonly stopped: string
  /** Nothing can be written here any more. */
  readonly over: boolean
  /** Nothing can leave this device any more. */
  readonly removed: boolean
  /** The endpoint does not accept this device so far. */
  readonly refused: boolean
  /** What the room waits for before it can be used, else empty. */
  readonly waiting: string
  /** What went wrong on this device and is tried again, else empty. */
  readonly fault: string
  /** Numbers of outbox entries that the endpoint has acknowledged. */
  readonly acked: { has(n: number): boolean }
  readonly crypto: string
  readonly limits: Limits | undefined
}

/**
 * A room as the screen sees it: the stored messages, between them what passes by, and at the end
 * what is still on its way out.
 */
export class RoomScreen {
  readonly #store: RoomStore
  readonly #deps: RoomDeps
  #count = 0

  constructor(store: RoomStore, deps: RoomDeps) {
    this.#store = store
    this.#deps = deps
  }

  /** Shows a line at the end of the room, as long as this page lasts. */
  announce(text: string): void {
    const { history, passing } = this.#store
    const at = this.#deps.clock.now()
    passing.add(history.length, [{ k: 's', id: `now-${this.#count++}`, text, at }])
  }

  get length(): number {
    const { history, outbox, passing } = this.#store
    return history.length + passing.length + outbox.entries.length
  }

  /** Items [from, to), at once when they are at hand. */
  range(
    from: number,
    to: number,
    situation: Situation,
  ): readonly TimelineItem[] | Promise<readonly TimelineItem[]> {
    const { history, outbox, passing } = this.#store
    const settled = history.length + passing.length
    const tail = outbox.entries
      .slice(Math.max(0, from - settled), Math.max(0, to - settled))
      .map((entry) => this.#sending(entry, situation))
    const first = passing.storedBefore(Math.min(from, settled))
    const last = passing.storedBefore(Math.min(to, settled))
    const lines = passing.slice(Math.min(from, settled) - first, Math.min(to, settled) - last)
    const merge = (stored: readonly StoredItem[]): TimelineItem[] => [
      ...interleave(stored, first, lines).map(toView),
      ...tail,
    ]
    const stored = history.range(first, last)
    return stored instanceof Promise ? stored.then(merge) : merge(stored)
  }

  /** The room as a search sees it, at this moment. */
  get searchable(): Searchable {
    const { id, history, passing } = this.#store
    const lines = passing.slice(0, passing.length)
    return {
      room: id as RoomId,
      history,
      placeOf: (n) => passing.placeOf(n),
      storedBefore: (place) => passing.storedBefore(Math.min(place, history.length + lines.length)),
      unkept: lines.flatMap(({ before, item }, i) =>
        item.k === 'm' ? [{ place: before + i, item }] : [],
      ),
    }
  }

  #sending(entry: OutboxEntry, situation: Situation): MessageView {
    const waits = this.#waits(situation)
    const acked = situation.acked.has(entry.n)
    const failed = whyFailed(entry, situation)
    const state = failed !== '' ? 'failed' : acked ? 'sent' : waits === '' ? 'sending' : 'waiting'
    return {
      kind: 'text',
      id: hex(entry.msgId) as MessageId,
      from: this.#deps.me.user,
      mine: true,
      text: entry.text,
      at: entry.at,
      state,
      reason: failed || (state === 'waiting' ? waits : ''),
      unsent: state === 'waiting' && entry.sealed === null,
      final: state === 'failed' && (situation.over || situation.removed),
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
      failed: this.#store.outbox.entries.filter((entry) => whyFailed(entry, situation)).length,
      waits: this.#waits(situation),
      crypto: situation.crypto,
      absence: situation.limits === undefined ? '' : costOfAbsence(meta.kind, situation.limits),
      keepsHistory: meta.keeps,
    }
  }

  #waits(situation: Situation): string {
    if (this.#phase(situation).phase === 'alarm') return 'Waiting for your decision'
    if (!situation.online) return situation.refused ? NOT_ACCEPTED : 'Waiting for the connection'
    if (situation.fault !== '') return 'Waiting for this device'
    if (situation.stopped !== '') return 'Waiting for the server'
    return situation.waiting === '' ? '' : `Waiting for ${this.#store.meta.peer || 'the room'}`
  }

  #phase({ over, stopped, waiting, fault }: Situation): Pick<RoomView, 'phase' | 'text'> {
    const { meta, inGroup } = this.#store
    if (over) return { phase: 'gone', text: 'This conversation is over: it can only be read.' }
    if (meta.alarm !== null) return { phase: 'alarm', text: meta.alarm.text }
    if (meta.peer !== '' && this.#deps.trust.word(meta.peer) === 'changed')
      return { phase: 'alarm', text: `The key of ${meta.peer} has changed. Nothing is sent.` }
    if (fault !== '') return { phase: 'repairing', text: `${fault} It is tried again by itself.` }
    if (stopped !== '') return { phase: 'stopped', text: stopped }
    if (meta.repair !== '')
      return { phase: 'repairing', text: `${meta.repair} Joining again. ${waiting}`.trim() }
    if (!inGroup || waiting !== '')
      return { phase: 'joining', text: waiting === '' ? 'Setting up encryption.' : waiting }
    return { phase: 'ready', text: '' }
  }
}

/** It is tried again, but what waits for that may wait for ever. */
const NOT_ACCEPTED = 'Not sent: the server does not accept you'

/** Why nothing becomes of this message, else empty. */
export function whyFailed(entry: OutboxEntry, { over, removed, acked }: Situation): string {
  if (entry.failed !== '' || acked.has(entry.n)) return entry.failed
  const what = entry.sealed === null ? 'it was not sent' : 'it may not have arrived'
  if (over) return `This conversation is over: ${what}.`
  return removed ? `This device was removed: ${what}.` : ''
}

function toView(item: StoredItem): TimelineItem {
  if (item.k === 's') return { kind: 'system', id: item.id, text: item.text, at: item.at }
  const { id, from, mine, text, at } = item
  const state = mine ? 'sent' : 'received'
  return { kind: 'text', id: id as MessageId, from, mine, text, at, state, reason: '' }
}

/** Puts passing lines between stored ones, of which `first` is the number of the first. */
function interleave(
  stored: readonly StoredItem[],
  first: number,
  passing: readonly { readonly before: number; readonly item: StoredItem }[],
): StoredItem[] {
  const out: StoredItem[] = []
  let next = 0
  stored.forEach((item, i) => {
    for (let line = passing[next]; line && line.before <= first + i; line = passing[++next])
      out.push(line.item)
    out.push(item)
  })
  return [...out, ...passing.slice(next).map(({ item }) => item)]
}
