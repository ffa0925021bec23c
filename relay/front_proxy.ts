/** What a proxy before the relay has to be told, and what the relay takes from it. */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js'
import { addressBytes, isLoopbackAddress } from './origin.ts'
import type { RelayLog } from './tabs.ts'

/** Pages that are told of at most: strangers choose what they are. */
const MOST_REFUSED = 10
/** A log is no place for a header's four thousand characters. */
const MOST_SAID = 100

/**
 * Whom connections come from. The word of a proxy is taken only when that is wanted and it runs on
 * this machine; what looks like a proxy that is set up by half is said in the log, once.
 */
export class FrontProxy {
  readonly #trusted: boolean
  readonly #log: RelayLog
  readonly #refused = new Set<string>()
  #warned = false

  constructor(trusted: boolean, log: RelayLog) {
    this.#trusted = trusted
    this.#log = log
  }

  /** 4 or 16 bytes: of the client as the proxy names it, else of who is at the other end. */
  addressOf(res: HttpResponse, req: HttpRequest): Uint8Array {
    const said = forwardedFor(req)
    if (said !== '' && isLoopbackAddress(Buffer.from(res.getRemoteAddressAsText()).toString())) {
      const address = this.#trusted ? addressBytes(said) : undefined
      if (address) return address
      this.#warn()
    }
    return new Uint8Array(res.getRemoteAddress())
  }

  /** A page of `origin` was refused. Behind a proxy that changes `Host` these are the relay's own. */
  refused(origin: string, host: string): void {
    if (this.#refused.size === MOST_REFUSED || this.#refused.has(origin)) return
    this.#refused.add(origin)
    this.#log.warn(
      { event: 'page_refused', origin: origin.slice(0, MOST_SAID), host: host.slice(0, MOST_SAID) },
      'a page was refused: a proxy must pass on the browser’s Host; a page from elsewhere needs --origin',
    )
  }

  #warn(): void {
    if (this.#warned) return
    this.#warned = true
    this.#log.warn(
      { event: 'all_one_network', proxied: this.#trusted },
      this.#trusted
        ? 'the last entry of X-Forwarded-For is no address: who comes so counts as one network'
        : 'X-Forwarded-For came from this machine: all who come through a proxy count as one network until it sets that header itself and --proxied is said',
    )
  }
}

/**
 * The last entry, which the nearest proxy has added: all before it are the client's own words. Some
 * proxies add a header of the same name instead, so the last of those counts.
 */
function forwardedFor(req: HttpRequest): string {
  let said = ''
  req.forEach((name, value) => {
    if (name === 'x-forwarded-for') said = value
  })
  return said.split(',').at(-1)?.trim() ?? ''
}
