/**
 * A document with the policy of the product (THREATS W2), for tests of the page's elements: it
 * runs one module, and counts what the policy had to stop.
 */
export interface StrictFrame {
  readonly document: Document
  readonly window: Window & typeof globalThis
  /** Directives that were violated, in order. */
  readonly violations: readonly string[]
  remove(): void
}

/** Loads `module` (an address on this server) and resolves when it has posted 'ready' to its parent. */
export async function strictFrame(module: string): Promise<StrictFrame> {
  const frame = document.createElement('iframe')
  frame.width = '1280'
  frame.height = '800'
  frame.src = `/strict?module=${encodeURIComponent(module)}`
  const ready = new Promise<void>((resolve) => {
    // A message from the module, since its document is not there to listen to yet.
    addEventListener('message', function listen({ source, data }) {
      if (source !== frame.contentWindow || data !== 'ready') return
      removeEventListener('message', listen)
      resolve()
    })
  })
  document.body.append(frame)
  await ready
  const inner = frame.contentDocument
  const window = frame.contentWindow as (Window & typeof globalThis) | null
  if (inner === null || window === null) throw new Error('the frame has no document')
  const violations: string[] = []
  inner.addEventListener('securitypolicyviolation', (event) =>
    violations.push(`${event.violatedDirective} ${event.sample}`),
  )
  return { document: inner, window, violations, remove: () => frame.remove() }
}
