import type { ConnectionState } from '../chat/model.ts'
import { SottoElement } from './element.ts'
import { customElement, type Html, html, nothing, property } from './html.ts'

/** The connection's state in words. The countdown is for the eye only: it is not read out. */
@customElement('connection-status')
export class ConnectionStatus extends SottoElement {
  @property connection: ConnectionState = { phase: 'connecting' }
  #timer: ReturnType<typeof setInterval> | undefined

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  protected override willUpdate(): void {
    const counts = this.connection.phase === 'offline' && this.connection.retryAt !== undefined
    if (counts) this.#timer ??= setInterval(() => this.requestUpdate(), 1000)
    else {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  override render(): Html {
    const { phase } = this.connection
    return html`<div role="status" aria-label="Connection" class="state ${phase}">
      <span class="dot" aria-hidden="true"></span><span class="words">${inWords(this.connection)}</span>${this.#renderCountdown()}
    </div>`
  }

  #renderCountdown(): Html | typeof nothing {
    if (this.connection.phase !== 'offline' || this.connection.retryAt === undefined) return nothing
    const seconds = Math.max(0, Math.ceil((this.connection.retryAt - Date.now()) / 1000))
    const words = seconds === 0 ? 'Trying now.' : `Next try in ${seconds} s.`
    return html` <span class="soft" aria-hidden="true">${words}</span>`
  }
}

function inWords(connection: ConnectionState): string {
  switch (connection.phase) {
    case 'connecting':
      return 'Connecting…'
    case 'handshake':
      return 'Shaking hands…'
    case 'admission':
      return 'Waiting for your password'
    case 'entering':
      return 'Entering the Lobby…'
    case 'online':
      return connection.resumed ? 'Connected again' : 'Connected'
    case 'offline':
      return connection.text === '' ? 'Offline' : `Offline: ${connection.text}`
    case 'stopped':
      return connection.text === '' ? 'Stopped' : `Stopped: ${connection.text}`
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'connection-status': ConnectionStatus
  }
}
