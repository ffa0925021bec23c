import type { EndpointView } from '../chat/model.ts'
import { type Html, html, nothing } from './html.ts'
import { grouped } from './words.ts'

/** A box for a password, with its label and what there is to know about it. */
export function secretField(id: string, label: string, help = '', autocomplete = 'off'): Html {
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <input id=${id} type="password" maxlength="1024" autocomplete=${autocomplete} aria-describedby="${id}-help">
    <p class="soft small" id="${id}-help">${help}</p>
  </div>`
}

/** Stands before a password is typed, while the server's key is known by first sight only. */
export function unverifiedServer(endpoint: EndpointView | undefined): Html | typeof nothing {
  if (!endpoint?.fingerprint || endpoint.verified) return nothing
  return html`<p>This server’s key is not verified yet. Before you give it a password, ask whoever runs it whether its fingerprint is this one:</p>
    <code class="fingerprint">${grouped(endpoint.fingerprint)}</code>`
}

/** What was typed into it. */
export function secretIn(within: ParentNode, id: string): string {
  return within.querySelector<HTMLInputElement>(`#${id}`)?.value ?? ''
}

/** Milliseconds since 1970 from which another try is taken; 0 for at once. */
export function nextTry(error: unknown): number {
  const { refusal } = error as { readonly refusal?: { readonly retryAfter?: number } }
  const wait = refusal?.retryAfter ?? 0
  return wait > 0 ? Date.now() + wait : 0
}
