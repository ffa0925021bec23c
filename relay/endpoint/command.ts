/** `sotto endpoint`: the endpoint as a process of its own. */
import type { Bytes } from '../../web/protocol/bytes.ts'
import { ConfigError, type LogLevel, readServerPassword } from '../config.ts'
import { type Log, processLog } from '../log.ts'
import { type Part, runPart } from '../part.ts'
import type { TrunkAddress } from '../trunk_frames.ts'
import { startEndpoint } from './endpoint.ts'

export interface EndpointFlags {
  readonly port: number
  readonly trunkPort: number
  readonly listen: string
  readonly trunkListen: string
  readonly dial: readonly TrunkAddress[]
  readonly relays: readonly Bytes[]
  readonly host: string
  readonly dataDir: string
  readonly lobbyAbsence: number
  readonly keepDays: number
  readonly keepRoomMb: number
  readonly acceptLoss: boolean
  readonly logLevel: LogLevel
}

const MEGABYTE = 1024 * 1024

export function runEndpoint(flags: EndpointFlags): Promise<never> {
  const log = processLog('endpoint', flags.logLevel)
  return runPart(log, () => start(flags, log.log))
}

async function start(flags: EndpointFlags, log: Log): Promise<Part> {
  const { keepRoomMb, logLevel: _, ...options } = flags
  if (flags.dial.length > 0 && flags.relays.length === 0)
    throw new ConfigError('With --dial, name the relay’s fingerprint: --relay-key.')
  const serverPassword = readServerPassword(process.env)
  // Nothing that is started from here is to inherit it. In /proc it stays for this user and root to
  // see as long as the process lives: a file (SOTTO_SERVER_PASSWORD_FILE) is better.
  delete process.env.SOTTO_SERVER_PASSWORD
  const endpoint = await startEndpoint({
    ...options,
    serverPassword,
    keepRoomBytes: keepRoomMb * MEGABYTE,
    log,
  })
  const { port, trunkPort: trunk, fingerprint, newKey } = endpoint
  return {
    listening: { event: 'listening', part: 'endpoint', port, trunk, fingerprint, newKey },
    close: () => endpoint.close(),
  }
}
