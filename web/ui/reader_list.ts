import type { Reader, RoomView } from '../chat/model.ts'
import { SottoElement } from './element.ts'
import { HistoryEvent, VerifyEvent } from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { chevronIcon, lockIcon } from './icons.ts'
import { TRUST } from './people_list.ts'
import { grouped, hue, initial, plural } from './words.ts'

const KEPT = 'New messages are kept here, encrypted, until you wipe them.'
const NOT_KEPT =
  'New messages are not kept: they are gone when this page is closed. What was kept before stays until you wipe it.'
const OVER = 'What was kept stays here, encrypted, until you wipe it.'

const LEAVING = ['pointerdown', 'keydown'] as const

/**
 * Says at all times that the conversation is end-to-end encrypted and who can read it, by the
 * group's own tree. Opened, it names them with their keys.
 */
@customElement('reader-list')
export class ReaderList extends SottoElement {
  @property room: RoomView | undefined
  @state private open = false
  @state private wiping = false

  /** It covers the conversation: whoever goes on elsewhere has done with it. */
  readonly #elsewhere = (event: Event): void => {
    if (!event.composedPath().includes(this)) this.open = false
  }

  override connectedCallback(): void {
    super.connectedCallback()
    for (const type of LEAVING) document.addEventListener(type, this.#elsewhere)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    for (const type of LEAVING) document.removeEventListener(type, this.#elsewhere)
  }

  override render(): Html | typeof nothing {
    if (this.room === undefined) return nothing
    return html`
      <button class="claim" type="button" aria-expanded=${this.open ? 'true' : 'false'}
        aria-controls="readers" @click=${this.#toggle} @keydown=${this.#onKey}>
        ${lockIcon()}<span>End-to-end encrypted. <span class="who">${whoReads(this.room)}</span></span>${chevronIcon()}
      </button>
      <div id="readers" ?hidden=${!this.open} @keydown=${this.#onKey}>
        <h3>Who can read this</h3>
        <p class="soft small">
          What you write here is encrypted on this device and opened only on the devices of these
          people. This list comes from the encryption itself, not from the server.
        </p>
        <p class="soft small">
          To be sure of somebody, have them open Identity on their own device: the digits there and the ones here must be
          the same, all of them. Compare face to face or by voice. What is written here proves nothing.
        </p>
        <ul role="list" aria-label="Readers">${this.room.readers.map((reader) => this.#renderReader(reader))}</ul>
        ${this.room.absence ? html`<p class="soft small">${this.room.absence}</p>` : nothing}
        ${this.room.crypto === '' ? nothing : html`<p class="soft small crypto">${this.room.crypto}</p>`}
        ${this.#renderHistory(this.room)}
      </div>
    `
  }

  #renderReader(reader: Reader): Html {
    const trust = reader.me ? 'This is you' : TRUST[reader.trust]
    return html`<li class="reader">
      <span class="avatar ${hue(reader.user)}" aria-hidden="true">${initial(reader.user)}</span>
      <div>
        <p><b><bdi>${reader.user}</bdi></b> <span class=${reader.trust === 'changed' ? 'problem' : 'soft'}>${trust}, ${plural(reader.devices, 'device')}</span></p>
        <code class="fingerprint">${grouped(reader.fingerprint)}</code>
        ${reader.me || reader.trust === 'changed' ? nothing : this.#renderVerify(reader)}
      </div>
    </li>`
  }

  #renderVerify({ user, trust }: Reader): Html {
    const verified = trust === 'verified'
    return html`<button class="verify" type="button" @click=${() => this.dispatchEvent(new VerifyEvent(user, !verified))}>
      ${verified ? 'Not verified after all' : `I compared these digits with ${user}`}
    </button>`
  }

  #renderHistory({ room, keepsHistory, phase }: RoomView): Html {
    const ask = (what: HistoryEvent['what']) => () => {
      this.wiping = false
      this.dispatchEvent(new HistoryEvent(room, what))
    }
    return html`<h3>On this device</h3>
      <p class="soft small">${phase === 'gone' ? OVER : keepsHistory ? KEPT : NOT_KEPT}</p>
      <div class="history">
        ${phase === 'gone' ? nothing : html`<button class="button" type="button" @click=${ask(keepsHistory ? 'forget' : 'keep')}>${keepsHistory ? 'Stop keeping' : 'Keep from now on'}</button>`}
        <button class="button" type="button" @click=${ask('save')}>Save as text</button>
        <button class="button ${this.wiping ? 'danger' : ''}" type="button"
          @click=${this.wiping ? ask('wipe') : this.#askWipe}>${this.wiping ? 'Really wipe' : 'Wipe what is kept…'}</button>
      </div>`
  }

  #askWipe(): void {
    this.wiping = true
  }

  #toggle(): void {
    this.wiping = false
    this.open = !this.open
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key !== 'Escape' || !this.open) return
    event.stopPropagation()
    this.open = false
    this.querySelector<HTMLElement>('.claim')?.focus()
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    const before = changed.get('room') as RoomView | undefined
    if (before !== undefined && before.room !== this.room?.room) this.open = false
  }
}

function whoReads({ readers, kind, title, phase }: RoomView): string {
  if (phase === 'gone') return 'Over: nobody can write here'
  const others = readers.filter(({ me }) => !me)
  if (readers.length === 0) return 'Nobody can read this yet'
  if (others.length === 0) return 'Only you can read this so far'
  if (kind === 'private' && others.length === 1) return `Only ${title} and you can read this`
  return `${plural(readers.length, 'person', 'people')} can read this`
}

declare global {
  interface HTMLElementTagNameMap {
    'reader-list': ReaderList
  }
}
