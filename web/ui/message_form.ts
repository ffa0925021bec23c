import type { RoomView } from '../chat/model.ts'
import { HELP, parse } from './command.ts'
import { SottoElement } from './element.ts'
import { DraftEvent, OpenPrivateEvent, SendEvent } from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { sendIcon } from './icons.ts'
import { plural } from './words.ts'

/** What `bodySchema` takes, in UTF-16 units. */
const MOST = 16_384
/** The count of what is left is shown from here on. */
const NEARLY = 1000
/** The box holds more than can be sent, so that of what is pasted nothing is cut off unseen. */
const HELD = 16 * MOST

/** Where one writes. Enter sends, Shift+Enter breaks the line. */
@customElement('message-form')
export class MessageForm extends SottoElement {
  @property room: RoomView | undefined
  @property draft = ''
  /** This device sends nothing any more. */
  @property over = false
  /** For `/pm`: the names that are known. */
  @property users: readonly string[] = []
  @state private hint: readonly string[] = []

  private get box(): HTMLTextAreaElement | null {
    return this.querySelector('textarea')
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    const before = changed.get('room') as RoomView | undefined
    if (before !== undefined && before.room !== this.room?.room) this.hint = []
  }

  override render(): Html | typeof nothing {
    if (this.room === undefined) return nothing
    const left = MOST - this.draft.trimEnd().length
    const to = this.room.kind === 'lobby' ? 'everyone in the Lobby' : this.room.title
    const closed = this.over || this.room.phase === 'gone' || this.room.phase === 'alarm'
    return html`
      ${this.hint.length > 0 ? this.#renderHint() : nothing}
      <form @submit=${this.#onSubmit}>
        <textarea id="message" rows="1" aria-label="Message" aria-keyshortcuts="Enter" placeholder=${closed ? 'Nothing can be written here' : `Write to ${to}`}
          maxlength=${HELD} aria-describedby="left" aria-invalid=${left < 0 ? 'true' : 'false'} enterkeyhint="send" dir="auto" .value=${this.draft} ?disabled=${closed}
          @input=${this.#onInput} @keydown=${this.#onKey}></textarea>
        <button class="button primary" type="submit" aria-label="Send" ?disabled=${closed || left < 0 || this.draft.trim() === ''}>
          ${sendIcon()}
        </button>
      </form>
      <p class="problem small" role="alert">${left < 0 ? 'Too long for one message. Shorten it, or send it in parts.' : ''}</p>
      ${left < NEARLY ? html`<p class="left soft small" id="left">${spaceFor(left)}</p>` : nothing}
    `
  }

  /** Where the keyboard belongs when a conversation is opened. */
  focusBox(): void {
    this.box?.focus()
  }

  protected override updated(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('draft') || changed.has('room')) this.#grow()
  }

  #renderHint(): Html {
    return html`<div class="hint" role="note" aria-live="polite">
      <ul role="list">${this.hint.map((line) => html`<li>${line}</li>`)}</ul>
      <button class="button quiet" type="button" @click=${this.#closeHint}>Got it</button>
    </div>`
  }

  #closeHint(): void {
    this.hint = []
    this.focusBox()
  }

  #onInput(): void {
    if (this.room && this.box) this.#setDraft(this.box.value)
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key === 'Escape' && this.hint.length > 0) this.#closeHint()
    // While a character is being composed Enter belongs to the input method.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    this.#submit()
  }

  #onSubmit(event: Event): void {
    event.preventDefault()
    this.#submit()
    this.focusBox()
  }

  #submit(): void {
    const line = this.draft.trimEnd()
    if (this.room === undefined || line.trim() === '' || line.length > MOST) return
    const command = parse(line, this.users)
    this.hint = command.kind === 'help' ? HELP : command.kind === 'mistake' ? [command.text] : []
    if (command.kind === 'mistake') return
    this.#setDraft('')
    if (command.kind === 'text') this.dispatchEvent(new SendEvent(this.room.room, command.text))
    if (command.kind === 'pm') this.dispatchEvent(new OpenPrivateEvent(command.user, command.text))
  }

  #setDraft(text: string): void {
    if (this.room === undefined) return
    this.draft = text
    this.dispatchEvent(new DraftEvent(this.room.room, text))
  }

  #grow(): void {
    const box = this.box
    if (!box) return
    // While it is measured the form stays as high as it is: the list above must not move.
    this.style.setProperty('min-height', `${this.offsetHeight}px`)
    box.style.setProperty('height', 'auto')
    box.style.setProperty('height', `${box.scrollHeight + 2}px`)
    this.style.removeProperty('min-height')
  }
}

function spaceFor(left: number): string {
  return left < 0 ? `${plural(-left, 'character')} too many` : `${plural(left, 'character')} left`
}

declare global {
  interface HTMLElementTagNameMap {
    'message-form': MessageForm
  }
}
