/**
 * A relay in a process of its own, for tests that look into its memory or kill it. Run directly it
 * is that process: options as JSON in its first argument, its ports and figures over IPC, its log
 * as lines of JSON on standard error.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Limits } from '../../relay/limits.ts'
import { startRelay } from '../../relay/relay.ts'
import { dialTrunk } from '../../relay/trunk_frames.ts'

const SELF = fileURLToPath(import.meta.url)

export interface ProcessOptions {
  readonly port: number
  readonly trunk: number
  readonly host?: string
  readonly limits?: Partial<Limits>
}

interface Figures {
  readonly rss: number
  readonly connections: number
}

export class RelayProcess {
  readonly port: number
  readonly #child: ChildProcess
  #log = ''

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
    child.stderr?.on('data', (chunk) => {
      this.#log += String(chunk)
    })
  }

  static async start(options: ProcessOptions): Promise<RelayProcess> {
    const child = fork(SELF, [JSON.stringify(options)], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    const [{ port }] = (await once(child, 'message')) as [{ port: number }]
    return new RelayProcess(child, port)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get log(): string {
    return this.#log
  }

  /** After a garbage collection. */
  async figures(): Promise<Figures> {
    this.#child.send('figures')
    const [figures] = (await once(this.#child, 'message')) as [Figures]
    return figures
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}

async function main(options: ProcessOptions): Promise<void> {
  const write = (level: string) => (fields: object, text: string) =>
    void process.stderr.write(`${JSON.stringify({ level, ...fields, text })}\n`)
  const relay = await startRelay({
    host: 'localhost',
    version: '0.0.0',
    ...options,
    log: { debug: write('debug'), info: write('info'), warn: write('warn') },
    trunk: (signal) => dialTrunk({ host: '127.0.0.1', port: options.trunk }, signal),
  })
  process.on('message', () => {
    globalThis.gc?.()
    process.send?.({ rss: process.memoryUsage().rss, connections: relay.connections })
  })
  process.on('disconnect', () => process.exit())
  await relay.ready
  process.send?.({ port: relay.port })
}

if (argv[1] === SELF) await main(JSON.parse(argv[2] ?? '{}'))
