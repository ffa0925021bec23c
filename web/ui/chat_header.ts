import type { ConnectionState, RoomView } from '../chat/model.ts'
import { SottoElement } from './element.ts'
import {
  ConnectionEvent,
  EndConversationEvent,
  PanelEvent,
  type PanelName,
  ShowListEvent,
} from './events.ts'
import { css, customElement, type Html, html, nothing, property, state } from './html.ts'
import { backIcon, closeIcon, handshakeIcon, joinIcon, leaveIcon, personIcon } from './icons.ts'
import './connection_status.ts'
import './reader_list.ts'

/** Above a conversation: what it is, who can read it, and the state of the connection. */
@customElement('chat-header')
export class ChatHeader extends SottoElement {
  @property({ attribute: false }) room: RoomView | undefined
  @property({ attribute: false }) connection: ConnectionState = { phase: 'connecting' }
  /** Unread messages in the other conversations. */
  @property({ attribute: false }) elsewhere = 0
  @property({ attribute: false }) backedUp = true
  @state() private ending = false

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    const before = changed.get('room') as RoomView | undefined
    if (before !== undefined && before.room !== this.room?.room) this.ending = false
  }

  override render(): Html {
    const { phase } = this.connection
    const troubled = phase === 'offline' || phase === 'stopped'
    return html`<header class=${troubled ? 'troubled' : ''}>
      <button class="button quiet back" type="button" aria-label="Back to the list" @click=${() => this.dispatchEvent(new ShowListEvent())}>
        ${backIcon()}${this.elsewhere > 0 ? html`<span class="unread">${this.elsewhere > 99 ? '99+' : this.elsewhere}</span>` : nothing}
      </button>
      <div class="what">
        <h2><bdi>${this.room?.title ?? 'Sotto'}</bdi></h2>
        <reader-list .room=${this.room}></reader-list>
      </div>
      <connection-status .connection=${this.connection}></connection-status>
      <nav aria-label="Your connection">
        ${this.#renderPanelButton('handshake', 'Handshake', handshakeIcon())}
        ${this.#renderPanelButton('identity', 'Identity', personIcon())}
        ${this.#renderConnection()}
        ${this.room?.kind === 'private' ? this.#renderEnd(this.room) : nothing}
      </nav>
    </header>`
  }

  #renderPanelButton(panel: PanelName, label: string, icon: Html): Html {
    const badge = panel === 'identity' && !this.backedUp
    return html`<button class="button quiet" type="button" aria-label=${label} title=${label} aria-haspopup="dialog"
      @click=${() => this.dispatchEvent(new PanelEvent(panel))}>
      ${icon}<span class="label">${label}</span>${badge ? html`<span class="badge" title="Not backed up"></span>` : nothing}
    </button>`
  }

  #renderConnection(): Html {
    const { phase } = this.connection
    const away = phase === 'offline' || phase === 'stopped'
    const label = away ? 'Reconnect' : 'Leave'
    return html`<button class="button quiet" type="button" aria-label=${label} title=${label}
      @click=${() => this.dispatchEvent(new ConnectionEvent(away ? 'reconnect' : 'leave'))}>
      ${away ? joinIcon() : leaveIcon()}<span class="label">${label}</span>
    </button>`
  }

  #renderEnd(room: RoomView): Html {
    if (!this.ending)
      return html`<button class="button quiet" type="button" aria-label="End conversation" title="End conversation" @click=${this.#ask}>${closeIcon()}</button>`
    return html`<span class="ending" role="group" aria-label="End this conversation?">
      <button class="button danger" type="button" @click=${() => this.dispatchEvent(new EndConversationEvent(room.room))}>End it</button>
      <button class="button" type="button" @click=${this.#ask}>Keep</button>
    </span>`
  }

  #ask(): void {
    this.ending = !this.ending
  }

  static override styles = css`
    chat-header {
      position: relative;
      z-index: 2;
      display: block;
      flex: none;

      & > header {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto auto;
        align-items: center;
        gap: 0 var(--s4);
        min-height: 68px;
        padding: calc(var(--s2) + var(--safe-top)) calc(var(--s3) + var(--safe-right)) var(--s2) var(--s5);
        border-bottom: 1px solid var(--line);
        background: var(--surface);
      }

      .back {
        display: none;
      }

      h2 {
        overflow: hidden;
        font: italic 400 1.375rem / 1.2 var(--serif);
        text-overflow: ellipsis;
        white-space: nowrap;
      }

      /* What is longer than a word gets a line of its own. */
      .troubled connection-status {
        grid-area: 2 / 1 / 3 / -1;
        padding: var(--s1) 0;
      }

      nav {
        display: flex;
        gap: 2px;

        & .button {
          position: relative;
          padding: 0 var(--s3);
          font-size: var(--step-1);
        }
      }

      .badge {
        position: absolute;
        top: 8px;
        left: 26px;
        width: 9px;
        height: 9px;
        border: 2px solid var(--surface);
        border-radius: 50%;
        background: var(--warn);
        box-sizing: content-box;
      }

      .ending {
        display: flex;
        gap: var(--s2);
      }

      @media (max-width: 1080px) {
        nav .label {
          display: none;
        }

        nav .button:not(.danger) {
          min-width: var(--target);
        }
      }

      @media (max-width: 760px) {
        & > header {
          display: flex;
          flex-wrap: wrap;
          gap: 0 var(--s2);
          min-height: 0;
          padding: calc(var(--s1) + var(--safe-top)) calc(var(--s1) + var(--safe-right)) var(--s1)
            calc(var(--s1) + var(--safe-left));
        }

        .back {
          position: relative;
          display: inline-flex;
          width: var(--target);
          padding: 0;
        }

        .unread {
          position: absolute;
          top: 1px;
          right: -2px;
          min-width: 18px;
          padding: 0 5px;
          border-radius: 9px;
          background: var(--accent);
          color: var(--on-accent);
          font-size: 0.7rem;
          line-height: 18px;
        }

        .what {
          display: contents;
        }

        h2 {
          flex: 1;
          line-height: var(--target);
        }

        nav {
          gap: 0;

          & .button {
            padding: 0;
          }

          & .ending .button {
            padding: 0 var(--s3);
          }
        }

        /* The second line: who can read this, and the connection when there is room. */
        reader-list {
          order: 1;
          flex: 1 1 auto;
          padding-inline-start: var(--s3);
        }

        connection-status {
          order: 2;
          max-width: 100%;
          padding: 4px var(--s3);
        }

        .troubled connection-status {
          flex-basis: 100%;
          padding: 4px var(--s3);
        }
      }
    }
  `
}

declare global {
  interface HTMLElementTagNameMap {
    'chat-header': ChatHeader
  }
}
