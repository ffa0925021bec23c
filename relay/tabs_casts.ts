import type { TemplatedApp } from 'uWebSockets.js'
import { randomInt } from 'node:crypto'
import type { Limits } from './limits.ts'
import type { Socket } from './tab.ts'
import { type Backlog, Backlogs } from './tabs_backlog.ts'

/** Bytes cast to a topic until they are added to each member's count. */
const COUNT = 16_384
const TOKEN = 4
const LAST_TOKEN = 2 ** 31 - 1

export interface Topic {
  readonly id: number
  readonly name: string
  /** Whom uWebSockets publishes to. */
  readonly members: Set<Socket>
  /** For whom casts wait. */
  readonly behind: Set<Socket>
  /** Bytes published that are not yet in the members' counts. */
  uncounted: number
}

/** How far a tab has read. */
export class Reading {
  /** How many bytes it may be given beyond those that it has answered for. */
  window: number
  /** Bytes of casts, and of what waited, that it was given since those that it last answered for. */
  unanswered = 0
  /** The ping under way: how many of them it asks for, and what it says. */
  asked: { readonly bytes: number; readonly token: number } | undefined
  /** Only while it is behind. */
  backlog: Backlog | undefined

  constructor(window: number) {
    this.window = window
  }
}

export interface CastsEvents {
  /** One frame for this tab. It may be ended before this returns. */
  send(ws: Socket, frame: Uint8Array): void
  /** Too much waits for this one. It is ended before this returns. */
  slow(ws: Socket): void
}

/**
 * Hands casts on, and never fills the kernel's buffers, some megabytes a socket, with what nobody
 * reads: copying it there for a thousand tabs takes the time of all others. A WebSocket ping goes
 * behind what a tab was given; who reads comes to it and answers (RFC 6455, 5.5.2: browsers do so
 * by themselves). A tab that has too much unanswered is behind: all that is for it waits here, in
 * order, casts in one copy for all, until it answers or until too much waits. Each answer doubles
 * what it may have unanswered, as in TCP's slow start: nobody is given unread more than a new
 * tab's share or twice what it has read.
 */
export class Casts {
  readonly #app: Pick<TemplatedApp, 'publish'>
  readonly #limits: Limits
  readonly #events: CastsEvents
  readonly #topics = new Map<number, Topic>()
  readonly #behind = new Set<Socket>()
  readonly #backlogs = new Backlogs()

  constructor(app: Pick<TemplatedApp, 'publish'>, limits: Limits, events: CastsEvents) {
    this.#app = app
    this.#limits = limits
    this.#events = events
  }

  subscribe(ws: Socket, id: number): void {
    const tab = ws.getUserData()
    const topic = this.#topic(id)
    if (tab.topics.includes(topic)) return
    // Not a spread, which makes room for sixteen more.
    tab.topics = tab.topics.concat(topic)
    if (tab.reading?.backlog === undefined) join(ws, topic)
    else topic.behind.add(ws)
  }

  unsubscribe(ws: Socket, id: number): void {
    const tab = ws.getUserData()
    const topic = this.#topic(id)
    tab.topics = tab.topics.filter((one) => one !== topic)
    if (topic.members.has(ws)) part(ws, topic)
    topic.behind.delete(ws)
    this.#forget(topic)
  }

  /** To how many tabs a cast to this topic goes at once. */
  members(id: number): number {
    return this.#topics.get(id)?.members.size ?? 0
  }

  /** `frame` is copied when it has to wait. */
  cast(id: number, frame: Uint8Array): void {
    const topic = this.#topics.get(id)
    if (topic === undefined) return
    // First of all: whom the count finds behind has got this one.
    if (topic.behind.size > 0) this.#withhold(frame, [...topic.behind])
    if (topic.members.size === 0) return
    this.#app.publish(topic.name, frame, true, false)
    topic.uncounted += frame.length
    if (topic.uncounted < COUNT) return
    const bytes = topic.uncounted
    topic.uncounted = 0
    for (const ws of topic.members) this.#given(ws, bytes)
  }

  /** A frame for one tab alone. Only what it waits behind makes it wait. */
  data(ws: Socket, frame: Uint8Array): void {
    if (ws.getUserData().reading?.backlog === undefined) this.#events.send(ws, frame)
    else this.#withhold(frame, [ws])
  }

  /** An answer to any ping: uWebSockets sends some too. What was not asked for counts for nothing. */
  answered(ws: Socket, payload: ArrayBuffer): void {
    const { reading } = ws.getUserData()
    if (reading?.asked === undefined || payload.byteLength !== TOKEN) return
    if (new DataView(payload).getUint32(0) !== reading.asked.token) return
    reading.unanswered -= reading.asked.bytes
    reading.asked = undefined
    reading.window = Math.min(2 * reading.window, this.#limits.tabWindowMost)
    if (this.#catchUp(ws, reading)) this.#ask(ws, reading)
  }

  /** All that waits for this one goes out, before its connection is ended. It may be ended by that. */
  flush(ws: Socket): void {
    const { reading } = ws.getUserData()
    if (reading?.backlog !== undefined)
      this.#hand(ws, reading, this.#backlogs.take(reading.backlog))
  }

  /** It is not to be used any more. */
  closed(ws: Socket): void {
    const { reading, topics } = ws.getUserData()
    if (reading?.backlog !== undefined) {
      this.#backlogs.take(reading.backlog)
      reading.backlog = undefined
      this.#behind.delete(ws)
    }
    for (const topic of topics) {
      topic.members.delete(ws)
      topic.behind.delete(ws)
      this.#forget(topic)
    }
  }

  #given(ws: Socket, bytes: number): void {
    const tab = ws.getUserData()
    tab.reading ??= new Reading(this.#limits.tabWindow)
    tab.reading.unanswered += bytes
    this.#ask(ws, tab.reading)
    if (tab.reading.unanswered > tab.reading.window) this.#fallBehind(ws, tab.reading)
  }

  /** Nobody can answer without having read: what a ping says can't be guessed. */
  #ask(ws: Socket, reading: Reading): void {
    if (reading.asked !== undefined || reading.unanswered < reading.window / 2) return
    const token = randomInt(LAST_TOKEN)
    reading.asked = { bytes: reading.unanswered, token }
    const payload = new DataView(new ArrayBuffer(TOKEN))
    payload.setUint32(0, token)
    // Together with the casts that are on their way to it.
    ws.cork(() => ws.ping(payload.buffer))
  }

  #fallBehind(ws: Socket, reading: Reading): void {
    reading.backlog = { waiting: [], bytes: 0 }
    this.#behind.add(ws)
    for (const topic of ws.getUserData().topics) {
      part(ws, topic)
      topic.behind.add(ws)
    }
  }

  #withhold(frame: Uint8Array, tabs: readonly Socket[]): void {
    const backlogOf = (ws: Socket) => ws.getUserData().reading?.backlog
    this.#backlogs.add(
      frame,
      tabs.map(backlogOf).filter((backlog) => backlog !== undefined),
    )
    for (const ws of tabs)
      if ((backlogOf(ws)?.bytes ?? 0) > this.#limits.tabBuffer) this.#events.slow(ws)
    if (this.#backlogs.held > this.#limits.allTabsBuffer / 8) this.#relieve()
  }

  /** Ends those for whom most waits, until half of the room is free. */
  #relieve(): void {
    const bytes = (ws: Socket) => ws.getUserData().reading?.backlog?.bytes ?? 0
    for (const ws of [...this.#behind].sort((a, b) => bytes(b) - bytes(a))) {
      if (this.#backlogs.held <= this.#limits.allTabsBuffer / 16) return
      this.#events.slow(ws)
    }
  }

  /** Sends what waits, as far as the window allows. False: the tab was ended meanwhile. */
  #catchUp(ws: Socket, reading: Reading): boolean {
    const { backlog, window, unanswered } = reading
    if (backlog === undefined) return true
    if (!this.#hand(ws, reading, this.#backlogs.take(backlog, window - unanswered))) return false
    if (backlog.waiting.length > 0) return true
    reading.backlog = undefined
    this.#behind.delete(ws)
    for (const topic of ws.getUserData().topics) {
      topic.behind.delete(ws)
      join(ws, topic)
    }
    return true
  }

  /** False: the tab was ended meanwhile. */
  #hand(ws: Socket, reading: Reading, frames: readonly Uint8Array[]): boolean {
    for (const frame of frames) {
      this.#events.send(ws, frame)
      if (reading.backlog === undefined) return false
      reading.unanswered += frame.length
    }
    return true
  }

  #topic(id: number): Topic {
    const known = this.#topics.get(id)
    if (known !== undefined) return known
    const name = String(id)
    const topic = { id, name, members: new Set<Socket>(), behind: new Set<Socket>(), uncounted: 0 }
    this.#topics.set(id, topic)
    return topic
  }

  /** A topic that nobody is in takes no memory. */
  #forget(topic: Topic): void {
    if (topic.members.size === 0 && topic.behind.size === 0) this.#topics.delete(topic.id)
  }
}

function join(ws: Socket, topic: Topic): void {
  ws.subscribe(topic.name)
  topic.members.add(ws)
}

function part(ws: Socket, topic: Topic): void {
  ws.unsubscribe(topic.name)
  topic.members.delete(ws)
}
