import { SottoElement } from './element.ts'
import { customElement, type Html, html, nothing, property } from './html.ts'

/** Says how long it is until something may be tried again, and dispatches `over` then. */
@customElement('count-down')
export class CountDown extends SottoElement {
  /** Milliseconds since 1970; 0 for nothing to wait for. */
  @property until = 0
  #timer: ReturnType<typeof setInterval> | undefined

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#stop()
  }

  protected override willUpdate(): void {
    if (this.until === 0) this.#stop()
    else this.#timer ??= setInterval(() => this.#tick(), 250)
  }

  override render(): Html | typeof nothing {
    const seconds = Math.ceil((this.until - Date.now()) / 1000)
    if (seconds <= 0) return nothing
    const [minutes, rest] = [Math.floor(seconds / 60), String(seconds % 60).padStart(2, '0')]
    return html`<p class="soft" role="timer">The next try is taken in ${minutes}:${rest}.</p>`
  }

  #tick(): void {
    this.requestUpdate()
    if (Date.now() < this.until) return
    this.#stop()
    this.dispatchEvent(new Event('over'))
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'count-down': CountDown
  }
}
