import type { ChatModel, ChatState, RoomId, RoomView, SearchHit } from '../chat/model.ts'
import { SottoElement } from './element.ts'
import { CancelSavingEvent, ConnectionEvent, PanelEvent } from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { searchIcon, sign, warningIcon } from './icons.ts'
import { invitation } from './invitation.ts'
import type { MessageList } from './message_list.ts'
import './chat_header.ts'
import './ended_room.ts'
import './message_form.ts'
import './message_list.ts'
import './notice_list.ts'
import './people_list.ts'
import './room_list.ts'

/** The chat itself: list and conversation side by side, or one at a time where it is narrow. */
@customElement('chat-screen')
export class ChatScreen extends SottoElement {
  @property state: ChatState | undefined
  @property model: ChatModel | undefined
  /** The conversation on the screen. */
  @property room: RoomView | undefined
  @property draft = ''
  /** Where it is narrow: whether the list is on the screen instead of the conversation. */
  @property showsList = false
  /** Blocking notices that the person has put aside: they stand above the conversation. */
  @property aside: ReadonlySet<string> = new Set()
  /** Something that was asked for and failed, for people. */
  @property problem = ''
  /** How much of a conversation that is being saved is read, of 1, once that takes long. */
  @property saved: number | undefined
  /** That the key is nowhere else was put aside, as long as this page lasts. */
  @state private told = false

  #entering = false

  /** Where one writes, if anything can be written. */
  private get box(): HTMLElement | null {
    return this.querySelector('message-form textarea:enabled')
  }

  private get list(): MessageList | null {
    return this.querySelector('message-list')
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    const before = changed.get('room') as RoomView | undefined
    const ended = this.room?.phase === 'gone' && before?.room === this.room.room
    // What had the keyboard goes away: nothing that is typed on may press a button.
    if (ended && document.activeElement?.closest('message-form, .ending'))
      this.querySelector<HTMLElement>('[role=log]')?.focus()
    const done = changed.has('saved') && this.saved === undefined
    if (done && document.activeElement?.closest('.saving'))
      this.querySelector<HTMLElement>('[role=log]')?.focus()
  }

  protected override updated(changed: Map<PropertyKey, unknown>): void {
    // The first conversation is where one goes on, unless one is elsewhere already.
    const first = changed.has('room') && changed.get('room') === undefined && this.room
    if (first && document.activeElement === document.body) this.focusBox()
    const entering = isEntering(this.room, this.state)
    if (this.#entering && !entering && document.activeElement?.matches('body, [role=log]'))
      this.focusBox()
    this.#entering = entering
  }

  override render(): Html | typeof nothing {
    const state = this.state
    if (state === undefined) return nothing
    const { room } = this
    const elsewhere = state.rooms.reduce((sum, one) => sum + (one === room ? 0 : one.unread), 0)
    return html`<main class="frame ${this.showsList ? 'lists' : 'talks'}">
      <h1 class="unseen">Sotto</h1>
      <a class="skip" href="#conversation" @click=${this.#skip}>Skip to the conversation</a>
      <section class="overview" aria-label="Conversations and people">
        <div class="brand"><span class="wordmark" aria-hidden="true">sotto</span>${sign()}
          <button class="button quiet" type="button" aria-label="Search" title="Search" aria-haspopup="dialog" @click=${() => this.dispatchEvent(new PanelEvent('search'))}>${searchIcon()}</button>
        </div>
        <nav aria-label="Conversations"><room-list .rooms=${state.rooms} .selected=${room?.room}></room-list></nav>
        <people-list .people=${state.people} .invitation=${invitation(state.endpoint)} .connected=${state.connection.phase === 'online'}></people-list>
        ${state.me.backedUp || this.told ? nothing : this.#renderBackup()}
      </section>
      <section class="talk" id="conversation" aria-label="Conversation">
        <chat-header .room=${room} .connection=${state.connection} .elsewhere=${elsewhere} .backedUp=${state.me.backedUp}></chat-header>
        <notice-list .notices=${state.notices.filter(({ id, blocking }) => !blocking || this.aside.has(id))}></notice-list>
        ${room === undefined ? this.#renderNoRoom(state) : this.#renderRoom(room, state)}
        ${this.#renderSaving()}
        <p class="trouble problem" role="alert">${this.problem}</p>
        ${
          room?.phase === 'gone' && !isOver(state.connection)
            ? html`<ended-room .room=${room} .next=${successor(room, state)}></ended-room>`
            : isEntering(room, state)
              ? nothing
              : html`<message-form .room=${room} .over=${isOver(state.connection)} .draft=${this.draft} .users=${state.people.map(({ user }) => user)}></message-form>`
        }
      </section>
    </main>`
  }

  /**
   * Puts the keyboard where one writes. On a phone, where that would raise its keys, and where nothing
   * can be written, it is in the messages.
   */
  focusBox(): void {
    const { list } = this
    const form = this.querySelector('message-form')
    void Promise.all([list?.updateComplete, form?.updateComplete]).then(() => {
      const phone = matchMedia('(pointer: coarse)').matches
      const log = this.querySelector<HTMLElement>('[role=log]')
      if (this.box && !phone) this.box.focus()
      else log?.focus({ preventScroll: true })
    })
  }

  /** The person wrote something: the newest line is what they look at. */
  followNewest(): void {
    this.list?.follow()
  }

  /** Goes to a message that was found. */
  show(hit: SearchHit): void {
    void this.updateComplete.then(() => this.list?.show(hit.place, hit.id))
  }

  #renderSaving(): Html {
    const { saved } = this
    return html`<div class="saving soft small">
      <span role="status" aria-label="Saving">${saved === undefined ? '' : `Saving… ${Math.floor(saved * 100)} %`}</span>
      ${saved === undefined ? nothing : html`<button class="button quiet" type="button" @click=${() => this.dispatchEvent(new CancelSavingEvent())}>Cancel</button>`}
    </div>`
  }

  #renderBackup(): Html {
    return html`<div class="backup" role="note">
      <p class="soft small">Your key exists in this browser and nowhere else. Without a copy, a lost browser is a lost name.</p>
      <button class="button quiet" type="button" aria-haspopup="dialog" @click=${() => this.dispatchEvent(new PanelEvent('identity'))}>Save it to a file</button>
      <button class="button quiet" type="button" @click=${this.#putAside}>Later</button>
    </div>`
  }

  #putAside(): void {
    this.told = true
  }

  #renderRoom(room: RoomView, { connection, endpoint }: ChatState): Html {
    const quiet = room.phase === 'ready' || (room.text === '' && room.phase === 'joining')
    // While there is no connection, that is the reason, and the header says so.
    const joining = room.phase === 'joining' && connection.phase !== 'online'
    return html`
      ${quiet || joining ? nothing : html`<p class="phase ${room.phase}" role="status" aria-label="Conversation">${room.phase === 'alarm' ? warningIcon() : nothing}<span>${room.text}</span></p>`}
      <message-list .room=${room} .model=${this.model} .invitation=${invitation(endpoint)}></message-list>
    `
  }

  /** Before the first connection ever there is no conversation. Why, the header says. */
  #renderNoRoom({ connection }: ChatState): Html {
    const { phase } = connection
    const away = (phase === 'offline' || phase === 'stopped') && connection.text !== ''
    return html`<div class="nothing">
      <p>${phase === 'online' ? 'Opening the Lobby…' : 'The Lobby opens as soon as there is a connection.'}</p>
      ${away && !isOver(connection) ? html`<button class="button" type="button" @click=${() => this.dispatchEvent(new ConnectionEvent('reconnect'))}>Try again now</button>` : nothing}
    </div>`
  }

  #skip(event: Event): void {
    event.preventDefault()
    const rest = this.querySelector<HTMLElement>('[role=log], .nothing button')
    ;(this.box ?? rest)?.focus()
  }
}

/** The conversation with the same person that has been begun since this one was ended. */
function successor({ title }: RoomView, { rooms }: ChatState): RoomId | undefined {
  const live = rooms.filter(({ kind, phase }) => kind === 'private' && phase !== 'gone')
  return live.find((room) => room.title === title)?.room
}

/** Nothing that is written from now on could ever leave. */
function isOver(connection: ChatState['connection']): boolean {
  return connection.phase === 'stopped' && connection.final === true
}

declare global {
  interface HTMLElementTagNameMap {
    'chat-screen': ChatScreen
  }
}

/**
 * Whether one is just coming into the lobby: what others write now could not be read here, so nothing
 * looks as if one were there already.
 */
function isEntering(room: RoomView | undefined, state: ChatState | undefined): boolean {
  return room?.kind === 'lobby' && state?.connection.phase === 'entering'
}
