import type { EndpointView, HandshakeStep, HandshakeView as View } from '../chat/model.ts'
import { customElement, type Html, html, nothing, property } from './html.ts'
import { checkIcon, lockIcon } from './icons.ts'
import { SidePanel } from './side_panel.ts'
import { duration, grouped, plural } from './words.ts'

const MODES = {
  full: {
    title: 'Full handshake',
    text: 'Both sides prove who they are with their RSA keys, and agree on a secret that exists for this connection only. Whoever steals the RSA keys later still can’t read it.',
  },
  resumed: {
    title: 'Resumed',
    text: 'Both sides prove that they still hold the secret of an earlier full handshake, and mix in fresh X25519 keys. No RSA is needed, so it is fast, and it is as hard to read later.',
  },
} as const

/** The handshake of this very connection, step by step as it happens, as two lanes. */
@customElement('handshake-view')
export class HandshakePanel extends SidePanel {
  @property handshake: View | undefined
  @property endpoint: EndpointView | undefined

  protected override heading(): string {
    return 'Handshake'
  }

  protected override body(): Html {
    const handshake = this.handshake
    if (handshake === undefined || handshake.steps.length === 0)
      return html`<p class="waiting">There has been no handshake yet. It begins as soon as the endpoint answers, and you will see it here.</p>`
    return html`
      ${renderMode(handshake)}
      ${this.endpoint ? renderEndpoint(this.endpoint) : nothing}
      ${renderFigures(handshake)}
      ${renderTimes(handshake)}
      <div class="heads"><span>You</span><span>Endpoint</span></div>
      <ol class="lanes" role="list" aria-label="Steps">${handshake.steps.map(renderStep)}</ol>
      ${handshake.done ? renderEnd(handshake) : html`<p class="going soft" role="status" aria-label="Progress">Waiting for the next step…</p>`}
    `
  }

  /** Positions go through the object model: the page's policy allows no style attributes. */
  protected override updated(): void {
    for (const bar of this.querySelectorAll<HTMLElement>('[data-from]')) {
      bar.style.setProperty('left', `${bar.dataset.from}%`)
      bar.style.setProperty('width', `${bar.dataset.width}%`)
    }
  }
}

function renderMode({ mode, done }: View): Html {
  const words = mode === undefined ? undefined : MODES[mode]
  return html`<div class="mode">
    <p class="title">${words?.title ?? 'Beginning'}${done ? html` <span class="complete">${checkIcon()} complete</span>` : nothing}</p>
    <p class="soft small">${words?.text ?? 'The endpoint has not said yet whether this will be a full handshake or a resumed one.'}</p>
  </div>`
}

/** Whose key it is that the endpoint has just proved to own. */
function renderEndpoint({ host, fingerprint, verified }: EndpointView): Html | typeof nothing {
  if (fingerprint === '') return nothing
  const known = verified
    ? 'It is the one that your link names, or that you accepted.'
    : 'Unverified: it is the one that this browser saw first. Compare it with whoever runs the endpoint.'
  return html`<details class="endpoint">
    <summary>Key of the endpoint <bdi>${host}</bdi>: ${verified ? 'verified' : 'unverified, as first seen'}</summary>
    <code class="fingerprint">${grouped(fingerprint)}</code>
    <p class="soft small">${known}</p>
  </details>`
}

function renderFigures({ steps, ms }: View): Html {
  const sum = (direction: HandshakeStep['direction']): number =>
    steps.reduce((total, step) => total + (step.direction === direction ? step.bytes : 0), 0)
  return html`<dl class="figures">
    <div><dt>Time</dt><dd>${duration(ms)}</dd></div>
    <div><dt>Sent</dt><dd>${plural(sum('out'), 'byte')}</dd></div>
    <div><dt>Received</dt><dd>${plural(sum('in'), 'byte')}</dd></div>
  </dl>`
}

/** One bar for the whole time; each step takes the part since the one before it. */
function renderTimes({ steps, ms }: View): Html {
  const whole = Math.max(ms, steps.at(-1)?.at ?? 0, 1)
  return html`<div class="times" aria-hidden="true">${steps.map((step, i) => {
    const from = i === 0 ? 0 : (steps[i - 1]?.at ?? 0)
    const percent = (at: number): string => ((100 * at) / whole).toFixed(2)
    return html`<span class=${step.direction} data-from=${percent(from)} data-width=${percent(Math.max(0, step.at - from))}></span>`
  })}</div>`
}

const DIRECTIONS: Record<HandshakeStep['direction'], string> = {
  out: 'from you to the endpoint',
  in: 'from the endpoint to you',
  own: 'computed here, nothing is sent',
}

function renderStep(step: HandshakeStep, index: number): Html {
  return html`<li class="step ${step.direction}">
    <p class="line">
      <b>${step.name}</b>
      <span class="unseen">, ${DIRECTIONS[step.direction]}, </span>
      <span class="soft small figure">${step.bytes > 0 ? `${plural(step.bytes, 'byte')} · ` : ''}${duration(step.at)}</span>
    </p>
    ${step.direction === 'own' ? nothing : html`<span class="arrow" aria-hidden="true"></span>`}
    <p class="proves">${step.proves}</p>
    ${
      step.fields.length + step.transcript.length > 0
        ? html`<details>
            <summary>${step.fields.length > 0 ? plural(step.fields.length, 'public field') : 'Transcript'}<span class="unseen"> of step ${index + 1}</span></summary>
            <dl>${step.fields.map(renderField)}${step.transcript === '' ? nothing : renderField({ name: 'transcript so far', value: step.transcript, bytes: 32 })}</dl>
          </details>`
        : nothing
    }
  </li>`
}

function renderField({ name, value, bytes }: HandshakeStep['fields'][number]): Html {
  const shown = /^[0-9a-f]{16,}$/.test(value) ? grouped(value) : value
  return html`<div>
    <dt>${name} ${bytes > 0 ? html`<span class="soft">${plural(bytes, 'byte')}</span>` : nothing}</dt>
    <dd><code>${shown}</code></dd>
  </div>`
}

function renderEnd({ transcript }: View): Html {
  return html`
    <div class="shared">
      <h3>Both sides share this</h3>
      <code class="transcript">${grouped(transcript)}</code>
      <p class="soft small">
        The transcript hash: SHA-256 over everything that was said. Had anybody on the way changed one bit, the two
        sides would have different hashes and the last step would have failed.
      </p>
    </div>
    <p class="secrets soft small">${lockIcon()} <span>What is secret, such as private keys, the agreed secret and the traffic keys, is never shown, and this view is never given it.</span></p>
  `
}

declare global {
  interface HTMLElementTagNameMap {
    'handshake-view': HandshakePanel
  }
}
