/**
 * Very many people in one process, each with a real session that is subscribed to the lobby,
 * answers what it is asked and otherwise says nothing. They come back by themselves, as clients do. A process of its own, so
 * that the servers are what is measured: `crowd.ts {JSON of CrowdOptions}`, and answers by IPC.
 */
import { lobbyOf } from '../../relay/endpoint/rooms.ts'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { Backoff } from '../../web/chat/reconnect.ts'
import { hex } from '../../web/protocol/bytes.ts'
import { encodeMessage } from '../../web/protocol/messages.ts'
import { Session } from '../../web/protocol/session.ts'
import type { Ticket } from '../../web/protocol/tickets.ts'
import { BareTrunk, type Line, shakeHands } from './bare_peer.ts'
import { quickIdentity } from './peers.ts'
import { wsLine } from './ws_line.ts'

export interface CrowdOptions {
  /** Through a relay's WebSocket port, or through a trunk of this crowd's own. */
  readonly way: 'websocket' | 'trunk'
  readonly port: number
  /** Numbers of the first and of how many: their names come from these. */
  readonly first: number
  readonly count: number
  /** Whether they connect again when they have lost the connection. */
  readonly back: boolean
}

/** What a crowd tells its parent. */
export interface CrowdNews {
  /** So many have a session now. */
  readonly online: number
  readonly resumed: number
  /** Milliseconds of `performance.timeOrigin` time. */
  readonly at: number
}

const AT_ONCE = 64
/** Behind one network address, as far as relay and endpoint can tell. */
const NEIGHBOURS = 100
const HOST = 'localhost'
const SESSION_MOST = 6 * 1024 * 1024

const options = JSON.parse(process.argv[2] ?? '{}') as CrowdOptions
const identity = await quickIdentity()
const lobby = lobbyOf(HOST)
const trunk = options.way === 'trunk' ? await BareTrunk.dial(options.port) : undefined
let online = 0
let resumed = 0

function tell(): void {
  process.send?.({ online, resumed, at: performance.timeOrigin + performance.now() })
}

class Idle {
  readonly #name: string
  readonly #network: number
  readonly #device = nodePrimitives.random(16)
  readonly #backoff = new Backoff(Math.random)
  #ticket: Ticket | undefined
  /** Hex; a ticket is for the endpoint whose key is known. */
  #fingerprint: string | undefined

  constructor(n: number) {
    this.#name = `p${n}`
    this.#network = Math.floor(n / NEIGHBOURS) % 250
  }

  async connect(): Promise<void> {
    const line = await this.#line()
    const ticket = this.#ticket
    this.#ticket = undefined
    const pinned = this.#fingerprint === undefined ? {} : { fingerprint: this.#fingerprint }
    const who = { user: this.#name, identity, device: this.#device, ticket, ...pinned }
    const established = await shakeHands(line, who)
    this.#ticket = established.ticket
    this.#fingerprint = hex(established.endpointKey)
    const session = new Session({
      primitives: nodePrimitives,
      established,
      role: 'client',
      maxMessage: SESSION_MOST,
      now: () => performance.now(),
      write: (frame) => line.send(frame),
    })
    if (established.mode === 'full') await session.send(encodeMessage({ op: 'register', id: 1 }))
    else resumed += 1
    await session.send(encodeMessage({ op: 'subscribe', id: 2, room: lobby }))
    online += 1
    void this.#live(line, session)
  }

  async #live(line: Line, session: Session): Promise<void> {
    for (let frame = await line.next(); frame !== undefined; frame = await line.next())
      await session.receive(frame).catch(() => line.cut())
    online -= 1
    if (options.back) await this.#comeBack()
  }

  async #comeBack(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, this.#backoff.next(false)))
      try {
        await this.connect()
        if (online === options.count) tell()
        return
      } catch {
        // The next try comes later.
      }
    }
  }

  async #line(): Promise<Line> {
    if (trunk !== undefined) return trunk.open(new Uint8Array(16).fill(this.#network))
    return wsLine(options.port, `127.0.${this.#network + 1}.1`)
  }
}

process.on('disconnect', () => process.exit())
const everyone = Array.from({ length: options.count }, (_, i) => new Idle(options.first + i))
const waiting = [...everyone]
async function letIn(): Promise<void> {
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await next.connect()
}
await Promise.all(Array.from({ length: AT_ONCE }, letIn))
tell()
