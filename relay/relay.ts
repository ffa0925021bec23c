import {
  App,
  type TemplatedApp,
  us_listen_socket_close,
  us_socket_local_port,
} from 'uWebSockets.js'
import { MAX_FRAME } from '../web/protocol/envelope.ts'
import { FrontProxy } from './front_proxy.ts'
import { LIMITS, type Limits } from './limits.ts'
import { OriginTagger, originAllowed } from './origin.ts'
import { listen } from './relay_listen.ts'
import { loadPage } from './static.ts'
import { answer, refuseUpgrade, type Site } from './static_answer.ts'
import { SecurityHeaders } from './static_headers.ts'
import { type Socket, Tab } from './tab.ts'
import { type RelayLog, Tabs } from './tabs.ts'
import { LOOK_AGAIN } from './tabs_slow.ts'
import { keepTrunk, type TrunkSource } from './trunk_keeper.ts'

/** uWebSockets' `DISABLED`: an offer of permessage-deflate is declined. */
const NO_COMPRESSION = 0
/** Seconds without a sign of life (uWebSockets pings by itself) until a tab counts as gone. */
const GONE_AFTER = 20
/** Milliseconds that tabs get to hear why, when the relay stops. */
const FAREWELL = 100

export interface RelayOptions {
  readonly port: number
  /** The address to listen on: by default this machine only. */
  readonly address?: string
  /** The endpoint's name and the product's version, for /sotto.json. */
  readonly host: string
  readonly version: string
  /** The directory of the built page. Without it only /sotto.json and /ws are there. */
  readonly page?: string
  /** How to get a byte stream to the endpoint. Secured or not is its business: no key is held here. */
  readonly trunk: TrunkSource
  /** Web origins, besides the relay's own, whose pages may connect. */
  readonly origins?: readonly string[]
  /** A proxy on this machine says in X-Forwarded-For where a connection comes from: {@link FrontProxy}. */
  readonly proxied?: boolean
  readonly limits?: Partial<Limits>
  readonly log?: RelayLog
}

export interface Relay {
  readonly port: number
  readonly connections: number
  /** Settles when the endpoint was reached for the first time. */
  readonly ready: Promise<void>
  /** The endpoint is about to be stopped as well: that it is gone is from now on no warning. */
  endpointLeaves(): void
  close(): Promise<void>
}

/** Whole seconds since the process began. */
const seconds = () => Math.floor(performance.now() / 1000)
const quiet: RelayLog = { debug() {}, info() {}, warn() {} }

/** Starts the relay. Rejects when it can't listen; the endpoint may be away. */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const limits = { ...LIMITS, ...options.limits }
  const log = options.log ?? quiet
  const app = App()
  const tabs = new Tabs(app, limits, log, seconds)
  serve(app, siteOf(options), tabs, limits, new FrontProxy(options.proxied === true, log))
  const listening = await listen(app, options.address ?? '127.0.0.1', options.port)
  const trunk = carry(options.trunk, tabs, log)
  const sweep = setInterval(() => tabs.sweep(), 1000)
  return {
    port: us_socket_local_port(listening),
    ready: trunk.ready,
    get connections() {
      return tabs.size
    },
    endpointLeaves: trunk.endWanted,
    async close() {
      us_listen_socket_close(listening)
      clearInterval(sweep)
      const farewell = tabs.size > 0
      tabs.endAll('going_away')
      await trunk.stop()
      if (farewell) await new Promise((resolve) => setTimeout(resolve, FAREWELL))
      app.close()
    },
  }
}

function siteOf(options: RelayOptions): Site {
  return {
    page: options.page === undefined ? new Map() : loadPage(options.page),
    about: { host: options.host, version: options.version },
    origins: new Set(options.origins),
    security: new SecurityHeaders(),
  }
}

/** WebSockets at /ws, the page everywhere else. */
function serve(app: TemplatedApp, site: Site, tabs: Tabs, limits: Limits, proxy: FrontProxy): void {
  const tagger = new OriginTagger()
  app.ws<Tab>('/ws', {
    compression: NO_COMPRESSION,
    // Twice what is taken: those in between are told why, longer ones are cut off unread.
    maxPayloadLength: 2 * MAX_FRAME,
    maxBackpressure: limits.tabBuffer + LOOK_AGAIN,
    idleTimeout: GONE_AFTER,
    sendPingsAutomatically: true,
    upgrade(res, req, context) {
      const host = req.getHeader('host')
      const page = req.getHeader('origin')
      if (!originAllowed(page, host, site.origins)) {
        proxy.refused(page, host)
        refuseUpgrade(site, res, host)
        return
      }
      const origin = tagger.of(proxy.addressOf(res, req))
      res.writeStatus('101 Switching Protocols')
      for (const [name, value] of site.security.for(host)) res.writeHeader(name, value)
      res.upgrade(
        new Tab(origin, limits, seconds()),
        req.getHeader('sec-websocket-key'),
        req.getHeader('sec-websocket-protocol'),
        req.getHeader('sec-websocket-extensions'),
        context,
      )
    },
    open: (ws) => tabs.opened(ws as Socket),
    message: (ws, frame, isBinary) => tabs.received(ws as Socket, frame, isBinary),
    pong: (ws, payload) => tabs.answered(ws as Socket, payload),
    dropped: (ws) => tabs.dropped(ws as Socket),
    close: (ws, code) => tabs.closed(ws as Socket, code),
  })
  app.any('/*', (res, req) => answer(site, res, req))
}

/** Keeps a trunk between the tabs and the endpoint. */
function carry(source: TrunkSource, tabs: Tabs, log: RelayLog) {
  const stopped = new AbortController()
  const reached = Promise.withResolvers<void>()
  let level: 'info' | 'warn' = 'warn'
  const kept = keepTrunk(
    source,
    {
      up(trunk) {
        log.info({}, 'trunk up')
        tabs.trunkUp(trunk)
        reached.resolve()
      },
      message: (message) => tabs.fromTrunk(message),
      settled: () => tabs.settled(),
      down(reason) {
        log[level]({ reason, connections: tabs.size }, 'trunk down')
        tabs.trunkDown()
      },
      failed: (reason, delay) => log[level]({ reason, delay }, 'endpoint not reached'),
    },
    stopped.signal,
  )
  const endWanted = () => {
    level = 'info'
  }
  return {
    ready: reached.promise,
    endWanted,
    stop() {
      endWanted()
      stopped.abort()
      return kept
    },
  }
}
