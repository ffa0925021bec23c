import type { HttpRequest, HttpResponse } from 'uWebSockets.js'
import { originAllowed } from './origin.ts'
import { chooseVariant, type Page } from './static.ts'
import type { Header, SecurityHeaders } from './static_headers.ts'

export interface Site {
  readonly page: Page
  /** What /sotto.json says: the endpoint's name and the product's version. */
  readonly about: { readonly host: string; readonly version: string }
  /** Web origins, besides the relay's own, whose pages may use this relay. */
  readonly origins: ReadonlySet<string>
  readonly security: SecurityHeaders
}

interface Answer {
  readonly status: string
  readonly headers: readonly Header[]
  readonly body: Uint8Array | string
}

const TEXT: Header = ['Content-Type', 'text/plain; charset=utf-8']
const NO_STORE: Header = ['Cache-Control', 'no-store']

function plain(status: string, text: string, ...headers: Header[]): Answer {
  return { status, headers: [TEXT, NO_STORE, ...headers], body: `${text}\n` }
}

/** Answers one HTTP request that is not a WebSocket's. */
export function answer(site: Site, res: HttpResponse, req: HttpRequest): void {
  const method = req.getMethod()
  const host = req.getHeader('host')
  const found =
    method === 'get' || method === 'head'
      ? route(site, req, host)
      : plain('405 Method Not Allowed', 'Only GET and HEAD.', ['Allow', 'GET, HEAD'])
  write(res, site.security.for(host), found, method === 'head')
}

const REFUSED =
  'Pages of this origin may not connect here. A proxy before the relay must pass on the browser’s ' +
  'Host header; a page that is served elsewhere must be named to the relay with --origin.'

/** Refuses a WebSocket before it is one. */
export function refuseUpgrade(site: Site, res: HttpResponse, host: string): void {
  const found = plain('403 Forbidden', REFUSED)
  write(res, site.security.for(host), found, false)
}

function route(site: Site, req: HttpRequest, host: string): Answer {
  const path = req.getUrl()
  if (path === '/sotto.json') return about(site, req.getHeader('origin'), host)
  if (path === '/ws')
    return plain('426 Upgrade Required', 'This address is for WebSockets.', [
      'Upgrade',
      'websocket',
    ])
  if (path === '/index.html') return plain('308 Permanent Redirect', 'See /', ['Location', '/'])
  const file = site.page.get(path)
  const variant = file && chooseVariant(file, req.getHeader('accept-encoding'))
  if (!variant) return plain('404 Not Found', 'There is nothing here.')
  const { headers, body, etag } = variant
  const known = req.getHeader('if-none-match').split(/\s*,\s*/)
  if (known.includes(etag) || known.includes(`W/${etag}`))
    return { status: '304 Not Modified', headers, body: '' }
  return { status: '200 OK', headers, body }
}

function about(site: Site, origin: string, host: string): Answer {
  const shared = origin !== '' && originAllowed(origin, host, site.origins)
  return {
    status: '200 OK',
    headers: [
      ['Content-Type', 'application/json; charset=utf-8'],
      ['Cache-Control', 'no-cache'],
      ['Vary', 'Origin'],
      ...(shared ? [['Access-Control-Allow-Origin', origin] as const] : []),
    ],
    body: JSON.stringify(site.about),
  }
}

function write(
  res: HttpResponse,
  security: readonly Header[],
  { status, headers, body }: Answer,
  headOnly: boolean,
): void {
  res.writeStatus(status)
  for (const [name, value] of security) res.writeHeader(name, value)
  for (const [name, value] of headers) res.writeHeader(name, value)
  if (headOnly) {
    // Not by endWithoutBody's own argument: after that uWebSockets still waits for the body.
    res.writeHeader('Content-Length', String(Buffer.byteLength(body))).endWithoutBody()
  } else if (status.startsWith('304')) res.endWithoutBody()
  else if (typeof body === 'string') res.end(body)
  else stream(res, body)
}

/** Sends a file without a copy of it per reader: what a slow one can't take yet stays ours. */
function stream(res: HttpResponse, body: Uint8Array): void {
  const [, done] = res.tryEnd(body, body.length)
  if (done) return
  res.onAborted(() => undefined)
  res.onWritable((offset) => res.tryEnd(body.subarray(offset), body.length)[0])
}
