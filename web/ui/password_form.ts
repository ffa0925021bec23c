import type { ChatModel } from '../chat/model.ts'
import './count_down.ts'
import { SottoElement } from './element.ts'
import { customElement, type Html, html, property, state } from './html.ts'
import { nextTry, secretField, secretIn, unverifiedServer } from './secret_field.ts'
import { said } from './words.ts'

/** A shorter one is guessed too soon, even as slowly as the endpoint lets one guess. */
const SHORTEST = 8

/** The password that the endpoint asks for beside the key: set, changed, removed. */
@customElement('password-form')
export class PasswordForm extends SottoElement {
  @property model: ChatModel | undefined
  @property online = false
  @state private open = false
  @state private busy = false
  @state private problem = ''
  @state private done = ''
  @state private until = 0

  override render(): Html {
    return html`
      <h3>Account password</h3>
      <p class="soft small">
        Optional. With one, the server lets nobody in under your name by the key alone: a stolen key file is of no use
        without it. It encrypts nothing.
      </p>
      ${this.open ? this.#renderForm() : html`<button class="button" type="button" ?disabled=${!this.online} @click=${this.#toggle}>Set, change or remove…</button>`}
      <p class="done" role="status" aria-label="Account password">${this.done}</p>
    `
  }

  #renderForm(): Html {
    const waits = this.busy || this.until > 0 || !this.online
    return html`<form @submit=${this.#set}>
      ${unverifiedServer(this.model?.state.endpoint)}
      ${secretField('password-now', 'Present password', 'Leave it empty if your name has none yet.', 'current-password')}
      ${secretField('password-next', 'New password', 'Every device of yours is asked for it when it next connects.', 'new-password')}
      <p class="problem" role="alert">${this.problem}</p>
      <count-down .until=${this.until} @over=${this.#over}></count-down>
      <div class="choices">
        <button class="button primary" type="submit" ?disabled=${waits}>${this.busy ? 'One moment…' : 'Set password'}</button>
        <button class="button" type="button" ?disabled=${waits} @click=${this.#remove}>Remove password</button>
        <button class="button quiet" type="button" @click=${this.#toggle}>Cancel</button>
      </div>
    </form>`
  }

  #toggle(): void {
    this.open = !this.open
    this.problem = ''
    this.done = ''
    if (this.open)
      void this.updateComplete.then(() => this.querySelector<HTMLElement>('#password-now')?.focus())
  }

  #over(): void {
    this.until = 0
  }

  async #set(event: Event): Promise<void> {
    event.preventDefault()
    const next = secretIn(this, 'password-next')
    if (next.length < SHORTEST) {
      this.problem = `Choose a new password of at least ${SHORTEST} characters.`
      return
    }
    await this.#tell(
      next,
      'The password is set. From now on your name needs it as well as your key.',
    )
  }

  async #remove(): Promise<void> {
    await this.#tell(null, 'Your name has no password now. Your key alone proves who you are.')
  }

  async #tell(next: string | null, done: string): Promise<void> {
    const current = secretIn(this, 'password-now')
    this.busy = true
    this.problem = ''
    try {
      await this.model?.setPassword(next, current === '' ? undefined : current)
      this.open = false
      this.done = done
    } catch (error) {
      this.problem = said(error)
      this.until = nextTry(error)
    }
    this.busy = false
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'password-form': PasswordForm
  }
}
