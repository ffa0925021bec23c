import type { Notice } from '../chat/model.ts'
import { SottoElement } from './element.ts'
import { NoticeEvent } from './events.ts'
import { facts } from './facts.ts'
import { customElement, type Html, html, nothing, property } from './html.ts'
import { infoIcon, warningIcon } from './icons.ts'

/**
 * Notices that don't block, or that the person has put aside: each stays until it is dismissed or
 * decided.
 */
@customElement('notice-list')
export class NoticeList extends SottoElement {
  @property notices: readonly Notice[] = []

  override render(): Html {
    return html`<div aria-live="polite" aria-relevant="additions">${this.notices.map((notice) => this.#renderNotice(notice))}</div>`
  }

  #renderNotice({ id, kind, title, seen, advice, blocking, choices: all }: Notice): Html {
    // What was put aside has taken its harmless choice already.
    const choices = blocking ? all.filter(({ danger }) => danger) : all
    return html`<section class="notice ${kind}" aria-label=${title}>
      ${kind === 'info' ? infoIcon() : warningIcon()}
      <div class="words">
        <h3>${title}</h3>
        ${seen === '' ? nothing : html`<p>${facts(seen)}</p>`}
        ${advice === '' ? nothing : html`<p><b>What to do:</b> ${advice}</p>`}
        ${
          choices.length === 0
            ? nothing
            : html`<div class="choices">${choices.map(
                ({ choice, label, danger }) =>
                  html`<button class="button ${danger ? 'danger' : ''}" type="button" @click=${() => this.dispatchEvent(new NoticeEvent(id, choice))}>${label}</button>`,
              )}</div>`
        }
      </div>
      ${choices.length > 0 ? nothing : html`<button class="button quiet" type="button" @click=${() => this.dispatchEvent(new NoticeEvent(id))}>Dismiss</button>`}
    </section>`
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'notice-list': NoticeList
  }
}
