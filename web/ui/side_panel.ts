import { SottoElement } from './element.ts'
import { PanelEvent } from './events.ts'
import { type CSSResultGroup, css, type Html, html } from './html.ts'
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

  static override styles: CSSResultGroup = css`
    dialog.panel {
      width: min(560px, 100vw);
      max-width: none;
      height: 100dvh;
      max-height: none;
      margin: 0 0 0 auto;
      padding: 0;
      border: 0;
      border-inline-start: 1px solid var(--line);
      background: var(--surface);
      color: inherit;
      box-shadow: var(--shadow);
      animation: panel-in 180ms ease-out;

      &::backdrop {
        background: var(--shade);
      }

      & .sheet {
        min-height: 100%;
        padding: calc(var(--s3) + var(--safe-top)) calc(var(--s5) + var(--safe-right))
          calc(var(--s6) + var(--safe-bottom)) var(--s5);
      }

      & header {
        position: sticky;
        z-index: 1;
        top: 0;
        display: flex;
        align-items: center;
        justify-content: space-between;
        margin: 0 calc(-1 * var(--s3)) var(--s3) 0;
        padding: var(--s2) 0;
        background: var(--surface);

        & .button {
          width: var(--target);
          padding: 0;
        }
      }

      & h2 {
        font: italic 400 var(--step-3) / 1.3 var(--serif);
      }

      & h3 {
        margin: var(--s5) 0 var(--s2);
        font-size: var(--step-0);
        font-weight: 650;
      }
    }

    @keyframes panel-in {
      from {
        translate: 40px 0;
        opacity: 0;
      }
    }
  `
}
