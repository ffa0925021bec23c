import { SecurityHeaders } from '../../relay/static_headers.ts'

/** As much as is used here of what the test server hands to a middleware. */
interface Context {
  readonly path: string
  readonly host: string
  readonly query: Readonly<Record<string, string | string[] | undefined>>
  type: string
  body: unknown
  set(header: string, value: string): void
}

const security = new SecurityHeaders()

/**
 * Of the test server: at `/strict?module=ADDRESS`, an empty page that runs this module under the
 * policy with which the relay serves the product, but that a test may show it in a frame.
 */
export function strictDocument(context: Context, next: () => Promise<unknown>): unknown {
  if (context.path !== '/strict') return next()
  const policy = new Map(security.for(context.host)).get('Content-Security-Policy') ?? ''
  const framed = policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
  context.set('Content-Security-Policy', framed)
  context.type = 'html'
  context.body = `<!doctype html><html lang="en"><link rel="stylesheet" href="/web/ui/style.css">
    <body><script type="module" src="${context.query.module}"></script></body></html>`
  return undefined
}
