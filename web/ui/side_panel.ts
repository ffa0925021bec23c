import { SottoElement } from './element.ts'
import { PanelEvent } from './events.ts'
import { type Html, html } from './html.ts'
import { closeIcon } from './icons.ts'

/**
 * A sheet at the side, over the whole of a phone. It is a modal dialog: the keyboard stays within
 * it, Escape closes it, and the focus goes back to the button that opened it.
 */
export abstract class SidePanel extends SottoElement {
  private get dialog(): HTMLDialogElement | null {
    return this.querySelector('dialog')
  }

  protected abstract heading(): string
  protected abstract body(): Html

  protected override firstUpdated(): void {
    this.dialog?.showModal()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.dialog?.close()
  }

  override render(): Html {
    return html`<dialog class="panel" aria-labelledby="panel-title" @close=${this.#onClose} @click=${this.#onClick}>
      <div class="sheet">
        <header>
          <h2 id="panel-title">${this.heading()}</h2>
          <button class="button quiet" type="button" aria-label="Close" @click=${this.closePanel}>${closeIcon()}</button>
        </header>
        ${this.body()}
      </div>
    </dialog>`
  }

  /** Closing before the element goes is what gives the focus back. */
  protected closePanel(): void {
    this.dialog?.close()
  }

  #onClose(): void {
    if (this.isConnected) this.dispatchEvent(new PanelEvent(undefined))
  }

  #onClick(event: Event): void {
    if (event.target === this.dialog) this.closePanel()
  }
}
