import type { Locked } from './door.ts'
import { SottoElement } from './element.ts'
import { EnterEvent, SomebodyElseEvent } from './events.ts'
import { customElement, type Html, html, nothing, property } from './html.ts'
import { secretField, secretIn } from './secret_field.ts'

/** Asks for the passphrase of a person who has set the app lock. */
@customElement('unlock-form')
export class UnlockForm extends SottoElement {
  @property locked: Locked | undefined
  /** Why it did not open, for people. */
  @property problem = ''
  @property busy = false

  protected override firstUpdated(): void {
    this.querySelector<HTMLElement>('input')?.focus()
  }

  protected override updated(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('problem') && this.problem !== '')
      this.querySelector<HTMLInputElement>('input')?.select()
  }

  override render(): Html | typeof nothing {
    if (this.locked === undefined) return nothing
    return html`<form class="card" @submit=${this.#onSubmit}>
      <h2><bdi>${this.locked.user}</bdi> is locked</h2>
      ${secretField('lock-passphrase', 'Lock passphrase', 'It opens what this browser keeps. It never leaves this page.', 'current-password')}
      <p class="problem" role="alert">${this.problem}</p>
      <button class="button primary" type="submit" ?disabled=${this.busy}>${this.busy ? 'Opening…' : 'Unlock'}</button>
      <button class="button quiet" type="button" @click=${() => this.dispatchEvent(new SomebodyElseEvent())}>Somebody else</button>
    </form>`
  }

  #onSubmit(event: Event): void {
    event.preventDefault()
    if (this.locked === undefined || this.busy) return
    const passphrase = secretIn(this, 'lock-passphrase')
    this.dispatchEvent(new EnterEvent(this.locked.profile, false, passphrase))
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'unlock-form': UnlockForm
  }
}
