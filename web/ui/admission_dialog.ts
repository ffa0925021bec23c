import type { ConnectionState } from '../chat/model.ts'
import { SottoElement } from './element.ts'
import { ConnectionEvent } from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'

export type Passwords = { serverPassword?: string; accountPassword?: string }

/** The endpoint wants passwords. They leave only now, after it has proved its key. */
@customElement('admission-dialog')
export class AdmissionDialog extends SottoElement {
  @property({ attribute: false }) admission:
    | Extract<ConnectionState, { phase: 'admission' }>
    | undefined
  @property({ attribute: false }) admit: (passwords: Passwords) => Promise<void> = async () => {}
  @state() private problem = ''
  @state() private busy = false

  private get dialog(): HTMLDialogElement | null {
    return this.querySelector('dialog')
  }

  protected override firstUpdated(): void {
    this.dialog?.showModal()
  }

  override render(): Html | typeof nothing {
    if (this.admission === undefined) return nothing
    const registers = this.admission.needs === 'register'
    return html`<dialog aria-labelledby="admission-title" @cancel=${this.#onCancel}>
      <h2 id="admission-title">${registers ? 'One more step to come in' : 'Please say who you are'}</h2>
      <p>${this.admission.text}</p>
      <form @submit=${this.#onSubmit}>
        ${field('server-password', 'Server password', 'Whoever runs this server has given it to you. Leave it empty if there is none.', 'off')}
        ${field('account-password', 'Account password', registers ? 'Optional: from now on your name needs it as well as your key.' : 'If your name has one.', registers ? 'new-password' : 'current-password')}
        <p class="problem" role="alert">${this.problem}</p>
        <div class="choices">
          <button class="button primary" type="submit" ?disabled=${this.busy}>${this.busy ? 'One moment…' : 'Come in'}</button>
          <button class="button" type="button" @click=${this.#onCancel}>Not now</button>
        </div>
      </form>
    </dialog>`
  }

  async #onSubmit(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const value = (id: string): string =>
      this.querySelector<HTMLInputElement>(`#${id}`)?.value ?? ''
    const serverPassword = value('server-password')
    const accountPassword = value('account-password')
    this.busy = true
    this.problem = ''
    try {
      await this.admit({
        ...(serverPassword === '' ? {} : { serverPassword }),
        ...(accountPassword === '' ? {} : { accountPassword }),
      })
    } catch (error) {
      this.problem = error instanceof Error ? error.message : 'That did not work. Try again.'
    }
    this.busy = false
  }

  #onCancel(event: Event): void {
    event.preventDefault()
    this.dispatchEvent(new ConnectionEvent('leave'))
  }
}

function field(id: string, label: string, help: string, autocomplete: string): Html {
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <input id=${id} type="password" maxlength="1024" autocomplete=${autocomplete} aria-describedby="${id}-help">
    <p class="soft small" id="${id}-help">${help}</p>
  </div>`
}

declare global {
  interface HTMLElementTagNameMap {
    'admission-dialog': AdmissionDialog
  }
}
