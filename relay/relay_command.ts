/** `sotto relay`: the relay as a process of its own. */
import { lookup } from 'node:dns/promises'
import { existsSync } from 'node:fs'
import type { Bytes } from '../web/protocol/bytes.ts'
import { ConfigError, type LogLevel } from './config.ts'
import { type Log, processLog } from './log.ts'
import { isLoopbackAddress } from './origin.ts'
import { type Part, runPart } from './part.ts'
import { startRelay } from './relay.ts'
import type { TrunkAddress } from './trunk_frames.ts'
import type { TrunkSource } from './trunk_keeper.ts'
import { loadRelayKey } from './trunk_key.ts'
import { dialingSource, listenForTrunk } from './trunk_link.ts'

export interface RelayFlags {
  readonly port: number
  readonly listen: string
  readonly host: string
  readonly version: string
  /** The directory of the built page. */
  readonly page: string
  /** The endpoint to dial … */
  readonly trunk: TrunkAddress
  /** … or where the endpoint, being behind NAT, dials us. */
  readonly acceptTrunk?: TrunkAddress
  /** SHA-256 of the endpoint's SPKI: needed for a trunk that leaves the machine. */
  readonly endpointKey?: Bytes
  readonly dataDir: string
  readonly origins: readonly string[]
  readonly proxied: boolean
  readonly logLevel: LogLevel
}

export function runRelay(flags: RelayFlags): Promise<never> {
  const log = processLog('relay', flags.logLevel)
  return runPart(log, () => start(flags, log.log))
}

async function start(flags: RelayFlags, log: Log): Promise<Part> {
  const { port, listen, host, version, page, origins, proxied } = flags
  if (!existsSync(page))
    throw new ConfigError(`The page is not built: there is no ${page}. Build it: npm run build`)
  const { source, close } = await trunkOf(flags, log)
  const relay = await startRelay({
    ...{ port, address: listen, host, version, page, origins, proxied, log },
    trunk: source,
  })
  return {
    listening: { event: 'listening', part: 'relay', port: relay.port },
    foretold: relay.endpointLeaves,
    async close() {
      await relay.close()
      close()
    },
  }
}

interface TrunkSide {
  readonly source: TrunkSource
  close(): void
}

async function trunkOf(flags: RelayFlags, log: Log): Promise<TrunkSide> {
  const { host, trunk, acceptTrunk, endpointKey } = flags
  const identity = endpointKey === undefined ? undefined : await loadRelayKey(flags.dataDir)
  if (identity !== undefined) {
    const key = Buffer.from(identity.fingerprint).toString('hex')
    log.info({ event: 'relay_key', fingerprint: key }, 'the endpoint must be told this fingerprint')
  }
  if (acceptTrunk === undefined) {
    await checkDialled(trunk, endpointKey !== undefined)
    const secured = identity && endpointKey ? { identity, pin: endpointKey } : {}
    return { source: dialingSource(trunk, { host, ...secured }), close: () => undefined }
  }
  if (identity === undefined || endpointKey === undefined)
    throw new ConfigError('With --accept-trunk, name the endpoint’s fingerprint: --endpoint-key.')
  const refused = (): void =>
    log.warn({ event: 'trunk_refused' }, 'somebody who is not the endpoint offered a trunk')
  return listenForTrunk(acceptTrunk, { host, identity, pin: endpointKey }, refused)
}

/** A trunk that can never stand is refused at once: dialling again and again would not help. */
async function checkDialled({ host, port }: TrunkAddress, secured: boolean): Promise<void> {
  if (port === 0)
    throw new ConfigError('With --trunk-port, name the port that the endpoint said: not 0.')
  if (secured) return
  // A name that is not known yet may be known at the next try.
  const found = await lookup(host, { all: true }).catch(() => [])
  if (found.length === 0 || found.some(({ address }) => isLoopbackAddress(address))) return
  throw new ConfigError(
    `${host} is another machine: for a trunk to it, name the endpoint’s fingerprint, --endpoint-key.`,
  )
}
