import { type Html, html } from './html.ts'

/** A box for a password, with its label and what there is to know about it. */
export function secretField(id: string, label: string, help = '', autocomplete = 'off'): Html {
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <input id=${id} type="password" maxlength="1024" autocomplete=${autocomplete} aria-describedby="${id}-help">
    <p class="soft small" id="${id}-help">${help}</p>
  </div>`
}

/** What was typed into it. */
export function secretIn(within: ParentNode, id: string): string {
  return within.querySelector<HTMLInputElement>(`#${id}`)?.value ?? ''
}

/** What a failure says to people. */
export function said(error: unknown): string {
  return error instanceof Error ? error.message : 'That did not work. Try again.'
}

/** Milliseconds since 1970 from which another try is taken; 0 for at once. */
export function nextTry(error: unknown): number {
  const { refusal } = error as { readonly refusal?: { readonly retryAfter?: number } }
  const wait = refusal?.retryAfter ?? 0
  return wait > 0 ? Date.now() + wait : 0
}
