import { type Html, html } from './html.ts'

const FINGERPRINT = /(?:[0-9a-f]{4} ){15}[0-9a-f]{4}$/

/** Lines of a notice. A fingerprint at the end of one stands in a block, to be compared. */
export function facts(text: string): Html[] {
  return text.split('\n').map((line) => {
    const [digits = ''] = FINGERPRINT.exec(line) ?? []
    if (digits === '') return html`<span>${line}</span>\n`
    return html`<span>${line.slice(0, -digits.length)}</span><code class="fingerprint">${digits}</code>`
  })
}
