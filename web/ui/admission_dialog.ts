import type { ConnectionState, EndpointView } from '../chat/model.ts'
import './count_down.ts'
import { SottoElement } from './element.ts'
import { ConnectionEvent } from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { nextTry, secretField, secretIn, unverifiedServer } from './secret_field.ts'
import { said } from './words.ts'

export type Passwords = { serverPassword?: string; accountPassword?: string }

/** The endpoint wants passwords. They leave only now, after it has proved its key. */
@customElement('admission-dialog')
export class AdmissionDialog extends SottoElement {
  @property admission: Extract<ConnectionState, { phase: 'admission' }> | undefined
  @property endpoint: EndpointView | undefined
  @property admit: (passwords: Passwords) => Promise<void> = async () => {}
  @state private problem = ''
  @state private busy = false
  /** From when on another try is taken (ms since 1970), or 0. */
  @state private until = 0

  private get dialog(): HTMLDialogElement | null {
    return this.querySelector('dialog')
  }

  protected override firstUpdated(): void {
    this.dialog?.showModal()
  }

  override render(): Html | typeof nothing {
    if (this.admission === undefined) return nothing
    const registers = this.admission.needs === 'register'
    return html`<dialog aria-labelledby="admission-title" aria-describedby="admission-about" @cancel=${this.#onCancel}>
      <h2 id="admission-title">${registers ? 'One more step to come in' : 'Please say who you are'}</h2>
      <div id="admission-about">
        <p>${this.admission.text}</p>
        ${unverifiedServer(this.endpoint)}
      </div>
      <form @submit=${this.#onSubmit}>
        ${registers ? secretField('server-password', 'Server password', 'Whoever runs this server has given it to you. Leave it empty if there is none.', 'off') : nothing}
        ${secretField('account-password', 'Account password', registers ? 'Optional: from now on your name needs it as well as your key.' : 'The one that you have set for this name.', registers ? 'new-password' : 'current-password')}
        <p class="problem" role="alert">${this.problem}</p>
        <count-down .until=${this.until} @over=${this.#over}></count-down>
        <div class="choices">
          <button class="button primary" type="submit" ?disabled=${this.busy || this.until > 0}>${this.busy ? 'One moment…' : 'Come in'}</button>
          <button class="button" type="button" @click=${this.#onCancel}>Not now</button>
        </div>
      </form>
    </dialog>`
  }

  async #onSubmit(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const serverPassword = secretIn(this, 'server-password')
    const accountPassword = secretIn(this, 'account-password')
    this.busy = true
    this.problem = ''
    try {
      await this.admit({
        ...(serverPassword === '' ? {} : { serverPassword }),
        ...(accountPassword === '' ? {} : { accountPassword }),
      })
    } catch (error) {
      this.problem = said(error)
      this.until = nextTry(error)
    }
    this.busy = false
  }

  #over(): void {
    this.until = 0
  }

  #onCancel(event: Event): void {
    event.preventDefault()
    this.dispatchEvent(new ConnectionEvent('leave'))
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'admission-dialog': AdmissionDialog
  }
}
