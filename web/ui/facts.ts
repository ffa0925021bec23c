import { type Html, html, nothing } from './html.ts'

const FINGERPRINT = /(?:[0-9a-f]{4} ){15}[0-9a-f]{4}$/

/** Lines of a notice. A fingerprint at the end of one stands in a block, to be compared. */
export function facts(text: string): Html[] {
  return text.split('\n').map((line) => {
    const [digits = ''] = FINGERPRINT.exec(line) ?? []
    const words = line.slice(0, line.length - digits.length)
    return html`<span class="fact">
      ${words}${digits === '' ? nothing : html`<code class="fingerprint">${digits}</code>`}
    </span>`
  })
}
