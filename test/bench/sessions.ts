import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ALLOCATOR } from '../../relay/allocator.ts'
import type { CrowdOptions } from '../support/crowd.ts'
import { answer } from './fanout.ts'
import type { Figure } from './figure.ts'

const SESSIONS = Number(process.env.SOTTO_SESSIONS ?? 10_000)
/**
 * Opened before the first look, so that what a process needs once is not counted. Presence is among it: from
 * here on its interval is the longest, and one telling makes no more garbage however many there are.
 */
const FIRST = 6_000
/** Looks over more than one interval of presence, and the pause before each. */
const LOOKS = 5
const IDLE_MS = 8_000
const CROWD = new URL('../support/crowd.ts', import.meta.url).pathname
const SERVER = `${import.meta.dirname}/endpoint_server.ts`

interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
  readonly sessions: number
}

/**
 * The least of several looks while nobody says anything: it is idle sessions that are measured, and
 * for hours after thousands came in at once everybody is told of some of them every half a minute.
 */
async function memory(server: ChildProcess): Promise<Memory> {
  const looks: Memory[] = []
  for (let i = 0; i < LOOKS; i++) {
    await pause(IDLE_MS)
    server.send('look')
    looks.push(await answer<Memory>(server))
  }
  return looks.reduce((least, look) => (look.rss < least.rss ? look : least))
}

async function gather(port: number, first: number, count: number): Promise<ChildProcess> {
  const options: CrowdOptions = { way: 'trunk', port, first, count, back: false }
  const crowd = fork(CROWD, [JSON.stringify(options)])
  await answer(crowd)
  return crowd
}

async function serve(dir: string): Promise<{ server: ChildProcess; trunk: number }> {
  const server = fork(SERVER, [dir], {
    execArgv: ['--expose-gc'],
    env: { ...process.env, ...ALLOCATOR },
  })
  return { server, ...(await answer<{ trunk: number }>(server)) }
}

/** Memory of the endpoint for each of many sessions of different people that say nothing. */
export async function bench(): Promise<readonly Figure[]> {
  const dir = mkdtempSync(join(tmpdir(), 'sotto-bench-'))
  try {
    const { server, trunk } = await serve(dir)
    const first = await gather(trunk, 0, FIRST)
    const before = await memory(server)
    const rest = await gather(trunk, FIRST, SESSIONS)
    const after = await memory(server)
    for (const child of [first, rest, server]) child.disconnect()
    const each = (of: (at: Memory) => number) => (of(after) - of(before)) / SESSIONS
    return [
      {
        name: `memory of one of ${SESSIONS} idle sessions at the endpoint, account included`,
        value: each(({ rss }) => rss),
        unit: 'bytes',
        goal: { atMost: 6 * 1024 },
      },
      {
        name: 'of that in use in the heap and beside it',
        value: each(({ heapUsed, external }) => heapUsed + external),
        unit: 'bytes',
      },
    ]
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}
