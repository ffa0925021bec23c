/** What a line in the message box means. */

export type Command =
  | { readonly kind: 'text'; readonly text: string }
  /** Without `text` the conversation is only opened. */
  | { readonly kind: 'pm'; readonly user: string; readonly text: string }
  | { readonly kind: 'help' }
  /** Begins like a command but is none, or lacks something: `text` says what to do. */
  | { readonly kind: 'mistake'; readonly text: string }

export const HELP = [
  '/pm name text: writes to one person in private. A name with blanks goes in "quotes".',
  '/help: shows this.',
  '//text: sends a message that begins with a slash.',
  'Enter sends, Shift+Enter breaks the line.',
] as const

/**
 * Reads a line. `users` are the names that are known: one of them at the beginning of what follows
 * `/pm` is taken whole, so that names with blanks need no quotes.
 */
export function parse(line: string, users: readonly string[]): Command {
  if (!line.startsWith('/')) return { kind: 'text', text: line }
  if (line.startsWith('//')) return { kind: 'text', text: line.slice(1) }
  const [, name = '', rest = ''] = /^\/(\S*)\s*([\s\S]*)$/.exec(line) ?? []
  if (name === 'help' || name === '?') return { kind: 'help' }
  if (name === 'pm' || name === 'msg') return parsePm(rest, users)
  return {
    kind: 'mistake',
    text: `There is no command /${name}. /help lists them; //${name} sends it as text.`,
  }
}

function parsePm(rest: string, users: readonly string[]): Command {
  const quoted = /^"([^"]+)"\s*([\s\S]*)$/.exec(rest)
  if (quoted) return { kind: 'pm', user: quoted[1] ?? '', text: quoted[2] ?? '' }
  const lower = rest.toLowerCase()
  const known = users
    .filter((user) => lower === user.toLowerCase() || /^\s/.test(after(lower, user.toLowerCase())))
    .sort((a, b) => b.length - a.length)[0]
  if (known !== undefined) return { kind: 'pm', user: known, text: rest.slice(known.length).trim() }
  const [, user = '', text = ''] = /^(\S+)\s*([\s\S]*)$/.exec(rest) ?? []
  if (user === '') return { kind: 'mistake', text: 'Write it like this: /pm name text' }
  return { kind: 'pm', user, text }
}

function after(text: string, beginning: string): string {
  return text.startsWith(beginning) ? text.slice(beginning.length) : ''
}
