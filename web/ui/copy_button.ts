import { SottoElement } from './element.ts'
import { customElement, type Html, html, property, state } from './html.ts'

/** How long the answer stands in place of the label (ms). */
const ANSWERED = 2500

/** Puts a text on the clipboard and says so. */
@customElement('copy-button')
export class CopyButton extends SottoElement {
  @property text = ''
  @property label = ''
  @state private answer = ''

  override render(): Html {
    return html`<button class="button" type="button" @click=${this.#copy}>${this.answer || this.label}</button>
      <span class="unseen" role="status">${this.answer}</span>`
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.text)
      this.answer = 'Copied'
    } catch {
      // The browser may forbid it, or know no clipboard: then the text itself is shown.
      this.answer = this.text
      return
    }
    setTimeout(() => {
      this.answer = ''
    }, ANSWERED)
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'copy-button': CopyButton
  }
}
