/** One line of a conversation as a template. Everything that people wrote is set as text. */
import type { MessageView, SystemView, TimelineItem } from '../chat/model.ts'
import { css, type Html, html, nothing } from './html.ts'
import { spans } from './links.ts'
import { clock, day, hue, initial, iso } from './words.ts'

/** Messages of one person closer together than this stand under one name. */
const TOGETHER = 5 * 60_000

export interface RowContext {
  readonly before: TimelineItem | undefined
  readonly now: number
  /** The first item that the person has not seen yet. */
  readonly marker: string | undefined
  readonly onFailed: (item: MessageView, what: 'retry' | 'discard') => void
}

export function row(item: TimelineItem, context: RowContext): Html {
  const { before, now, marker } = context
  const today = day(item.at, now)
  const newDay = before === undefined || day(before.at, now) !== today
  return html`
    ${newDay ? html`<h3 class="day">${today}</h3>` : nothing}
    ${item.id === marker ? html`<p class="marker"><span>New messages</span></p>` : nothing}
    ${item.kind === 'system' ? systemRow(item) : messageRow(item, continues(item, context), context)}
  `
}

function continues(item: MessageView, { before, now, marker }: RowContext): boolean {
  return (
    before?.kind === 'text' &&
    before.from === item.from &&
    before.mine === item.mine &&
    Math.abs(item.at - before.at) < TOGETHER &&
    day(item.at, now) === day(before.at, now) &&
    item.id !== marker
  )
}

function systemRow(item: SystemView): Html {
  return html`<p class="system" data-id=${item.id}>
    <bdi>${item.text}</bdi> <time datetime=${iso(item.at)}>${clock(item.at)}</time>
  </p>`
}

function messageRow(item: MessageView, continued: boolean, context: RowContext): Html {
  const kind = `message ${item.mine ? 'mine' : 'theirs'} ${continued ? 'continued' : ''}`
  return html`<article class=${kind} data-id=${item.id} data-state=${item.state}>
    ${item.mine ? nothing : html`<span class="avatar ${hue(item.from)}" aria-hidden="true">${continued ? '' : initial(item.from)}</span>`}
    <div class="body">
      <h4 class=${item.mine || continued ? 'unseen' : 'from'}><bdi>${item.from}</bdi></h4>
      <p class="text" dir="auto">${spans(item.text).map(({ text, href }) =>
        href === undefined
          ? text
          : html`<a href=${href} target="_blank" rel="noopener noreferrer" referrerpolicy="no-referrer">${text}</a>`,
      )}</p>
      <p class="meta"><time datetime=${iso(item.at)}>${clock(item.at)}</time>${stateOf(item)}</p>
      ${item.state === 'failed' ? failure(item, context) : nothing}
    </div>
  </article>`
}

const STATES: Record<MessageView['state'], string> = {
  received: '',
  waiting: 'Waiting for the connection',
  sending: 'Sending…',
  sent: 'Sent',
  failed: 'Not sent',
}

function stateOf(item: MessageView): Html | typeof nothing {
  const words = STATES[item.state]
  return words === '' ? nothing : html`<span class="state">${words}</span>`
}

function failure(item: MessageView, { onFailed }: RowContext): Html {
  return html`<div class="failure">
    <p class="problem">${item.reason}</p>
    <button class="button" type="button" @click=${() => onFailed(item, 'retry')}>Retry</button>
    <button class="button quiet" type="button" @click=${() => onFailed(item, 'discard')}>Discard</button>
  </div>`
}

export const rowStyles = css`
  message-list {
    .day {
      width: fit-content;
      margin: var(--s5) auto var(--s3);
      color: var(--ink-soft);
      font: italic 400 var(--step-0) / 1.4 var(--serif);
    }

    .system {
      margin: var(--s2) auto;
      max-width: 60ch;
      color: var(--ink-soft);
      font-size: var(--step-1);
      text-align: center;
      overflow-wrap: anywhere;
    }

    .marker {
      display: flex;
      align-items: center;
      gap: var(--s3);
      margin: var(--s4) 0 var(--s2);
      color: var(--accent);
      font-size: var(--step-1);
      font-weight: 600;

      &::before,
      &::after {
        content: "";
        flex: 1;
        height: 1px;
        background: currentcolor;
        opacity: 0.4;
      }
    }

    .message {
      display: flex;
      gap: var(--s2);
      margin-top: var(--s4);

      &.continued {
        margin-top: 3px;

        & > .avatar {
          background: none;
        }
      }

      &.mine {
        justify-content: flex-end;
      }
    }

    .body {
      display: grid;
      grid-template-columns: auto auto;
      justify-content: start;
      gap: 0 var(--s2);
      min-width: 0;
      max-width: min(72ch, 88%);
    }

    .from,
    .failure {
      grid-column: 1 / -1;
    }

    .mine .meta {
      grid-area: 1 / 1;
      justify-content: end;
    }

    .mine .text {
      grid-area: 1 / 2;
    }

    .from {
      margin: 0 0 2px;
      font-size: var(--step-1);
      font-weight: 600;
    }

    .text {
      padding: 7px 13px;
      border-radius: var(--rounder);
      border-start-start-radius: 5px;
      background: var(--raised);
      box-shadow: inset 0 0 0 1px var(--line);
      white-space: pre-wrap;
      overflow-wrap: anywhere;
      unicode-bidi: plaintext;
    }

    .continued .text {
      border-start-start-radius: var(--rounder);
    }

    .mine .text {
      border-start-start-radius: var(--rounder);
      border-end-end-radius: 5px;
      background: var(--mine);
      box-shadow: none;
    }

    .meta {
      display: flex;
      gap: 0 var(--s2);
      align-self: end;
      min-width: 5ch;
      padding-bottom: 8px;
      color: var(--ink-soft);
      font-size: 0.75rem;
      font-variant-numeric: tabular-nums;
      line-height: 1.3;
      white-space: nowrap;

      & .state {
        order: -1;
      }

      @media (max-width: 760px) {
        flex-direction: column;
        align-items: end;
        padding-bottom: 4px;

        & .state {
          order: 1;
          max-width: 12ch;
          text-align: end;
          white-space: normal;
        }
      }
    }

    [data-state="waiting"] .text,
    [data-state="sending"] .text {
      opacity: 0.72;
    }

    [data-state="failed"] {
      & .text {
        background: var(--danger-soft);
        box-shadow: inset 0 0 0 1px var(--danger);
      }

      & .state {
        color: var(--danger);
        font-weight: 600;
      }
    }

    .failure {
      display: flex;
      flex-wrap: wrap;
      align-items: center;
      justify-content: flex-end;
      gap: var(--s2);
      margin-top: var(--s1);
      font-size: var(--step-1);
      text-align: end;
    }

    @media (forced-colors: active) {
      .text {
        border: 1px solid;
      }
    }
  }
`
