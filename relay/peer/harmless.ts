/**
 * Everything that a terminal could take for a command, or that could make a line look like another
 * one: control characters (escape sequences begin with one), the separators that some terminals
 * break lines at, and marks that turn the direction of writing.
 */
const DANGEROUS = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu

/** Text from somebody else, safe to print: what is dangerous is shown as `⟨1b⟩`. */
export function harmless(text: string): string {
  return text.replace(DANGEROUS, (c) => `⟨${c.codePointAt(0)?.toString(16).padStart(2, '0')}⟩`)
}

/** The same for a message, whose line breaks stay, each followed by an indent. */
export function harmlessLines(text: string): string {
  return text.split('\n').map(harmless).join('\n    ')
}
