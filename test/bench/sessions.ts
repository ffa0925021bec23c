import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { CrowdOptions } from '../support/crowd.ts'
import { answer } from './fanout.ts'
import type { Figure } from './figure.ts'

const SESSIONS = Number(process.env.SOTTO_SESSIONS ?? 10_000)
/** Opened before the first look, so that what a process needs once is not counted. */
const FIRST = 2_000
const IDLE_MS = 20_000
const CROWD = new URL('../support/crowd.ts', import.meta.url).pathname
const SERVER = `${import.meta.dirname}/endpoint_server.ts`

interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
  readonly sessions: number
}

/** After a while in which nobody said anything: it is idle sessions that are measured. */
async function memory(server: ChildProcess): Promise<Memory> {
  await pause(IDLE_MS)
  server.send('look')
  return answer<Memory>(server)
}

async function gather(port: number, first: number, count: number): Promise<ChildProcess> {
  const options: CrowdOptions = { way: 'trunk', port, first, count, back: false }
  const crowd = fork(CROWD, [JSON.stringify(options)])
  await answer(crowd)
  return crowd
}

async function serve(dir: string): Promise<{ server: ChildProcess; trunk: number }> {
  const server = fork(SERVER, [dir], { execArgv: ['--expose-gc'] })
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
