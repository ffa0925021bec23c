import { repeat } from 'lit/directives/repeat.js'
import type { ChatModel, MessageView, RoomId, RoomView, TimelineItem } from '../chat/model.ts'
import './copy_button.ts'
import { SottoElement } from './element.ts'
import { SeenEvent, UnsentMessageEvent } from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { downIcon } from './icons.ts'
import { row } from './message_row.ts'
import { PAGE, PageWindow } from './page_window.ts'
import { plural } from './words.ts'

/** Closer to the end than this (CSS pixels) the list follows what is new. */
const AT_END = 48
/** Drawn above and below what is visible (CSS pixels). */
const MARGIN = 700
/** New messages are announced together, at most this often (ms). */
const ANNOUNCE = 1000

/** A message that was searched for stays marked so long (ms). */
const FOUND = 2500

/** A page of the timeline and the item before it, which decides on names and days. */
interface Page {
  /** Which request it comes from: an answer to an earlier one is not taken any more. */
  readonly asked: number
  readonly before: TimelineItem | undefined
  readonly items: readonly TimelineItem[]
}

/**
 * A conversation of any length: only the pages near the visible part are drawn. It follows the
 * newest message while it is at the end, and stays where it is otherwise.
 */
@customElement('message-list')
export class MessageList extends SottoElement {
  @property room: RoomView | undefined
  @property model: ChatModel | undefined
  /** The link that brings somebody here. */
  @property invitation = ''
  @state private marker: string | undefined
  @state private announcement = ''
  @state private following = true

  #window = new PageWindow()
  #pages = new Map<number, Page>()
  #asked = 0
  #drawn: [first: number, last: number] = [0, 0]
  /** What stays in place on the screen when something above it changes its height. */
  #anchor: { id: string; top: number } | undefined
  #shown: { room: RoomId; settled: number; unread: number } | undefined
  /** An item that is to be shown as soon as it is drawn. */
  #wanted: string | undefined
  #heard: MessageView[] = []
  /** Where the view was: only moving up from there ends the following. */
  #top = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #resized = new ResizeObserver(() => this.#settle())
  readonly #onVisible = (): void => this.#tellSeen()

  private get scroller(): HTMLElement | null {
    return this.querySelector('[role=log]')
  }

  override connectedCallback(): void {
    super.connectedCallback()
    document.addEventListener('visibilitychange', this.#onVisible)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    document.removeEventListener('visibilitychange', this.#onVisible)
    this.#resized.disconnect()
    clearTimeout(this.#timer)
  }

  protected override firstUpdated(): void {
    if (this.scroller) this.#resized.observe(this.scroller)
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    const room = this.room
    if (room === undefined) return
    if (room.room !== this.#shown?.room || settled(room) < this.#shown.settled) this.#begin()
    if (changed.has('room')) this.#take(room)
    this.#anchor = this.following ? undefined : this.#topmost()
    if (this.following) this.#drawn = this.#lastPages()
    for (let page = this.#drawn[0]; page <= this.#drawn[1]; page++)
      if (!this.#pages.has(page)) this.#load(room, page)
  }

  override render(): Html | typeof nothing {
    if (this.room === undefined) return nothing
    const [first, last] = this.#drawn
    const drawn = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    return html`
      <div role="log" aria-label="Messages" aria-live="off" tabindex="0" @scroll=${this.#onScroll}>
        <div class="space"></div>
        ${repeat(
          drawn,
          (page) => `${this.room?.room} ${page}`,
          (page) => html`<div class="page" data-page=${page}>${this.#renderPage(page)}</div>`,
        )}
        <div class="space"></div>
        ${this.room.length === 0 ? this.#renderEmpty(this.room) : nothing}
      </div>
      ${this.following ? nothing : this.#renderJump(this.room.unread)}
      <p class="unseen" aria-live="polite">${this.announcement}</p>
    `
  }

  protected override updated(): void {
    this.#settle()
    this.#tellSeen()
  }

  /** Scrolls to the newest message and follows from there. */
  follow(): void {
    this.following = true
    this.requestUpdate()
  }

  #jump(): void {
    this.scroller?.focus()
    this.follow()
  }

  /** Goes to the item at a place of the timeline, and marks it for a moment. */
  show(place: number, id: string): void {
    const page = Math.min(Math.floor(place / PAGE), this.#window.pages - 1)
    this.#wanted = id
    this.following = false
    this.#drawn = [Math.max(0, page - 1), Math.min(this.#window.pages - 1, page + 1)]
    this.requestUpdate()
  }

  #renderPage(page: number): Html[] {
    const { before, items = [] } = this.#pages.get(page) ?? {}
    const now = Date.now()
    const onUnsent = (item: MessageView, what: 'retry' | 'discard'): void => {
      if (this.room) this.dispatchEvent(new UnsentMessageEvent(this.room.room, item.id, what))
    }
    return items.map((item, i) =>
      row(item, {
        ...{ before: i === 0 ? before : items[i - 1], now, marker: this.marker },
        onUnsent,
      }),
    )
  }

  #renderEmpty({ kind, readers }: RoomView): Html {
    if (kind !== 'lobby') return html`<p class="empty">No messages on this device.</p>`
    if (readers.length !== 1)
      return html`<div class="empty">
        <p>No messages on this device.</p>
        <p class="soft">What was said before you came can be read by those who were here then, and by nobody else.</p>
      </div>`
    return html`<div class="empty">
      <p>Nobody else is here yet.</p>
      <p class="soft">Open this page in a second tab to be somebody else as well, or send its link to somebody.</p>
      <copy-button .text=${this.invitation} .label=${'Copy the link'}></copy-button>
    </div>`
  }

  #renderJump(unread: number): Html {
    return html`<button class="button jump" type="button" @click=${this.#jump}>
      ${downIcon()} ${unread > 0 ? plural(unread, 'new message') : 'To the newest'}
    </button>`
  }

  /** Another conversation, or this one was wiped: nothing of what was shown stays. */
  #begin(): void {
    this.#window = new PageWindow()
    this.#pages = new Map()
    this.#shown = undefined
    this.#heard = []
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#wanted = undefined
    this.marker = undefined
    this.announcement = ''
    this.following = true
  }

  /** A new state of the same conversation. Items may have changed their state anywhere drawn. */
  #take(room: RoomView): void {
    const before = this.#shown
    const now = settled(room)
    this.#shown = { room: room.room, settled: now, unread: room.unread }
    this.#window.resize(room.length)
    if (this.following) this.#drawn = this.#lastPages()
    const [first, last] = this.#drawn
    for (const page of this.#pages.keys())
      if (page < first || page > last) this.#pages.delete(page)
      else this.#load(room, page)
    const unwatched = before === undefined || !this.following || document.hidden
    if (room.unread > 0 && unwatched && (before?.unread ?? 0) === 0) void this.#mark(room)
    if (before !== undefined && now > before.settled) void this.#hear(room, before.settled)
  }

  #load(room: RoomView, page: number): void {
    const { from, to } = this.#window.range(page)
    if (this.model === undefined || from >= to) {
      this.#pages.delete(page)
      return
    }
    const asked = ++this.#asked
    const lead = page === 0 ? 0 : 1
    const put = (items: readonly TimelineItem[]): void => {
      const before = lead ? items[0] : undefined
      this.#pages.set(page, { asked, before, items: items.slice(lead) })
    }
    const found = this.model.timeline(room.room, from - lead, to)
    if (!(found instanceof Promise)) {
      put(found)
      return
    }
    if (!this.#pages.has(page)) this.#pages.set(page, { asked, before: undefined, items: [] })
    const late = (): boolean => asked < (this.#pages.get(page)?.asked ?? Number.POSITIVE_INFINITY)
    found.then(
      (items) => {
        if (late()) return
        put(items)
        this.requestUpdate()
      },
      () => late() || this.#pages.delete(page),
    )
  }

  /** Finds the first of the unread messages, which are the newest ones of other people. */
  async #mark(room: RoomView): Promise<void> {
    const from = Math.max(0, room.length - 2 * room.unread - 50)
    const window = this.#window
    const items = await this.model?.timeline(room.room, from, room.length)
    if (this.#window !== window) return
    const theirs = (items ?? []).filter((item) => item.kind === 'text' && !item.mine)
    this.marker = theirs.at(-room.unread)?.id ?? theirs[0]?.id
  }

  /** Gathers what came, and has it read out once a second. */
  async #hear(room: RoomView, from: number): Promise<void> {
    const window = this.#window
    const items = await this.model?.timeline(room.room, from, settled(room))
    if (this.#window !== window) return
    for (const item of items ?? []) if (item.kind === 'text' && !item.mine) this.#heard.push(item)
    if (this.#heard.length === 0) return
    this.#timer ??= setTimeout(() => {
      const [only] = this.#heard
      this.announcement =
        only !== undefined && this.#heard.length === 1
          ? `${only.from}: ${only.text}`
          : plural(this.#heard.length, 'new message')
      this.#heard = []
      this.#timer = undefined
    }, ANNOUNCE)
  }

  #lastPages(): [number, number] {
    const last = Math.max(0, this.#window.pages - 1)
    const height = (this.scroller?.clientHeight ?? 0) + MARGIN
    let first = last
    while (first > 0 && this.#window.span(first, last + 1) < height) first--
    return [first, last]
  }

  #onScroll(): void {
    const scroller = this.scroller
    if (!scroller) return
    const { scrollTop, clientHeight, scrollHeight } = scroller
    const atEnd = scrollHeight - scrollTop - clientHeight < AT_END
    this.following = atEnd || (this.following && scrollTop >= this.#top)
    this.#top = scrollTop
    const wanted = this.#window.between(scrollTop - MARGIN, scrollTop + clientHeight + MARGIN)
    if (wanted[0] !== this.#drawn[0] || wanted[1] !== this.#drawn[1]) {
      this.#drawn = wanted
      this.requestUpdate()
    }
    this.#tellSeen()
  }

  #topmost(): { id: string; top: number } | undefined {
    const edge = this.scroller?.getBoundingClientRect().top ?? 0
    for (const item of this.querySelectorAll<HTMLElement>('[data-id]')) {
      const { top, bottom } = item.getBoundingClientRect()
      if (bottom > edge) return { id: item.dataset.id ?? '', top }
    }
    return undefined
  }

  /** After drawing: measures, sets the empty space, and puts the view where it belongs. */
  #settle(): void {
    const scroller = this.scroller
    if (!scroller) return
    const place = this.#window.placeAt(scroller.scrollTop)
    for (const page of scroller.querySelectorAll<HTMLElement>('.page'))
      if (page.childElementCount > 0)
        this.#window.measure(Number(page.dataset.page), page.getBoundingClientRect().height)
    const [first, last] = this.#drawn
    const [above, below] = scroller.querySelectorAll<HTMLElement>('.space')
    above?.style.setProperty('height', `${this.#window.span(0, first)}px`)
    below?.style.setProperty('height', `${this.#window.span(last + 1, this.#window.pages)}px`)
    if (this.following) {
      scroller.scrollTop = scroller.scrollHeight
      this.#top = scroller.scrollTop
    }
    if (this.#wanted !== undefined) this.#find(scroller, this.#wanted)
    else if (!this.following && !this.#restore(scroller, this.#anchor))
      moveBy(scroller, this.#window.topOf(place) - scroller.scrollTop)
    this.#anchor = undefined
  }

  /** False when what was on the screen is not drawn any more: somebody has jumped far away. */
  #restore(scroller: HTMLElement, anchor: { id: string; top: number } | undefined): boolean {
    for (const item of scroller.querySelectorAll<HTMLElement>('[data-id]'))
      if (item.dataset.id === anchor?.id) {
        moveBy(scroller, item.getBoundingClientRect().top - (anchor?.top ?? 0))
        return true
      }
    return false
  }

  #find(scroller: HTMLElement, id: string): void {
    for (const item of scroller.querySelectorAll<HTMLElement>('[data-id]'))
      if (item.dataset.id === id) {
        this.#wanted = undefined
        const { top, height } = item.getBoundingClientRect()
        const middle = scroller.getBoundingClientRect().top + scroller.clientHeight / 2
        moveBy(scroller, top + height / 2 - middle)
        this.#top = scroller.scrollTop
        item.tabIndex = -1
        item.focus({ preventScroll: true })
        item.classList.add('found')
        setTimeout(() => item.classList.remove('found'), FOUND)
        return
      }
  }

  #tellSeen(): void {
    const room = this.room
    if (room === undefined || room.unread === 0 || !this.following || document.hidden) return
    this.dispatchEvent(new SeenEvent(room.room))
  }
}

/** Items whose place is final. What is still on its way out stands behind them, and moves. */
function settled({ length, outgoing = 0 }: RoomView): number {
  return length - outgoing
}

/** Less than a pixel is no movement: scrolling rounds. */
function moveBy(scroller: HTMLElement, pixels: number): void {
  if (Math.abs(pixels) >= 1) scroller.scrollTop += pixels
}

declare global {
  interface HTMLElementTagNameMap {
    'message-list': MessageList
  }
}
