import type { Notice } from '../chat/model.ts'
import { SottoElement } from './element.ts'
import { NoticeEvent } from './events.ts'
import { facts } from './facts.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { warningIcon } from './icons.ts'

/** A notice that stops everything until one of its choices is taken: Escape does not close it. */
@customElement('notice-dialog')
export class NoticeDialog extends SottoElement {
  @property notice: Notice | undefined
  @state private taken = false

  private get dialog(): HTMLDialogElement | null {
    return this.querySelector('dialog')
  }

  protected override firstUpdated(): void {
    this.dialog?.showModal()
    // The safe choice comes first and has the focus: Enter alone never trusts a changed key.
    this.querySelector<HTMLElement>('.choices button:not(.danger)')?.focus()
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    const before = changed.get('notice') as Notice | undefined
    if (before?.id !== this.notice?.id) this.taken = false
  }

  override render(): Html | typeof nothing {
    if (this.notice === undefined) return nothing
    const { id, kind, title, seen, advice, choices } = this.notice
    const ordered = [...choices].sort((a, b) => Number(a.danger) - Number(b.danger))
    return html`<dialog class=${kind} role="alertdialog" aria-labelledby="stop-title" aria-describedby="stop-seen stop-advice"
      @cancel=${(event: Event) => event.preventDefault()} @keydown=${keepOpen}>
      ${warningIcon()}
      <h2 id="stop-title">${title}</h2>
      <h3>What was seen</h3>
      <p id="stop-seen">${facts(seen)}</p>
      <h3>What to do</h3>
      <p id="stop-advice">${advice}</p>
      <div class="choices">${ordered.map(
        ({ choice, label, danger }) => html`<button type="button" ?disabled=${this.taken}
          class="button ${danger ? 'danger' : 'primary'}" @click=${() => this.#take(id, choice)}>${label}</button>`,
      )}</div>
    </dialog>`
  }

  #take(id: string, choice: string): void {
    this.taken = true
    this.dispatchEvent(new NoticeEvent(id, choice))
  }
}

/** Chromium closes a dialog at the second Escape, whatever `cancel` says. */
function keepOpen(event: KeyboardEvent): void {
  if (event.key === 'Escape') event.preventDefault()
}

declare global {
  interface HTMLElementTagNameMap {
    'notice-dialog': NoticeDialog
  }
}
