import { existsSync } from 'node:fs'
import { placeOf } from './places.ts'

/** Headless and quiet on a closed network; the sandbox is off because CI runs as root. */
export const chromiumFlags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Where Chromium is. Throws with what to install when there is none. */
export function chromium(): string {
  return find('SOTTO_CHROMIUM', 'Chromium (Debian: apt-get install chromium)', 'chromium')
}

export function firefox(): string {
  return find('SOTTO_FIREFOX', 'Firefox (Debian: apt-get install firefox-esr)', 'firefox')
}

function find(variable: string, what: string, browser: 'chromium' | 'firefox'): string {
  const named = process.env[variable]
  const found = named ? (existsSync(named) ? named : undefined) : placeOf(browser)
  if (found === undefined) throw new Error(`${what} was not found: install it or set ${variable}.`)
  return found
}
