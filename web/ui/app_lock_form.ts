import type { Entered } from './door.ts'
import { SottoElement } from './element.ts'
import { LockEvent } from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { secretField, secretIn } from './secret_field.ts'
import { said } from './words.ts'

type Doing = 'set' | 'change' | 'remove'

const DONE: Record<Doing, string> = {
  set: 'The app lock is set. The passphrase is asked for whenever you come in here.',
  change: 'From now on the new passphrase opens it.',
  remove: 'The app lock is off.',
}
const LABELS: Record<Doing, string> = {
  set: 'Set app lock',
  change: 'Change it',
  remove: 'Take it off',
}

/** The passphrase over everything that this browser keeps of a person. */
@customElement('app-lock-form')
export class AppLockForm extends SottoElement {
  @property lock: Entered['lock']
  @property user = ''
  @property backedUp = false
  @state private doing: Doing | undefined
  @state private busy = false
  @state private problem = ''
  @state private done = ''

  override render(): Html | typeof nothing {
    if (this.lock === undefined) return nothing
    return html`
      <h3>App lock</h3>
      <p class="soft small">
        ${this.lock.isSet ? 'It is on.' : 'It is off.'} With it, what this browser keeps of ${this.user}, key and
        messages, opens only with a passphrase. Nobody can restore a forgotten one.
      </p>
      ${this.doing === undefined ? this.#renderChoices(this.lock.isSet) : this.#renderForm(this.doing)}
      <p class="done" role="status" aria-label="App lock">${this.done}</p>
    `
  }

  #renderChoices(isSet: boolean): Html {
    if (!isSet)
      return html`<button class="button" type="button" @click=${() => this.#begin('set')}>Set app lock…</button>`
    return html`<div class="choices">
      <button class="button primary" type="button" @click=${() => this.dispatchEvent(new LockEvent())}>Lock now</button>
      <button class="button" type="button" @click=${() => this.#begin('change')}>Change…</button>
      <button class="button" type="button" @click=${() => this.#begin('remove')}>Take off…</button>
    </div>`
  }

  #renderForm(doing: Doing): Html {
    return html`<form @submit=${this.#onSubmit}>
      ${doing === 'set' ? nothing : secretField('lock-now', 'Present lock passphrase', '', 'current-password')}
      ${
        doing === 'remove'
          ? nothing
          : html`
            ${secretField('lock-next', 'New lock passphrase', 'At least 8 characters. Several words are good.', 'new-password')}
            ${secretField('lock-again', 'The same once more', this.backedUp ? '' : 'Your key has not been exported: forgetting this passphrase would lose it.', 'new-password')}`
      }
      <p class="problem" role="alert">${this.problem}</p>
      <div class="choices">
        <button class="button primary" type="submit" ?disabled=${this.busy}>${this.busy ? 'One moment…' : LABELS[doing]}</button>
        <button class="button quiet" type="button" @click=${() => this.#begin(undefined)}>Cancel</button>
      </div>
    </form>`
  }

  #begin(doing: Doing | undefined): void {
    this.doing = doing
    this.problem = ''
    this.done = ''
    void this.updateComplete.then(() => this.querySelector<HTMLElement>('form input')?.focus())
  }

  async #onSubmit(event: Event): Promise<void> {
    event.preventDefault()
    const { doing } = this
    if (doing === undefined || this.lock === undefined) return
    const [now, next] = [secretIn(this, 'lock-now'), secretIn(this, 'lock-next')]
    this.problem =
      doing !== 'remove' && next !== secretIn(this, 'lock-again')
        ? 'The two are not the same. Type them again.'
        : ''
    if (this.problem !== '') return
    this.busy = true
    try {
      if (doing === 'set') await this.lock.set(next)
      else if (doing === 'change') await this.lock.change(now, next)
      else await this.lock.remove(now)
      this.doing = undefined
      this.done = DONE[doing]
    } catch (error) {
      this.problem = said(error)
    }
    this.busy = false
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'app-lock-form': AppLockForm
  }
}
