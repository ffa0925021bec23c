import { existsSync } from 'node:fs'

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
  return find('SOTTO_CHROMIUM', 'Chromium (Debian: apt-get install chromium)', [
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ])
}

export function firefox(): string {
  return find('SOTTO_FIREFOX', 'Firefox (Debian: apt-get install firefox-esr)', [
    '/usr/bin/firefox-esr',
    '/usr/bin/firefox',
  ])
}

function find(variable: string, what: string, places: readonly string[]): string {
  const named = process.env[variable]
  const found = (named ? [named] : places).find((place) => existsSync(place))
  if (found === undefined) throw new Error(`${what} was not found: install it or set ${variable}.`)
  return found
}
