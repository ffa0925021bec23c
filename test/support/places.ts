/** Where on this machine is what the tests use beyond npm's packages: of each, the first that is there. */
import { existsSync } from 'node:fs'

export const PLACES = {
  chromium: [
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ],
  firefox: ['/usr/bin/firefox-esr', '/usr/bin/firefox'],
  python: ['/usr/bin/python3'],
  /** The second implementation's library. */
  cryptography: ['/usr/lib/python3/dist-packages/cryptography'],
  openssl: ['/usr/bin/openssl'],
  ip: ['/usr/sbin/ip', '/sbin/ip', '/usr/bin/ip'],
  script: ['/usr/bin/script'],
  nft: ['/usr/sbin/nft', '/sbin/nft', '/usr/bin/nft'],
  cc: ['/usr/bin/cc', '/usr/bin/gcc'],
} as const

export function placeOf(what: keyof typeof PLACES): string | undefined {
  return PLACES[what].find((place) => existsSync(place))
}

/** Python, where the second implementation can run. */
export function pythonWithCryptography(): string | undefined {
  return placeOf('cryptography') && placeOf('python')
}
