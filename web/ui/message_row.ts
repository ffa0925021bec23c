/** One line of a conversation as a template. Everything that people wrote is set as text. */
import type { MessageView, SystemView, TimelineItem } from '../chat/model.ts'
import { type Html, html, nothing } from './html.ts'
import { checkIcon } from './icons.ts'
import { spans } from './links.ts'
import { clock, day, hue, initial, iso } from './words.ts'

/** Messages of one person closer together than this stand under one name. */
const TOGETHER = 5 * 60_000

export interface RowContext {
  readonly before: TimelineItem | undefined
  readonly now: number
  /** The first item that the person has not seen yet. */
  readonly marker: string | undefined
  readonly onUnsent: (item: MessageView, what: 'retry' | 'discard') => void
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
      <p class="meta"><time datetime=${iso(item.at)}>${clock(item.at)}</time>${stateOf(item)}${item.unsent ? takeBack(item, context) : nothing}</p>
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
  const words = (item.state === 'waiting' && item.reason) || STATES[item.state]
  if (item.state === 'sent')
    return html`<span class="state" title=${words}>${checkIcon()}<span class="unseen">${words}</span></span>`
  return words === '' ? nothing : html`<span class="state">${words}</span>`
}

function takeBack(item: MessageView, { onUnsent }: RowContext): Html {
  return html`<button class="take-back" type="button" @click=${() => onUnsent(item, 'discard')}>Discard</button>`
}

function failure(item: MessageView, { onUnsent }: RowContext): Html {
  return html`<div class="failure">
    <p class="problem">${item.reason}</p>
    ${item.final ? html`<copy-button .text=${item.text} .label=${'Copy'}></copy-button>` : html`<button class="button" type="button" @click=${() => onUnsent(item, 'retry')}>Retry</button>`}
    <button class="button quiet" type="button" @click=${() => onUnsent(item, 'discard')}>Discard</button>
  </div>`
}
