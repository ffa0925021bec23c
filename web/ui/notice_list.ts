import type { Notice } from '../chat/model.ts'
import { SottoElement } from './element.ts'
import { NoticeEvent } from './events.ts'
import { css, customElement, type Html, html, nothing, property } from './html.ts'
import { infoIcon, warningIcon } from './icons.ts'

/** Notices that don't block: each stays until the person dismisses it. */
@customElement('notice-list')
export class NoticeList extends SottoElement {
  @property({ attribute: false }) notices: readonly Notice[] = []

  override render(): Html {
    const shown = this.notices.filter(({ blocking }) => !blocking)
    return html`<div aria-live="polite" aria-relevant="additions">${shown.map((notice) => this.#renderNotice(notice))}</div>`
  }

  #renderNotice({ id, kind, title, seen, advice, choices }: Notice): Html {
    return html`<section class="notice ${kind}" aria-label=${title}>
      ${kind === 'info' ? infoIcon() : warningIcon()}
      <div class="words">
        <h3>${title}</h3>
        ${seen === '' ? nothing : html`<p>${seen}</p>`}
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

  static override styles = css`
    notice-list {
      display: block;
      flex: none;
      max-height: 40%;
      overflow-y: auto;
      padding: 0 var(--s4);

      .notice {
        display: flex;
        align-items: flex-start;
        gap: var(--s3);
        max-width: 860px;
        margin: var(--s3) auto 0;
        padding: var(--s3) var(--s3) var(--s3) var(--s4);
        border-radius: var(--round);
        background: var(--accent-soft);

        & > .icon {
          margin-top: 2px;
          color: var(--accent);
        }

        &.warning {
          background: var(--warn-soft);

          & > .icon {
            color: var(--warn);
          }
        }

        &.mitm {
          background: var(--danger-soft);
          box-shadow: inset 0 0 0 1px var(--danger);

          & > .icon,
          & h3 {
            color: var(--danger);
          }
        }
      }

      .words {
        flex: 1;
        min-width: 0;
        font-size: var(--step-1);
        overflow-wrap: anywhere;
      }

      .choices {
        display: flex;
        flex-wrap: wrap;
        gap: var(--s2);
        margin-top: var(--s2);
      }

      h3 {
        font-size: var(--step-0);
        font-weight: 600;
      }
    }
  `
}

declare global {
  interface HTMLElementTagNameMap {
    'notice-list': NoticeList
  }
}
