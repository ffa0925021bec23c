/** Finds web addresses in a message. What it gives is text and addresses, never markup. */

export interface Span {
  readonly text: string
  /** Where the text leads, when it is an address. Always http or https. */
  readonly href: string | undefined
}

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`{}|\\^]+/gi
/** Closing marks that belong to the sentence and not to the address. */
const TRAILING = /[.,:;!?)\]}*_~…]+$/
/** Marks that are invisible or turn the direction: with them an address can look like another. */
const DECEPTIVE = /[\p{Cf}\p{Cc}\p{Zl}\p{Zp}]/u

/** Splits a message into spans whose texts, put together, are the message again. */
export function spans(text: string): Span[] {
  const found: Span[] = []
  let end = 0
  for (const match of text.matchAll(ADDRESS)) {
    const address = match[0].replace(TRAILING, '')
    const href = safeHref(address)
    if (href === undefined) continue
    if (match.index > end) found.push({ text: text.slice(end, match.index), href: undefined })
    found.push({ text: address, href })
    end = match.index + address.length
  }
  if (end < text.length) found.push({ text: text.slice(end), href: undefined })
  return found
}

/** The address itself, unless it could lead elsewhere than it seems to. */
function safeHref(address: string): string | undefined {
  if (DECEPTIVE.test(address) || !URL.canParse(address)) return undefined
  const url = new URL(address)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined
  // https://bank.example@elsewhere.example leads elsewhere.
  if (url.username !== '' || url.password !== '') return undefined
  return url.href
}
