import { isHost, isLoopbackHost } from './origin.ts'

export type Header = readonly [name: string, value: string]

/** How many Host headers' answers are kept: they are written for every connection. */
const MOST_HOSTS = 64
const PERMISSIONS = [
  'accelerometer',
  'browsing-topics',
  'camera',
  'display-capture',
  'geolocation',
  'gyroscope',
  'hid',
  'magnetometer',
  'microphone',
  'midi',
  'payment',
  'serial',
  'usb',
]

/**
 * Where the page may connect to: the relay itself. Browsers do not all count a WebSocket as
 * `'self'`, so its origin is named; plain `ws:` only where the page can be plain HTTP.
 */
function connectSources(host: string, further: readonly string[]): string {
  const own = isHost(host)
    ? [`wss://${host}`, ...(isLoopbackHost(host) ? [`ws://${host}`] : [])]
    : []
  return ["'self'", ...own, ...further].join(' ')
}

/**
 * The headers that every answer of the relay carries, errors and redirects included (THREATS W2).
 * There is no Trusted Types policy at all: the page builds its templates without markup strings
 * (`web/ui/html.ts`), and whatever writes HTML from text throws.
 */
export class SecurityHeaders {
  readonly #further: readonly string[]
  readonly #byHost = new Map<string, readonly Header[]>()

  /** `further`: sources for connect-src besides the relay itself. */
  constructor(further: readonly string[] = []) {
    this.#further = further
  }

  /** For an answer to a request with this Host header. */
  for(host: string): readonly Header[] {
    const known = this.#byHost.get(host)
    if (known) return known
    if (this.#byHost.size >= MOST_HOSTS) this.#byHost.clear()
    const made = headersFor(host, this.#further)
    this.#byHost.set(host, made)
    return made
  }
}

function headersFor(host: string, further: readonly string[]): readonly Header[] {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    `connect-src ${connectSources(host, further)}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ]
  return [
    ['Content-Security-Policy', policy.join('; ')],
    ['Cross-Origin-Opener-Policy', 'same-origin'],
    ['Cross-Origin-Resource-Policy', 'same-origin'],
    ['X-Content-Type-Options', 'nosniff'],
    ['Referrer-Policy', 'no-referrer'],
    ['Strict-Transport-Security', 'max-age=31536000'],
    ['Permissions-Policy', PERMISSIONS.map((name) => `${name}=()`).join(', ')],
  ]
}
