import type { EndpointView } from '../chat/model.ts'
import { base64url, fromHex } from '../protocol/bytes.ts'

/**
 * This page's address with the endpoint's key in its fragment, which no server sees: who comes by
 * it knows the right key from the start.
 */
export function invitation(endpoint: EndpointView | undefined): string {
  const link = new URL(location.href)
  const fields = new URLSearchParams(link.hash.slice(1))
  if (endpoint?.fingerprint) fields.set('k', base64url(fromHex(endpoint.fingerprint)))
  link.hash = fields.toString()
  return link.href
}
