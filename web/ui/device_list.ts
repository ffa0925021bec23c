import type { ChatModel, DeviceView } from '../chat/model.ts'
import { SottoElement } from './element.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { clock, day, grouped, said } from './words.ts'

/** Devices come and go without a word from the endpoint: it is asked again so often (ms). */
const LOOK_MS = 5_000

/** The person's devices, and the way to remove one that was lost or is no longer used. */
@customElement('device-list')
export class DeviceList extends SottoElement {
  @property model: ChatModel | undefined
  @property online = false
  @state private devices: readonly DeviceView[] | undefined
  /** The device that is about to be removed, and how often that has been confirmed. */
  @state private removing = ''
  @state private confirmed = 0
  @state private busy = false
  @state private problem = ''
  #timer: ReturnType<typeof setInterval> | undefined

  override connectedCallback(): void {
    super.connectedCallback()
    this.#timer = setInterval(() => void this.#look(), LOOK_MS)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    clearInterval(this.#timer)
  }

  protected override updated(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('online')) void this.#look()
  }

  override render(): Html {
    return html`
      <h3 id="devices-title">Devices</h3>
      <p class="soft small">The same key in another browser is another device of yours: it is in all your conversations, and others see one person.</p>
      ${this.#renderList()}
      <p class="problem" role="alert">${this.problem}</p>
    `
  }

  #renderList(): Html {
    if (this.devices === undefined)
      return html`<p class="soft" role="status" aria-label="Devices">${this.online ? 'Looking…' : 'They can be listed while you are connected.'}</p>`
    return html`<ul role="list" aria-labelledby="devices-title">${this.devices.map((one) => this.#renderDevice(one))}</ul>`
  }

  #renderDevice(one: DeviceView): Html {
    const name = nameOf(one)
    return html`<li class=${one.online ? 'online' : ''}>
      <span class="dot" aria-hidden="true"></span>
      <span class="words"><b>${name}</b> <span class="soft small">${one.me ? 'You are using it now' : one.online ? 'Online' : `Last seen ${when(one.lastSeen)}`}</span></span>
      ${
        one.me || this.removing === one.device
          ? nothing
          : html`<button class="button" type="button" aria-label="Remove ${name}" ?disabled=${this.busy || !this.online} @click=${() => this.#ask(one.device)}>Remove…</button>`
      }
      ${this.removing === one.device ? this.#renderConfirm(one) : nothing}
    </li>`
  }

  #renderConfirm(one: DeviceView): Html {
    const first = this.confirmed === 0
    const [question, label] = first
      ? [
          `Remove ${nameOf(one)}? It is signed out at once and can read nothing that is written from then on.`,
          'Yes, remove',
        ]
      : ['It can’t come back as this device. Really remove it?', 'Remove for good']
    return html`<div class="confirm" role="group" aria-label="Confirm">
      <p role="alert">${question}</p>
      <button class="button danger" type="button" ?disabled=${this.busy} @click=${() => (first ? this.#confirm() : this.#remove(one.device))}>${label}</button>
      <button class="button" type="button" @click=${() => this.#ask('')}>Keep</button>
    </div>`
  }

  #ask(device: string): void {
    this.removing = device
    this.confirmed = 0
    this.problem = ''
  }

  #confirm(): void {
    this.confirmed = 1
  }

  async #remove(device: string): Promise<void> {
    this.busy = true
    try {
      await this.model?.removeDevice(device)
      this.#ask('')
    } catch (error) {
      this.problem = said(error)
    }
    this.busy = false
    await this.#look()
  }

  async #look(): Promise<void> {
    if (!this.online) return
    try {
      this.devices = await this.model?.devices()
    } catch (error) {
      // The connection may have just ended; a list that is there stays.
      if (this.devices === undefined) this.problem = said(error)
    }
  }
}

/** Devices have no names: the beginning of the number tells them apart. */
function nameOf({ device, me }: DeviceView): string {
  return me ? 'This device' : `Device ${grouped(device.slice(0, 8))}`
}

function when(at: number): string {
  return `${day(at, Date.now())}, ${clock(at)}`
}

declare global {
  interface HTMLElementTagNameMap {
    'device-list': DeviceList
  }
}
