/**
 * Two things called origin: the web page that opens a WebSocket (the Origin header), and the
 * network that it comes from (the opaque tag that the endpoint slows guessing by).
 */
import { createHmac, randomBytes } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import { ORIGIN_TAG } from '../web/protocol/envelope.ts'

const DAY = 86_400_000
const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i
/** What a Host header may hold before it is written into a header of ours. */
const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i

export function isHost(host: string): boolean {
  return host.length <= 260 && HOST.test(host)
}

/** Only there may a page come over plain HTTP: elsewhere WebCrypto is missing. */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK_HOST.test(host)
}

/**
 * Whether a page of `origin` may open a WebSocket at `host`: the relay's own page and those that
 * are configured. No Origin at all means no browser, so no person whose tab could be misused.
 */
export function originAllowed(
  origin: string,
  host: string,
  configured: ReadonlySet<string>,
): boolean {
  if (origin === '' || configured.has(origin)) return true
  if (!isHost(host)) return false
  return origin === `https://${host}` || (isLoopbackHost(host) && origin === `http://${host}`)
}

/** One network as the endpoint and the log see it. `connections` are those open now. */
export interface OriginTag {
  readonly tag: Uint8Array
  /** The first bytes of the tag, for the log. */
  readonly name: string
  connections: number
}

/**
 * Keyed hashes of networks (an IPv4 /24, an IPv6 /64). The key is random, never stored, and new
 * each day: yesterday's tags can't be joined to today's, nor to an address.
 */
export class OriginTagger {
  readonly #now: () => number
  readonly #tags = new Map<string, OriginTag>()
  #key = randomBytes(32)
  #keyed: number

  /** `now`: milliseconds. */
  constructor(now: () => number = Date.now) {
    this.#now = now
    this.#keyed = now()
  }

  /** `address`: 4 or 16 bytes, as the socket has it. */
  of(address: Uint8Array): OriginTag {
    if (Math.abs(this.#now() - this.#keyed) >= DAY) {
      this.#key = randomBytes(32)
      this.#keyed = this.#now()
      this.#tags.clear()
    }
    const network = Buffer.from(networkOf(address)).toString('latin1')
    const known = this.#tags.get(network)
    if (known) return known
    const tag = createHmac('sha256', this.#key).update(networkOf(address)).digest()
    const made = {
      tag: new Uint8Array(tag.subarray(0, ORIGIN_TAG)),
      name: tag.toString('hex', 0, 4),
      connections: 0,
    }
    this.#forgetUnused()
    this.#tags.set(network, made)
    return made
  }

  /** Keeps the table in proportion to the networks that are connected. */
  #forgetUnused(): void {
    if (this.#tags.size < this.#next) return
    for (const [network, tag] of this.#tags) if (tag.connections === 0) this.#tags.delete(network)
    this.#next = Math.max(1024, 2 * this.#tags.size)
  }
  #next = 1024
}

/** An IPv4 address gives `4 • its /24`, an IPv6 address `6 • its /64`. */
function networkOf(address: Uint8Array): Uint8Array {
  if (address.length === 4) return Uint8Array.of(4, ...address.subarray(0, 3))
  const mapped = address.subarray(0, 10).every((byte) => byte === 0) && address[10] === 0xff
  if (mapped && address[11] === 0xff) return Uint8Array.of(4, ...address.subarray(12, 15))
  return Uint8Array.of(6, ...address.subarray(0, 8))
}

/** The bytes of an address in text, or undefined when it is none. */
export function addressBytes(text: string): Uint8Array | undefined {
  const version = isIP(text)
  if (version === 4) return Uint8Array.from(text.split('.'), Number)
  if (version !== 6 || text.includes('%')) return undefined
  const groups = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::')
  const [head = [], tail = []] = groups.map((part) => (part === '' ? [] : part.split(':')))
  const zeros = Array<string>(8 - head.length - tail.length).fill('0')
  return Uint8Array.from(
    [...head, ...zeros, ...tail].flatMap((group) => {
      const value = Number.parseInt(group, 16)
      return [value >>> 8, value & 0xff]
    }),
  )
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')
loopback.addSubnet('::ffff:127.0.0.0', 104, 'ipv6')

/** Whether an address in text, as a socket reports it, is of this very machine. */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false
  const version = isIP(address)
  return version !== 0 && loopback.check(address, version === 4 ? 'ipv4' : 'ipv6')
}
