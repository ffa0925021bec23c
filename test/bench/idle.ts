import { type ChildProcess, fork } from 'node:child_process'
import { answer, feedRelay } from './fanout.ts'
import type { Figure } from './figure.ts'

const CONNECTIONS = 10_000
/** Opened before the first look, so that what a process needs once is not counted. */
const FIRST = 2_000

async function memory(server: ChildProcess): Promise<number> {
  server.send('look')
  const { rss } = await answer<{ rss: number }>(server)
  return rss
}

async function open(port: number, count: number): Promise<ChildProcess> {
  const members = fork(`${import.meta.dirname}/members.ts`, [String(port), String(count)])
  await answer(members)
  return members
}

/** Bytes of resident memory that one idle connection costs the server. */
async function costOf(kind: 'relay' | 'uws'): Promise<number> {
  const trunk = kind === 'relay' ? await feedRelay() : undefined
  const server = fork(`${import.meta.dirname}/fanout_server.ts`, [kind, String(trunk?.port ?? 0)], {
    execArgv: ['--expose-gc'],
  })
  const { port } = await answer<{ port: number }>(server)
  const first = await open(port, FIRST)
  const before = await memory(server)
  const rest = await open(port, CONNECTIONS)
  const cost = ((await memory(server)) - before) / CONNECTIONS
  for (const child of [first, rest, server]) child.disconnect()
  trunk?.stop()
  return cost
}

/** Memory per idle connection of 10,000 that are subscribed to one room. */
export async function bench(): Promise<readonly Figure[]> {
  const bare = await costOf('uws')
  const relay = await costOf('relay')
  return [
    {
      name: `memory of one of ${CONNECTIONS} idle connections at the relay`,
      value: relay,
      unit: 'bytes',
      ratio: relay / bare,
      against: 'bare uWebSockets.js',
      goal: { atMost: 2 },
    },
  ]
}
