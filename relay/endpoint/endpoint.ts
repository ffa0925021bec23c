/** The endpoint, put together: keys, store, services, and the two ports. */
import { availableParallelism } from 'node:os'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { equal, hex } from '../../web/protocol/bytes.ts'
import { KEPT_EPOCHS } from '../../web/protocol/mls_header.ts'
import { GONE_MS } from '../../web/protocol/session_rules.ts'
import { fingerprint } from '../../web/protocol/spki.ts'
import { TicketStore } from '../../web/protocol/tickets.ts'
import { type Log, silentLog } from '../log.ts'
import { nodePrimitives } from '../node_primitives.ts'
import type { TrunkAddress } from '../trunk_frames.ts'
import { Admission } from './admission.ts'
import { BoundedQueue } from './bounded_queue.ts'
import { keepDialling } from './dialling.ts'
import { Directory } from './directory.ts'
import { hasEndpointKey, loadEndpointKey, loadLogKey } from './keys.ts'
import { LoginLimits } from './login_limits.ts'
import { Passwords } from './passwords.ts'
import { People } from './people.ts'
import { tellAll } from './presence.ts'
import { MAX_MESSAGE, Reception } from './reception.ts'
import { lobbyOf } from './rooms.ts'
import { type BuildService, buildService } from './service.ts'
import { openStore } from './sqlite_store.ts'
import type { Store, StoreState } from './store.ts'
import { listenForPeers } from './tcp_wire.ts'
import { type Rate, TokenBuckets } from './token_bucket.ts'
import { Topics } from './topics.ts'
import { trunkDoor } from './trunk_door.ts'
import { Trunks } from './trunk_wire.ts'

/** What the endpoint grants. Every bound is stated in PROTOCOL.md, "Limits". */
export interface EndpointLimits {
  readonly connections: number
  /** Connections that are not in a session yet. */
  readonly handshakes: number
  /** Bytes of all sessions' messages that have come in part. */
  readonly assembling: number
  readonly tickets: number
  readonly rsaAtOnce: number
  readonly rsaWaiting: number
  /** By origin. */
  readonly begun: Rate
  readonly proofs: Rate
  readonly registrations: Rate
}

export const ENDPOINT_LIMITS: EndpointLimits = {
  connections: 20_000,
  handshakes: 16_384,
  assembling: 256 * 1024 * 1024,
  tickets: 100_000,
  rsaAtOnce: 2 * availableParallelism(),
  rsaWaiting: 200,
  begun: { burst: 4_000, perSecond: 500 },
  proofs: { burst: 400, perSecond: 100 },
  registrations: { burst: 1_000, perSecond: 2 },
}

export interface EndpointOptions {
  readonly dataDir: string
  /** The name that clients know; a part of every handshake. */
  readonly host: string
  /** For headless peers, and for relays' trunks. 0 takes a free port. */
  readonly port: number
  readonly trunkPort: number
  readonly listen?: string
  readonly trunkListen?: string
  /** Fingerprints (32 bytes) of relays on other machines that may open a trunk. */
  readonly relays?: readonly Bytes[]
  /** Relays that this endpoint dials, being behind NAT. */
  readonly dial?: readonly TrunkAddress[]
  readonly serverPassword?: string | undefined
  /** Seconds. */
  readonly lobbyAbsence?: number
  /** What is kept for those who are away: days and bytes a room, 0 for no limit. */
  readonly keepDays?: number
  readonly keepRoomBytes?: number
  /** Starts with a database that lost acknowledged writes, after a person has said so. */
  readonly acceptLoss?: boolean
  readonly log?: Log
  readonly limits?: Partial<EndpointLimits>
  /** Milliseconds that one member has for a `reconcile`. */
  readonly turnMs?: number
  /** Milliseconds until who is locked out of the lobby's group may begin another. */
  readonly lockedOutMs?: number
  /** Milliseconds of a monotonic clock; the system's own when left out. */
  readonly now?: () => number
}

export interface Endpoint {
  readonly port: number
  readonly trunkPort: number
  /** Hex SHA-256 of the endpoint's SPKI. */
  readonly fingerprint: string
  /** Whether the key was made by this very start. */
  readonly newKey: boolean
  readonly sessions: number
  /** Closes every session in order, then the store. */
  close(): Promise<void>
}

const IDLE_SECONDS = GONE_MS / 1000
const DAY_SECONDS = 24 * 3600
const PRUNE_MS = 3_600_000
/** As `Trunk` says it. */
const CLOSED_BY_US = 'closed here'

/** Starts the endpoint. Rejects, with a sentence for people, when it can't. */
export async function startEndpoint(
  options: EndpointOptions,
  build: BuildService = buildService,
): Promise<Endpoint> {
  const log = options.log ?? silentLog()
  const limits = { ...ENDPOINT_LIMITS, ...options.limits }
  const directory = new Directory()
  const store = await openStore(options.dataDir, {
    keptEpochs: KEPT_EPOCHS,
    acceptLoss: options.acceptLoss ?? false,
    onState: (state) => storeChanged(state, log, directory),
    onNote: (text) => log.warn({ event: 'store', text }, 'the store has found something'),
  })
  try {
    return await assemble(options, limits, log, directory, store, build)
  } catch (error) {
    await store.close().catch(() => undefined)
    throw error
  }
}

async function assemble(
  options: EndpointOptions,
  limits: EndpointLimits,
  log: Log,
  directory: Directory,
  store: Store,
  build: BuildService,
): Promise<Endpoint> {
  const { dataDir, host } = options
  // Before there is a new key: a crash in between must not leave groups of the lost one.
  if (!hasEndpointKey(dataDir)) await store.forgetGroups()
  const { key, made } = await loadEndpointKey(dataDir)
  const logKey = loadLogKey(dataDir)
  const now = options.now ?? (() => performance.now())
  const seconds = (): number => now() / 1000
  const lobby = await ensureLobby(store, host)
  const people = new People(store.accounts(), directory)
  const tickets = new TicketStore(limits.tickets)
  const rsa = new BoundedQueue(limits.rsaAtOnce, limits.rsaWaiting, 'Too many handshakes at once.')
  const runRsa = <T>(work: () => Promise<T>): Promise<T> => rsa.run(work)
  const primitives = nodePrimitives
  const endpointKey = await fingerprint(primitives, key.spki)
  const passwords = new Passwords()
  const password = options.serverPassword
  const admission = new Admission({
    ...{ store, people, primitives, tickets, passwords },
    limits: { maxMessage: MAX_MESSAGE, idle: IDLE_SECONDS },
    logPub: logKey.publicKey,
    serverPassword: password === undefined ? undefined : await passwords.hash(password),
    logins: new LoginLimits(now),
    registrations: new TokenBuckets(limits.registrations, seconds),
  })
  const service = build({
    ...{ store, directory, people, primitives, logKey, log, lobby, now },
    hostKeyHash: endpointKey,
    topics: new Topics(),
    lobbyAbsence: options.lobbyAbsence ?? DAY_SECONDS,
    keepDays: options.keepDays ?? 0,
    ...(options.turnMs === undefined ? {} : { turnMs: options.turnMs }),
    ...(options.lockedOutMs === undefined ? {} : { lockedOutMs: options.lockedOutMs }),
  })
  const proofs = new TokenBuckets(limits.proofs, seconds)
  const reception = new Reception({
    handshake: { primitives, host, key, endpointKey, tickets, rsa: runRsa, now },
    ...{ admission, service, log, limits, proofs },
    begun: new TokenBuckets(limits.begun, seconds),
  })
  const trunks = new Trunks(reception.connected, trunkEvents(log))
  const end = { host, key, relays: options.relays ?? [], rsa: runRsa }
  const stopped = new AbortController()
  const door = trunkDoor(end, proofs)
  const listeners = await listenAll(options, limits, reception, trunks, door)
  const kept = (options.dial ?? []).map((address) =>
    keepDialling(address, end, trunks, log, stopped.signal),
  )
  const pruning = keepPruned(store, options, log)
  const print = hex(endpointKey)
  const [peers, relays] = listeners
  log.info(
    { event: 'listening', port: peers.port, trunk: relays.port, fingerprint: print, host },
    made ? 'listening, with a new key' : 'listening',
  )
  return {
    port: peers.port,
    trunkPort: relays.port,
    fingerprint: print,
    newKey: made,
    get sessions() {
      return reception.sessions
    },
    async close() {
      for (const listener of listeners) listener.close()
      clearInterval(pruning)
      await reception.close()
      stopped.abort()
      trunks.close()
      await Promise.all(kept)
      await store.close()
    },
  }
}

async function listenAll(
  options: EndpointOptions,
  limits: EndpointLimits,
  reception: Reception,
  trunks: Trunks,
  door: ReturnType<typeof trunkDoor>,
) {
  const { port, trunkPort, listen = '127.0.0.1', trunkListen = '127.0.0.1' } = options
  const peers = await listenForPeers(listen, port, limits.connections, reception.connected)
  try {
    return [peers, await trunks.listen(trunkListen, trunkPort, door)] as const
  } catch (error) {
    peers.close()
    throw error
  }
}

async function ensureLobby(store: Store, host: string): Promise<Bytes> {
  const room = lobbyOf(host)
  const stopped = store.damages.some((damage) => damage.room && equal(damage.room, room))
  if (!stopped && store.room(room) === undefined)
    await store.createRoom({ room, kind: 'lobby', members: [] })
  return room
}

function storeChanged(state: StoreState, log: Log, directory: Directory): void {
  if (state.ok) log.info({ event: 'store_ok' }, 'the store works again')
  else log.error({ event: 'store_failed', text: state.text }, 'the store has failed')
  const text = state.ok ? 'The server can keep messages again.' : state.text.slice(0, 500)
  const code = state.ok ? 'store_ok' : 'store_failed'
  void tellAll(directory.all(), { ev: 'notice', code, text })
}

function trunkEvents(log: Log) {
  return {
    up: (name: string) => log.info({ event: 'trunk_up', trunk: name }, 'a relay is connected'),
    down: (name: string, reason: string, connections: number) => {
      const level = reason === CLOSED_BY_US ? 'info' : 'warn'
      log[level]({ event: 'trunk_down', trunk: name, reason, connections }, 'a relay is gone')
    },
    refused: (reason: string) =>
      log.warn({ event: 'trunk_refused', reason }, 'a trunk was not taken'),
  }
}

function keepPruned(store: Store, options: EndpointOptions, log: Log): NodeJS.Timeout | undefined {
  const { keepDays = 0, keepRoomBytes = 0 } = options
  if (keepDays === 0 && keepRoomBytes === 0) return undefined
  const prune = (): void => {
    store.prune({ days: keepDays, roomBytes: keepRoomBytes }).catch((error: unknown) => {
      const text = error instanceof Error ? error.message : 'unknown'
      log.warn({ event: 'prune_failed', text }, 'old messages could not be deleted')
    })
  }
  prune()
  return setInterval(prune, PRUNE_MS).unref()
}
