import type { ChatModel, Me } from '../chat/model.ts'
import { SottoError } from '../protocol/errors.ts'
import './app_lock_form.ts'
import './device_list.ts'
import type { Door, Entered, IdentityKeeper, KeyFile } from './door.ts'
import { download, fileName } from './download.ts'
import { DeletePersonEvent, SomebodyElseEvent, StartEvent } from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { checkIcon, warningIcon } from './icons.ts'
import { passphraseField, readKeyFile } from './key_import.ts'
import './password_form.ts'
import { part } from './part.ts'
import type { QrCode } from './qr_code.ts'
import { SidePanel } from './side_panel.ts'
import { grouped, said } from './words.ts'

/** What a scanned fingerprint begins with. It is no address: nothing is to be opened. */
const MARK = 'sotto:'

/** A shorter one is guessed from the file alone too soon. */
const SHORTEST = 8

/** The person's key: what it is, whether it is safe, and how it gets from browser to browser. */
@customElement('identity-panel')
export class IdentityPanel extends SidePanel {
  @property me: Me | undefined
  @property keeper: IdentityKeeper | undefined
  @property door: Door | undefined
  @property model: ChatModel | undefined
  @property lock: Entered['lock']
  @property online = false
  @state private busy = ''
  @state private problem = ''
  @state private done = ''
  @state private read: { key: KeyFile; name: string } | undefined
  @state private publicPem = ''
  @state private qr: QrCode | undefined
  /** How often deletion has been confirmed. */
  @state private confirmed = 0

  private get passphrase(): HTMLInputElement | null {
    return this.querySelector('#passphrase')
  }

  private get file(): HTMLInputElement | null {
    return this.querySelector('input[type=file]')
  }

  protected override heading(): string {
    return 'Identity'
  }

  protected override body(): Html {
    if (this.me === undefined) return html``
    return html`
      <p>You are <b><bdi>${this.me.user}</bdi></b>. This key proves it.</p>
      <h3>Fingerprint</h3>
      <code class="fingerprint">${grouped(this.me.fingerprint)}</code>
      <p class="soft small">
        People who see the same digits beside your name are talking to you. Read them out to them face to face or by
        voice, or let them scan the QR code with any app that shows its text: ${MARK} and the same digits.
      </p>
      ${this.qr ? renderQr(this.qr) : html`<button class="button" type="button" @click=${this.#showQr}>Show QR code</button>`}
      ${this.me.backedUp ? backedUp() : notBackedUp(this.keeper?.persistent ?? true)}
      ${this.#renderFile()}
      ${this.read ? this.#renderRead(this.read) : nothing}
      <device-list .model=${this.model} .online=${this.online}></device-list>
      <password-form .model=${this.model} .online=${this.online}></password-form>
      <app-lock-form .lock=${this.lock} .user=${this.me.user} .backedUp=${this.me.backedUp}></app-lock-form>
      ${this.#renderPublic()}
      ${this.#renderOther(this.me)}
    `
  }

  #renderFile(): Html {
    return html`
      <h3>Key file</h3>
      <form @submit=${this.#export}>
        ${passphraseField(
          'passphrase',
          'passphrase-help identity-problem',
          this.problem,
          html`<p class="soft small" id="passphrase-help">
            Encrypts the file that you export, or opens the one that you import. Nobody can restore it.
          </p>`,
        )}
        <p class="problem" id="identity-problem" role="alert">${this.problem}</p>
        <p class="done" role="status" aria-label="Key file">${this.done}</p>
        <div class="choices">
          <button class="button primary" type="submit" ?disabled=${this.busy !== ''}>${this.busy === 'export' ? 'Encrypting…' : 'Export'}</button>
          <button class="button" type="button" ?disabled=${this.busy !== ''} @click=${() => this.file?.click()}>${this.busy === 'import' ? 'Reading…' : 'Import'}</button>
        </div>
      </form>
      <input type="file" accept=".pem,.key,application/x-pem-file" hidden @change=${this.#import}>
    `
  }

  #renderRead({ key, name }: { key: KeyFile; name: string }): Html {
    return html`<form class="read" @submit=${(event: Event) => this.#useKey(event, key)}>
      <h3>The key in the file</h3>
      <code class="fingerprint">${grouped(key.fingerprint)}</code>
      ${
        key.fingerprint === this.me?.fingerprint
          ? html`<p>This is the key that you already have here.</p>`
          : html`
            <div class="field">
              <label for="key-name">Whose key is it?</label>
              <input id="key-name" type="text" autocomplete="off" spellcheck="false" maxlength="64" .value=${name}>
              <p class="soft small">The name that this key has on the server, or a new one. You become that person in this tab; ${this.me?.user} stays in this browser.</p>
            </div>
            <button class="button primary" type="submit">Use this key</button>`
      }
    </form>`
  }

  #renderPublic(): Html {
    return html`
      <h3>Public key</h3>
      <p class="soft small">Anybody may have it. The fingerprint is the SHA-256 of it.</p>
      ${
        this.publicPem === ''
          ? html`<button class="button" type="button" @click=${this.#showPublic}>Show public key</button>`
          : html`<pre class="pem" tabindex="0" role="region" aria-label="Public key">${this.publicPem}</pre>`
      }
    `
  }

  #renderOther({ user }: Me): Html {
    return html`
      <h3>Be somebody else</h3>
      <p class="soft small">A browser can keep several people. ${user} stays here, with everything.</p>
      <button class="button" type="button" @click=${() => this.dispatchEvent(new SomebodyElseEvent())}>Another person</button>
      <h3>Delete ${user}</h3>
      <p class="soft small">Takes the key and all messages of ${user} off this browser. On the server the name stays with the key.</p>
      ${
        this.confirmed === 0
          ? html`<button class="button danger" type="button" @click=${() => this.#confirm(1)}>Delete…</button>`
          : this.#renderConfirm(user)
      }
    `
  }

  #renderConfirm(user: string): Html {
    const lost = this.me?.backedUp
      ? 'You need your exported key file and its passphrase to come back.'
      : 'You have no exported key: the name can never be used again, by anybody.'
    const [question, label] =
      this.confirmed === 1
        ? [`Delete ${user} from this browser? ${lost}`, 'Yes, delete']
        : ['This can’t be undone. Really delete everything?', 'Delete for good']
    return html`<div class="confirm" role="group" aria-label="Confirm">
      <p role="alert">${question}</p>
      <button class="button danger" type="button" ?disabled=${this.busy !== ''} @click=${() => (this.confirmed === 1 ? this.#confirm(2) : this.#delete())}>${label}</button>
      <button class="button" type="button" @click=${() => this.#confirm(0)}>Keep</button>
    </div>`
  }

  #confirm(step: number): void {
    this.confirmed = step
  }

  #delete(): void {
    this.busy = 'delete'
    this.dispatchEvent(new DeletePersonEvent())
  }

  async #showQr(): Promise<void> {
    await this.#work('qr', async () => {
      const { qrCode } = await part(() => import('./qr_code.ts'))
      this.qr = qrCode(MARK + (this.me?.fingerprint ?? ''))
    })
  }

  async #showPublic(): Promise<void> {
    await this.#work('public', async () => {
      this.publicPem = (await this.keeper?.publicPem()) ?? ''
    })
  }

  async #export(event: Event): Promise<void> {
    event.preventDefault()
    const passphrase = this.passphrase?.value ?? ''
    const user = this.me?.user ?? ''
    await this.#work('export', async () => {
      if (passphrase.length < SHORTEST)
        throw new SottoError(
          'bad_passphrase',
          `Choose a passphrase of at least ${SHORTEST} characters, then export.`,
        )
      const pem = await this.keeper?.exportPem(passphrase)
      if (pem === undefined) return
      const name = fileName(user, 'pem')
      download([pem], name, 'application/x-pem-file')
      this.done = `Exported as ${name}. Keep it, and the passphrase, in a safe place.`
    })
  }

  async #import(): Promise<void> {
    const file = this.file?.files?.[0]
    const door = this.door
    if (file === undefined || door === undefined) return
    await this.#work('import', async () => {
      this.read = undefined
      const { key, name } = await readKeyFile(
        file,
        this.passphrase?.value ?? '',
        (pem, passphrase) => door.readKey(pem, passphrase),
      )
      this.read = { key, name: name === '' ? `${this.me?.user ?? ''}2` : name }
      this.done = 'The key could be read. Nothing has been changed yet.'
    })
    // The same file may be chosen again, with another passphrase.
    if (this.file) this.file.value = ''
    await this.updateComplete
    this.querySelector<HTMLElement>('#key-name')?.focus()
    this.querySelector('.read')?.scrollIntoView({ block: 'nearest' })
  }

  #useKey(event: Event, key: KeyFile): void {
    event.preventDefault()
    const name = this.querySelector<HTMLInputElement>('#key-name')?.value ?? ''
    this.problem = this.door?.nameProblem(name) ?? ''
    if (this.problem === '') this.dispatchEvent(new StartEvent(name, key))
  }

  async #work(what: string, work: () => Promise<void>): Promise<void> {
    this.busy = what
    this.problem = ''
    this.done = ''
    try {
      await work()
    } catch (error) {
      this.problem = said(error)
    }
    this.busy = ''
  }
}

/** Dark on light, by day and by night: not every reader takes it the other way round. */
function renderQr({ side, path }: QrCode): Html {
  return html`<svg class="qr" role="img" aria-label="QR code of your fingerprint" viewBox="0 0 ${side} ${side}" shape-rendering="crispEdges">
    <path fill="#fff" d="M0 0h${side}v${side}H0z" /><path d=${path} />
  </svg>`
}

function backedUp(): Html {
  return html`<p class="backup">${checkIcon()}<span>Backed up: you have exported this key.</span></p>`
}

function notBackedUp(persistent: boolean): Html {
  return html`<p class="backup missing">${warningIcon()}<span>
    <b>Not backed up.</b> This key exists in this browser and nowhere else. Without an exported file your name is
    lost when the browser’s data is.${persistent ? '' : ' This browser may delete it by itself when space runs out.'}
  </span></p>`
}

declare global {
  interface HTMLElementTagNameMap {
    'identity-panel': IdentityPanel
  }
}
