import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Trunk } from '../../relay/trunk.ts'
import { encodeTopic, TRUNK } from '../../web/protocol/envelope.ts'
import { type Figure, median } from './figure.ts'

const MEMBERS = 1_000
const MESSAGE = 300
/** WebSocket header of a message of 300 bytes from a server. */
const WIRE = MESSAGE + 4
/** Messages that are published in one turn: what a group commit under load hands on. */
const BATCH = 8
/** Batches under way, so that neither side waits for the other's turn. */
const WINDOW = 4
const BATCHES = 60
const ROUNDS = 15
const TOPIC = 1

type Kind = 'relay' | 'uws' | 'ws'

interface Contestant {
  publish(): void
  readonly server: ChildProcess
  readonly members: ChildProcess
  /** What all members have received so far, in bytes. */
  received: number
  stop(): void
}

/** The next message of `child`. Rejects when it ends without one: what it says of that is above. */
export function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) =>
      reject(new Error(`A process of the bench ended with ${code} before it was ready.`))
    child.once('exit', ended)
    child.once('message', (message: T) => {
      child.off('exit', ended)
      resolve(message)
    })
  })
}

/** The endpoint's side of the trunk: it subscribes whoever comes, and casts. */
export async function feedRelay(): Promise<{
  port: number
  publish: () => void
  stop: () => void
}> {
  const message = new Uint8Array(MESSAGE).fill(7)
  let trunk: Trunk | undefined
  const listening = createServer((socket) => {
    const mine = new Trunk(socket.setNoDelay(true), {
      message({ op, id }) {
        if (op === TRUNK.open) mine.send(TRUNK.subscribe, id, encodeTopic(TOPIC))
      },
      closed: () => undefined,
    })
    trunk = mine
  }).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const address = listening.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    publish() {
      for (let i = 0; i < BATCH; i++) trunk?.send(TRUNK.cast, TOPIC, message)
    },
    stop() {
      trunk?.close()
      listening.close()
    },
  }
}

async function enter(kind: Kind): Promise<Contestant> {
  const trunk = kind === 'relay' ? await feedRelay() : undefined
  const here = import.meta.dirname
  const server = fork(`${here}/fanout_server.ts`, [kind, String(trunk?.port ?? 0)])
  const { port, feed } = await answer<{ port: number; feed?: number }>(server)
  const members = fork(`${here}/members.ts`, [String(port), String(MEMBERS)])
  await answer(members)
  const count = Buffer.alloc(4)
  count.writeUInt32BE(BATCH)
  const socket: Socket | undefined =
    feed === undefined ? undefined : connect({ port: feed, host: '127.0.0.1', noDelay: true })
  return {
    server,
    members,
    received: 0,
    publish: trunk?.publish ?? (() => socket?.write(count)),
    stop() {
      socket?.destroy()
      trunk?.stop()
      server.disconnect()
      members.disconnect()
    },
  }
}

/** Deliveries per second of one round: all members have all of it. */
function round(contestant: Contestant, batches: number): Promise<number> {
  const { members, publish } = contestant
  const step = MEMBERS * BATCH * WIRE
  const target = contestant.received + batches * step
  let asked = 0
  const next = () => {
    contestant.received += step
    asked += 1
    members.send({ until: contestant.received })
    publish()
  }
  return new Promise((resolve) => {
    const began = performance.now()
    const arrived = ({ reached }: { reached: number }) => {
      if (asked < batches) next()
      if (reached < target) return
      members.off('message', arrived)
      resolve((batches * BATCH * MEMBERS * 1000) / (performance.now() - began))
    }
    members.on('message', arrived)
    for (let i = 0; i < Math.min(WINDOW, batches); i++) next()
  })
}

/** Fan-out of 300 bytes to 1,000 members of one room; rounds of the three take turns. */
export async function bench(): Promise<readonly Figure[]> {
  const kinds = ['relay', 'uws', 'ws'] as const
  const rates: Record<Kind, number[]> = { relay: [], uws: [], ws: [] }
  const entered = new Map<Kind, Contestant>()
  for (const kind of kinds) entered.set(kind, await enter(kind))
  for (let i = 0; i <= ROUNDS; i++)
    for (const [kind, contestant] of entered) {
      const rate = await round(contestant, kind === 'ws' ? BATCHES / 4 : BATCHES)
      if (i > 0) rates[kind].push(rate) // the first is to warm up
    }
  for (const contestant of entered.values()) contestant.stop()
  const value = median(rates.relay)
  const unit = 'deliveries/s'
  // Rounds beside each other saw the same machine.
  const pairs = (kind: Kind) => rates.relay.map((rate, i) => rate / (rates[kind][i] ?? 0))
  return [
    {
      name: `fan-out of ${MESSAGE} bytes to ${MEMBERS} members`,
      value,
      unit,
      ratio: median(pairs('uws')),
      against: 'bare uWebSockets.js publish, same batching',
      goal: { atLeast: 0.9 },
    },
    {
      name: `fan-out of ${MESSAGE} bytes to ${MEMBERS} members`,
      value,
      unit,
      ratio: median(pairs('ws')),
      against: 'a broadcast with ws',
      goal: { atLeast: 5 },
    },
  ]
}
