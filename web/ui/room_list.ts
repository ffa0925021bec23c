import type { RoomId, RoomView } from '../chat/model.ts'
import { moveWithArrows } from './arrow_keys.ts'
import { SottoElement } from './element.ts'
import { SelectRoomEvent } from './events.ts'
import { customElement, type Html, html, nothing, property } from './html.ts'
import { sign, warningIcon } from './icons.ts'
import { hue, initial, moment, plural } from './words.ts'

/** The conversations: the lobby first, then private ones by their last activity. */
@customElement('room-list')
export class RoomList extends SottoElement {
  @property rooms: readonly RoomView[] = []
  @property selected: RoomId | undefined

  override render(): Html {
    const tabStop = this.rooms.some(({ room }) => room === this.selected)
      ? this.selected
      : this.rooms[0]?.room
    return html`
      <h2 id="rooms-title">Conversations</h2>
      <ul role="list" aria-labelledby="rooms-title" @keydown=${moveWithArrows}>
        ${this.rooms.map((room) => this.#renderRoom(room, room.room === tabStop))}
      </ul>
    `
  }

  #renderRoom(room: RoomView, tabStop: boolean): Html {
    const current = room.room === this.selected
    return html`<li>
      <button class="entry" type="button" data-stop tabindex=${tabStop ? '0' : '-1'}
        aria-current=${current ? 'true' : 'false'}
        @click=${() => this.dispatchEvent(new SelectRoomEvent(room.room))}>
        ${
          room.kind === 'lobby'
            ? html`<span class="avatar lobby" aria-hidden="true">${sign()}</span>`
            : html`<span class="avatar ${hue(room.title)}" aria-hidden="true">${initial(room.title)}</span>`
        }
        <span class="words">
          <bdi class="title">${room.title}</bdi>
          ${
            room.phase === 'alarm' || room.failed
              ? html`<span class="below problem">${warningIcon()} ${room.phase === 'alarm' ? 'Needs your attention' : 'Not all was sent'}</span>`
              : html`<span class="below">${about(room)}</span>`
          }
        </span>
        <span class="end">
          <span class="below">${moment(room.lastActivity, Date.now())}</span>
          ${room.unread > 0 ? html`<span class="unread">${room.unread > 999 ? '999+' : room.unread}<span class="unseen"> ${plural(room.unread, 'unread message').replace(/^\S+ /, '')}</span></span>` : nothing}
        </span>
      </button>
    </li>`
  }
}

function about({ kind, phase }: RoomView): string {
  if (phase === 'stopped') return 'Stopped'
  if (kind === 'lobby') return 'Everyone here'
  return phase === 'gone' ? 'Over' : 'Private'
}

declare global {
  interface HTMLElementTagNameMap {
    'room-list': RoomList
  }
}
