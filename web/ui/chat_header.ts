import type { ConnectionState, RoomView } from '../chat/model.ts'
import { SottoElement } from './element.ts'
import {
  ConnectionEvent,
  EndConversationEvent,
  PanelEvent,
  type PanelName,
  ShowListEvent,
} from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { backIcon, closeIcon, handshakeIcon, joinIcon, leaveIcon, personIcon } from './icons.ts'
import './connection_status.ts'
import './reader_list.ts'

/** Above a conversation: what it is, who can read it, and the state of the connection. */
@customElement('chat-header')
export class ChatHeader extends SottoElement {
  @property room: RoomView | undefined
  @property connection: ConnectionState = { phase: 'connecting' }
  /** Unread messages in the other conversations. */
  @property elsewhere = 0
  @property backedUp = true
  @state private ending = false

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    const before = changed.get('room') as RoomView | undefined
    const other = before !== undefined && before.room !== this.room?.room
    if (other || this.room?.phase === 'gone') this.ending = false
  }

  override render(): Html {
    const { phase } = this.connection
    const troubled = phase === 'offline' || phase === 'stopped'
    return html`<header class=${troubled ? 'troubled' : ''}>
      <button class="button quiet back" type="button" aria-label="Back to the list" @click=${() => this.dispatchEvent(new ShowListEvent())}>
        ${backIcon()}${this.elsewhere > 0 ? html`<span class="unread">${this.elsewhere > 99 ? '99+' : this.elsewhere}</span>` : nothing}
      </button>
      <h2><bdi>${this.room?.title ?? 'Sotto'}</bdi></h2>
      <connection-status .connection=${this.connection}></connection-status>
      <nav aria-label="Your connection">
        ${this.#renderPanelButton('handshake', 'Handshake', handshakeIcon())}
        ${this.#renderPanelButton('identity', 'Identity', personIcon())}
        ${this.#renderConnection()}
        ${this.room?.kind === 'private' && this.room.phase !== 'gone' ? this.#renderEnd(this.room) : nothing}
      </nav>
      <reader-list .room=${this.room}></reader-list>
    </header>`
  }

  #renderPanelButton(panel: PanelName, label: string, icon: Html): Html {
    const badge = panel === 'identity' && !this.backedUp
    return html`<button class="button quiet" type="button" aria-label=${label} title=${label} aria-haspopup="dialog"
      @click=${() => this.dispatchEvent(new PanelEvent(panel))}>
      ${icon}<span class="label">${label}</span>${badge ? html`<span class="badge" title="Not backed up"></span>` : nothing}
    </button>`
  }

  #renderConnection(): Html | typeof nothing {
    const { phase } = this.connection
    const away = phase === 'offline' || phase === 'stopped'
    if (phase === 'stopped' && this.connection.final) return nothing
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
}

declare global {
  interface HTMLElementTagNameMap {
    'chat-header': ChatHeader
  }
}
