/** A real endpoint in this process, on free ports, in a directory of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import {
  type Endpoint,
  type EndpointOptions,
  startEndpoint,
} from '../../relay/endpoint/endpoint.ts'
import { lobbyOf } from '../../relay/endpoint/rooms.ts'
import type { BuildService } from '../../relay/endpoint/service.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import {
  anIdentity,
  type BarePeer,
  type Enter,
  enter,
  type Line,
  msgId,
  sealed,
} from './bare_peer.ts'

export interface LogLine {
  readonly level: string
  readonly event: string
  readonly [field: string]: unknown
}

export class EndpointStand {
  readonly dataDir: string
  readonly log: LogLine[] = []
  readonly #options: Partial<EndpointOptions>
  readonly #build: BuildService | undefined
  #endpoint: Endpoint | undefined

  private constructor(
    dataDir: string,
    options: Partial<EndpointOptions>,
    build: BuildService | undefined,
  ) {
    this.dataDir = dataDir
    this.#options = options
    this.#build = build
  }

  static async start(
    options: Partial<EndpointOptions> = {},
    build?: BuildService,
  ): Promise<EndpointStand> {
    const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'sotto-endpoint-')))
    const stand = new EndpointStand(dataDir, options, build)
    await stand.up()
    return stand
  }

  async up(): Promise<void> {
    const write = (line: string): void => void this.log.push(JSON.parse(line) as LogLine)
    const formatters = { level: (label: string) => ({ level: label }) }
    const log = pino({ level: 'debug', formatters }, { write })
    const places = { dataDir: this.dataDir, host: 'localhost', port: 0, trunkPort: 0 }
    this.#endpoint = await startEndpoint({ ...places, log, ...this.#options }, this.#build)
  }

  get endpoint(): Endpoint {
    if (this.#endpoint === undefined) throw new Error('the endpoint is down')
    return this.#endpoint
  }

  get lobby(): Bytes {
    return lobbyOf('localhost')
  }

  /** Connects, shakes hands, and registers a new name. */
  async enter(user: string, who: Partial<Enter> = {}, line?: Line): Promise<BarePeer> {
    const identity = who.identity ?? (await anIdentity())
    return enter(this.endpoint.port, { user, ...who, identity }, line)
  }

  /** The lobby's group, made by this peer, who is in it then. */
  async makeLobby(peer: BarePeer): Promise<void> {
    const groupInfo = Uint8Array.of(1, 2, 3)
    await peer.ask({ op: 'create_group', room: this.lobby, generation: 0, groupInfo })
  }

  down(): Promise<void> {
    const endpoint = this.endpoint
    this.#endpoint = undefined
    return endpoint.close()
  }

  async stop(): Promise<void> {
    await this.#endpoint?.close()
    if (this.#options.dataDir === undefined)
      await rm(this.dataDir, { recursive: true, force: true })
  }
}

/** Sends an application message of this epoch. */
export function say(peer: BarePeer, room: Bytes, epoch: number, body?: Uint8Array) {
  const mls = sealed({ room, epoch, ...(body === undefined ? {} : { body }) })
  return peer.ask({ op: 'send', room, msgId: msgId(), mls })
}
