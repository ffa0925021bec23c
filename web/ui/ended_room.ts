import type { RoomId, RoomView } from '../chat/model.ts'
import { SottoElement } from './element.ts'
import { OpenPrivateEvent, RemoveRoomEvent } from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'

/** In the place of the composer where nothing can be written any more: how one goes on. */
@customElement('ended-room')
export class EndedRoom extends SottoElement {
  @property room: RoomView | undefined
  /** The conversation with the same person that has been begun since, if any. */
  @property next: RoomId | undefined
  @state private removing = false

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    const before = changed.get('room') as RoomView | undefined
    if (before?.room !== this.room?.room && changed.has('room')) this.removing = false
  }

  override render(): Html | typeof nothing {
    if (this.room === undefined) return nothing
    return this.removing ? this.#renderQuestion(this.room) : this.#renderWays(this.room)
  }

  #renderWays({ title }: RoomView): Html {
    return html`<div class="ways">
      <button class="button" type="button" @click=${() => this.dispatchEvent(new OpenPrivateEvent(title))}>
        ${this.next === undefined ? `Write to ${title} again` : `Open the new conversation with ${title}`}
      </button>
      <button class="button quiet" type="button" @click=${this.#ask}>Remove from the list</button>
    </div>`
  }

  #renderQuestion({ room }: RoomView): Html {
    return html`<p class="small" id="removing">Its messages are deleted from this device. Nobody else’s are touched.</p>
      <div class="ways" role="group" aria-labelledby="removing">
        <button class="button danger" type="button" @click=${() => this.dispatchEvent(new RemoveRoomEvent(room))}>Remove it</button>
        <button class="button" type="button" @click=${this.#ask}>Keep</button>
      </div>`
  }

  #ask(): void {
    this.removing = !this.removing
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'ended-room': EndedRoom
  }
}
