/** How values are put on the screen: hashes, sizes, times, initials, failures. */
import { SottoError, textOf } from '../protocol/errors.ts'

/** What a failure says to people. One that was not made for them goes to the console as well. */
export function said(error: unknown): string {
  if (!(error instanceof SottoError)) console.error(error)
  return textOf(error)
}

/** Hex digits in groups of four, for people to compare. */
export function grouped(hexDigits: string): string {
  return hexDigits.replace(/(.{4})(?=.)/g, '$1 ')
}

/** The beginning of a fingerprint, where the whole one stands elsewhere. */
export function beginning(hexDigits: string): string {
  return `${grouped(hexDigits.slice(0, 16))} …`
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}

export function duration(ms: number): string {
  return ms < 10
    ? `${ms.toFixed(1)} ms`
    : ms < 1000
      ? `${Math.round(ms)} ms`
      : `${(ms / 1000).toFixed(2)} s`
}

const hours = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
})
const days = new Intl.DateTimeFormat('en', {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
})
const shortDays = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' })

/** Clock time, such as 14:03. `at` may be anything that a peer claims: milliseconds since 1970. */
export function clock(at: number): string {
  return valid(at) ? hours.format(at) : '--:--'
}

/** A name of the day that is the same for all times of one day. */
export function day(at: number, now: number): string {
  if (!valid(at)) return 'An unknown day'
  const text = days.format(at)
  if (text === days.format(now)) return 'Today'
  if (text === days.format(now - 86_400_000)) return 'Yesterday'
  return text
}

/** For a list: the time today, the day before that. Empty for 0. */
export function moment(at: number, now: number): string {
  if (at === 0 || !valid(at)) return ''
  return day(at, now) === 'Today' ? clock(at) : shortDays.format(at)
}

/** Machine-readable, for `<time datetime>`. */
export function iso(at: number): string {
  return valid(at) ? new Date(at).toISOString() : ''
}

function valid(at: number): boolean {
  return Number.isFinite(at) && Math.abs(at) <= 8.64e15
}

export function initial(user: string): string {
  return (Array.from(user)[0] ?? '?').toLocaleUpperCase('en')
}

/** One of eight tints, the same for one name everywhere. */
export function hue(user: string): string {
  let sum = 7
  for (const char of user) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) >>> 0
  return `hue-${((sum ^ (sum >>> 7)) >>> 0) % 8}`
}
