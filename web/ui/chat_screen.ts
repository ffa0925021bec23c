import type { ChatModel, ChatState, RoomView } from '../chat/model.ts'
import { SottoElement } from './element.ts'
import { css, customElement, type Html, html, nothing, property } from './html.ts'
import { sign, warningIcon } from './icons.ts'
import type { MessageForm } from './message_form.ts'
import type { MessageList } from './message_list.ts'
import './chat_header.ts'
import './message_form.ts'
import './message_list.ts'
import './notice_list.ts'
import './people_list.ts'
import './room_list.ts'

/** The chat itself: list and conversation side by side, or one at a time where it is narrow. */
@customElement('chat-screen')
export class ChatScreen extends SottoElement {
  @property({ attribute: false }) state: ChatState | undefined
  @property({ attribute: false }) model: ChatModel | undefined
  /** The conversation on the screen. */
  @property({ attribute: false }) room: RoomView | undefined
  @property({ attribute: false }) draft = ''
  /** Where it is narrow: whether the list is on the screen instead of the conversation. */
  @property({ attribute: false }) showsList = false
  /** Something that was asked for and failed, for people. */
  @property({ attribute: false }) problem = ''

  private get form(): MessageForm | null {
    return this.querySelector('message-form')
  }

  private get list(): MessageList | null {
    return this.querySelector('message-list')
  }

  override render(): Html | typeof nothing {
    const state = this.state
    if (state === undefined) return nothing
    const { room } = this
    const elsewhere = state.rooms.reduce((sum, one) => sum + (one === room ? 0 : one.unread), 0)
    return html`<div class="frame ${this.showsList ? 'lists' : 'talks'}">
      <a class="skip" href="#message" @click=${this.#skip}>Skip to the conversation</a>
      <aside aria-label="Conversations and people">
        <h1 class="brand"><span class="wordmark">sotto</span>${sign()}</h1>
        <nav aria-label="Conversations"><room-list .rooms=${state.rooms} .selected=${room?.room}></room-list></nav>
        <people-list .people=${state.people}></people-list>
      </aside>
      <main aria-label="Conversation">
        <chat-header .room=${room} .connection=${state.connection} .elsewhere=${elsewhere} .backedUp=${state.me.backedUp}></chat-header>
        <notice-list .notices=${state.notices}></notice-list>
        ${room === undefined ? this.#renderNoRoom(state) : this.#renderRoom(room, state)}
        <p class="trouble problem" role="alert">${this.problem}</p>
        <message-form .room=${room} .draft=${this.draft} .users=${state.people.map(({ user }) => user)}></message-form>
      </main>
    </div>`
  }

  /** Puts the keyboard where one writes, except on a phone, where that would raise its keys. */
  focusBox(): void {
    if (!matchMedia('(pointer: coarse)').matches) this.form?.focusBox()
  }

  /** The person wrote something: the newest line is what they look at. */
  followNewest(): void {
    this.list?.follow()
  }

  #renderRoom(room: RoomView, { connection }: ChatState): Html {
    const quiet = room.phase === 'ready' || (room.text === '' && room.phase === 'joining')
    // While there is no connection, that is the reason, and the header says so.
    const joining = room.phase === 'joining' && connection.phase !== 'online'
    return html`
      ${quiet || joining ? nothing : html`<p class="phase ${room.phase}" role="status" aria-label="Conversation">${room.phase === 'alarm' ? warningIcon() : nothing}<span>${room.text}</span></p>`}
      <message-list .room=${room} .model=${this.model}></message-list>
    `
  }

  #renderNoRoom({ connection }: ChatState): Html {
    return html`<div class="nothing"><p>${connection.phase === 'online' ? 'Opening the Lobby…' : 'The Lobby opens as soon as there is a connection.'}</p></div>`
  }

  #skip(event: Event): void {
    event.preventDefault()
    this.form?.focusBox()
  }

  static override styles = css`
    chat-screen {
      display: block;
      height: 100%;

      & > .frame {
        display: grid;
        grid-template-columns: 300px minmax(0, 1fr);
        height: 100%;
      }

      .skip {
        position: absolute;
        z-index: 5;
        top: -100px;
        left: var(--s3);
        padding: var(--s3) var(--s4);
        border-radius: var(--round);
        background: var(--raised);
        box-shadow: var(--shadow);

        &:focus {
          top: var(--s3);
        }
      }

      aside {
        overflow-y: auto;
        overscroll-behavior: contain;
        padding: var(--safe-top) var(--s2) calc(var(--s4) + var(--safe-bottom)) calc(var(--s2) + var(--safe-left));
        border-inline-end: 1px solid var(--line);
      }

      .brand {
        display: flex;
        align-items: center;
        gap: var(--s2);
        height: 68px;
        padding: 0 var(--s3);

        & .wordmark {
          font-size: 1.75rem;
        }

        & .sign {
          width: 34px;
          margin-top: 9px;
          fill: none;
          stroke: var(--accent);
          stroke-width: 2;
          stroke-linecap: round;
          stroke-linejoin: round;
        }
      }

      people-list {
        margin-top: var(--s5);
      }

      main {
        display: flex;
        flex-direction: column;
        min-width: 0;
        min-height: 0;
        background: var(--surface);
      }

      .phase {
        display: flex;
        gap: var(--s2);
        padding: var(--s2) var(--s5);
        background: var(--warn-soft);
        font-size: var(--step-1);

        &.alarm,
        &.gone {
          background: var(--danger-soft);
          color: var(--danger);
        }
      }

      .nothing {
        display: grid;
        flex: 1;
        place-items: center;
        padding: var(--s5);
        color: var(--ink-soft);
        font: italic 400 var(--step-2) / 1.5 var(--serif);
        text-align: center;
      }

      .trouble {
        width: min(860px, 100%);
        margin: 0 auto;
        padding: 0 var(--s5);
      }

      @media (max-width: 760px) {
        & > .frame {
          grid-template-columns: minmax(0, 1fr);

          &.lists main,
          &.talks aside {
            display: none;
          }
        }

        aside {
          border: 0;
          padding-right: calc(var(--s2) + var(--safe-right));
        }
      }
    }
  `
}

declare global {
  interface HTMLElementTagNameMap {
    'chat-screen': ChatScreen
  }
}
