import {
  type Door,
  type KeyFile,
  type Locked,
  MAKING,
  type Making,
  type ProfileView,
} from './door.ts'
import { SottoElement } from './element.ts'
import { ChooseKeyEvent, EnterEvent, ForgetEvent, StartEvent, TypeNameEvent } from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { checkIcon, sign } from './icons.ts'
import { passphraseField, readKeyFile } from './key_import.ts'
import { grouped, hue, initial, plural, said } from './words.ts'

/** More people than this make room for the name's box, and who is open elsewhere is folded away. */
const MANY = 2

const OWNER = 'Type the name it belongs to.'

const WORDS: Record<Making, string> = {
  key: 'Making your key, RSA with 3072 bits',
  store: 'Putting it into this browser’s store',
  open: 'Opening the chat',
}

/** The first screen: a name and one button, or a person whom this browser already knows. */
@customElement('welcome-screen')
export class WelcomeScreen extends SottoElement {
  @property door: Door | undefined
  /** Why nobody can chat from here, and what to do; empty when they can. */
  @property unable = ''
  @property profiles: readonly ProfileView[] = []
  /** How far the making of a person has come, or undefined while nobody is made. */
  @property making: Making | undefined
  /** Why coming in failed, for people. */
  @property problem = ''
  /** What happened to the person whom this tab was, if anything did. */
  @property lost = ''
  /** A person whose app lock asks for its passphrase. */
  @property locked: Locked | undefined
  @property unlocking = false
  /** Why the key of a person is gone, for people: the file that brings it back is asked for. */
  @property keyless = ''
  /** The name that somebody has tried to come in by. */
  @property typed = ''
  /** The key of a file that somebody new is to have; one is made when there is none. */
  @property key: KeyFile | undefined
  @state private nameProblem = ''
  @state private keyProblem = ''

  private get name(): HTMLInputElement | null {
    return this.querySelector('#name')
  }

  protected override firstUpdated(): void {
    this.name?.focus()
  }

  protected override updated(changed: Map<PropertyKey, unknown>): void {
    // It came to nothing: the form is back.
    if (changed.get('making') !== undefined) this.name?.focus()
    if (!changed.has('keyless') || this.keyless === '') return
    this.querySelector('form details')?.setAttribute('open', '')
    this.querySelector<HTMLElement>('#key-passphrase')?.focus()
  }

  override render(): Html {
    return html`<main class=${this.profiles.length > MANY ? 'many' : ''}>
      <header>
        <span class="sign-box">${sign()}</span>
        <h1 class="wordmark">sotto</h1>
        <p class="motto">Private chat, in an undertone</p>
      </header>
      ${this.#renderCard()}
    </main>`
  }

  #renderCard(): Html {
    if (this.unable !== '')
      return html`<section class="card" role="alert"><h2>Sotto can’t run here</h2><p>${this.unable}</p></section>`
    if (this.making !== undefined) return renderMaking(this.making, this.key !== undefined)
    if (this.locked !== undefined)
      return html`<unlock-form .locked=${this.locked} .problem=${this.problem} .busy=${this.unlocking}></unlock-form>`
    return this.#renderDoor()
  }

  #renderDoor(): Html {
    const lost = this.keyless || this.lost
    return html`
      ${lost === '' ? nothing : html`<p class="lost" role="alert">${lost}</p>`}
      ${this.profiles.length > 0 ? this.#renderProfiles() : nothing}
      <form class="card" @submit=${this.#start} novalidate>
        ${this.profiles.length > 0 ? html`<h2>Somebody new</h2>` : nothing}
        <div class="field">
          <label for="name">Name</label>
          <input id="name" type="text" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="64" .value=${this.typed}
            aria-describedby="name-problem honest" aria-invalid=${this.nameProblem === '' ? 'false' : 'true'} @input=${this.#checkName}>
        </div>
        <p class="problem" id="name-problem" role="alert">${this.nameProblem || this.problem}</p>
        <button class="button primary" type="submit">Start chatting</button>
        <p class="soft small" id="honest">
          This browser makes a key that only it has, and everything you write is encrypted here before it leaves. No
          account, no e-mail. The server sees who writes to whom, never what; you do trust it for the code of this page.
        </p>
        ${this.#renderKeyFile()}
      </form>
    `
  }

  #renderProfiles(): Html {
    const all = this.profiles.filter(({ state }) => state === 'held')
    const held = all.length > MANY ? all : []
    const others = this.profiles.filter((profile) => !held.includes(profile))
    return html`<section class="card" aria-labelledby="here-title">
      <h2 id="here-title">In this browser</h2>
      ${others.length > 0 ? this.#renderList(others) : nothing}
      ${held.length > 0 ? html`<details ?open=${this.lost !== ''}><summary>${plural(held.length, 'person is', 'people are')} open in other tabs</summary>${this.#renderList(held)}</details>` : nothing}
    </section>`
  }

  #renderList(profiles: readonly ProfileView[]): Html {
    return html`<ul role="list">${profiles.map((profile) => this.#renderProfile(profile))}</ul>`
  }

  #renderProfile({ id, user, state }: ProfileView): Html {
    const person = html`<bdi>${user}</bdi>`
    if (state === 'wiped')
      return html`<li class="wiped">
        <span class="avatar" aria-hidden="true">${initial(user)}</span>
        <p class="who">This browser has deleted the key of ${person}. Whoever has the key file can import it below and is ${person} again.</p>
        <button class="button quiet" type="button" @click=${() => this.dispatchEvent(new ForgetEvent(id))}>Forget<span class="unseen"> ${user}</span></button>
      </li>`
    const held = state === 'held'
    return html`<li>
      <span class="avatar ${hue(user)}" aria-hidden="true">${initial(user)}</span>
      <span class="who">${held ? html`${person} is open in another tab` : person}</span>
      <button class="button ${held ? '' : 'primary'}" type="button" @click=${() => this.dispatchEvent(new EnterEvent(id, held))}>
        ${held ? 'Take over' : 'Continue'}<span class="unseen"> ${held ? 'from the other tab,' : 'as'} ${user}</span>
      </button>
    </li>`
  }

  #renderKeyFile(): Html {
    if (this.key)
      return html`<div class="key">
        <p>${checkIcon()} The key was read. You will be whoever it belongs to:</p>
        <code class="fingerprint">${grouped(this.key.fingerprint)}</code>
        <button class="button quiet" type="button" @click=${this.#dropKey}>Make a new key instead</button>
      </div>`
    return html`<details>
      <summary>I have a key file from another browser</summary>
      ${passphraseField('key-passphrase', 'key-problem', this.keyProblem)}
      <p class="problem" id="key-problem" role="alert">${this.keyProblem}</p>
      <button class="button" type="button" @click=${() => this.querySelector<HTMLInputElement>('[type=file]')?.click()}>Import</button>
      <input type="file" accept=".pem,.key,application/x-pem-file" hidden @change=${this.#readKey}>
    </details>`
  }

  #checkName(): void {
    const name = this.name?.value ?? ''
    this.nameProblem = name.trim() === '' ? '' : (this.door?.nameProblem(name) ?? '')
    this.dispatchEvent(new TypeNameEvent())
  }

  #start(event: Event): void {
    event.preventDefault()
    const name = this.name?.value ?? ''
    this.nameProblem =
      name.trim() === ''
        ? this.key
          ? OWNER
          : 'Type the name that others will see.'
        : (this.door?.nameProblem(name) ?? '')
    if (this.nameProblem === '') this.dispatchEvent(new StartEvent(name, this.key))
    else this.name?.focus()
  }

  async #readKey(event: Event): Promise<void> {
    const input = event.target as HTMLInputElement
    const file = input.files?.[0]
    const door = this.door
    if (file === undefined || door === undefined) return
    this.keyProblem = ''
    try {
      const passphrase = this.querySelector<HTMLInputElement>('#key-passphrase')?.value ?? ''
      const read = await readKeyFile(file, passphrase, (pem, secret) => door.readKey(pem, secret))
      this.dispatchEvent(new ChooseKeyEvent(read.key))
      if (this.name && this.name.value === '') this.name.value = read.name
      this.#checkName()
      const nameless = this.name?.value === ''
      if (nameless) this.nameProblem = OWNER
      this.querySelector<HTMLElement>(nameless ? '#name' : '[type=submit]')?.focus()
    } catch (error) {
      this.keyProblem = said(error)
    }
    input.value = ''
  }

  #dropKey(): void {
    this.dispatchEvent(new ChooseKeyEvent())
  }
}

function renderMaking(making: Making, withKey: boolean): Html {
  const at = MAKING.indexOf(making)
  return html`<section class="card" aria-labelledby="making-title">
    <h2 id="making-title">One moment</h2>
    <progress aria-labelledby="making-title" max=${MAKING.length} value=${at + 0.5}></progress>
    <ol class="steps" role="list">${MAKING.map((step, i) => {
      const words = step === 'key' && withKey ? 'Checking the key of your file' : WORDS[step]
      return html`<li class=${i === at ? 'now' : ''} aria-current=${i === at ? 'step' : 'false'}>
        <span class="mark">${i < at ? checkIcon() : html`<span class="dot"></span>`}</span>${words}
      </li>`
    })}</ol>
    <p class="unseen" role="status" aria-label="Progress">${WORDS[making]}</p>
  </section>`
}

declare global {
  interface HTMLElementTagNameMap {
    'welcome-screen': WelcomeScreen
  }
}
