/**
 * A whole Sotto for a test: endpoint and relay as the real processes that people run, on free
 * ports, in a directory of their own. Parts can be killed and started again on the same ports.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ALLOCATOR } from '../../relay/allocator.ts'
import { HASH, NOTE } from './nonce_notes.ts'
import { steadyPort } from './ports.ts'

const CLI = fileURLToPath(new URL('../../relay/cli.ts', import.meta.url))
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning']
const STARTING_MS = 30_000
const NONCE_WATCH = new URL('nonce_watch.ts', import.meta.url).href

export type PartName = 'endpoint' | 'relay'

export interface StackOptions {
  readonly host?: string
  /** Further arguments and environment of the parts. */
  readonly endpointArgs?: readonly string[]
  readonly relayArgs?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** A data directory that outlives the stack; a fresh one is made and removed otherwise. */
  readonly dataDir?: string
  /** Keeps every byte that passes between relay and endpoint, for {@link Stack.recorded}. */
  readonly record?: boolean
  /** Flags for Node itself, such as `--expose-gc`. */
  readonly nodeFlags?: readonly string[]
  /** For benchmarks: nobody notes under which nonces the parts seal. */
  readonly unwatched?: boolean
  /** Goes in front of each part's command, as one that enters another network does. */
  readonly enter?: readonly string[]
}

interface Listening {
  readonly event: string
  readonly port: number
  readonly trunk?: number
  readonly fingerprint?: string
}

export interface Stack {
  /** The link as `npm start` prints it, with the endpoint's fingerprint. */
  readonly pageUrl: string
  readonly host: string
  readonly relayPort: number
  readonly endpointPort: number
  readonly trunkPort: number
  /** Hex SHA-256 of the endpoint's SPKI. */
  readonly fingerprint: string
  readonly dataDir: string
  /** What a part (or both) has written on standard error, over all its lives. */
  logs(part?: PartName): string
  /** Resolves once a part has written something that matches, from now on. */
  logged(part: PartName, pattern: RegExp): Promise<void>
  /** Every byte between relay and endpoint so far, both ways. Needs `record`. */
  recorded(): Buffer
  /** Hashes of the keys under which the parts have sealed so far, one after the other. */
  sealedUnder(): Promise<readonly string[]>
  pid(part: PartName): number
  /** Sends a signal and resolves, when it ended the part, with its exit code (null: killed). */
  kill(part: PartName, signal?: NodeJS.Signals): Promise<number | null>
  /** Starts a part again on its ports; kills it first if it runs. */
  restart(part: PartName): Promise<void>
  stop(): Promise<void>
}

class Part {
  readonly name: PartName
  readonly #command: readonly string[]
  readonly #env: Readonly<Record<string, string>>
  readonly #looks = new Set<() => void>()
  #child: ChildProcess | undefined
  #log = ''

  /** `command`: Node and its flags. */
  constructor(name: PartName, command: readonly string[], env: Readonly<Record<string, string>>) {
    this.name = name
    this.#command = command
    this.#env = env
  }

  get log(): string {
    return this.#log
  }

  logged(pattern: RegExp): Promise<void> {
    const from = this.#log.length
    return new Promise((resolve) => {
      const look = (): void => {
        if (!pattern.test(this.#log.slice(from))) return
        this.#looks.delete(look)
        resolve()
      }
      this.#looks.add(look)
    })
  }

  get running(): boolean {
    return this.#child !== undefined
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error(`the ${this.name} does not run`)
    return pid
  }

  /** Resolves with the line that says where it listens; rejects with what it says instead. */
  async start(args: readonly string[]): Promise<Listening> {
    const [command = '', ...before] = this.#command
    const child = spawn(command, [...before, CLI, this.name, ...args], {
      env: { ...process.env, ...this.#env },
      // The channel: a part ends by itself when the test's process is gone.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#log += chunk
      for (const look of this.#looks) look()
    })
    const closed = once(child, 'close').then(() => {
      if (this.#child === child) this.#child = undefined
    })
    if (child.stdout === null) throw new Error('no standard output')
    const lines = createInterface({ input: child.stdout })
    const late = AbortSignal.timeout(STARTING_MS)
    const first = once(lines, 'line', { signal: late }) as Promise<[string]>
    const line = await Promise.race([first.then(([text]) => text), closed.then(() => undefined)])
    if (line === undefined) throw new Error(`the ${this.name} did not start:\n${this.#log}`)
    return JSON.parse(line) as Listening
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child
    if (child === undefined) return null
    const closed = once(child, 'close')
    child.kill(signal)
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') return null
    const [code] = (await closed) as [number | null]
    return code
  }
}

/** Keeps what passes between a relay and the trunk port behind it. */
class Recorder {
  readonly #chunks: Buffer[] = []
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  #target = 0

  constructor() {
    this.#server = createServer((relay) => this.#join(relay))
  }

  get recorded(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  async listen(target: number): Promise<number> {
    this.#target = target
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const bound = this.#server.address()
    if (typeof bound !== 'object' || bound === null) throw new Error('not a TCP server')
    return bound.port
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #join(relay: Socket): void {
    const endpoint = connect(this.#target, '127.0.0.1')
    for (const [from, to] of [
      [relay, endpoint],
      [endpoint, relay],
    ] as const) {
      this.#sockets.add(from)
      from.on('data', (chunk: Buffer) => this.#chunks.push(chunk))
      from.pipe(to)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
    }
  }
}

/** Every (key, nonce) that the parts of a stack seal under, over all their lives (THREATS I4, R18). */
export class NonceFile {
  readonly #directory: string
  readonly env: Readonly<Record<string, string>>

  private constructor(directory: string) {
    this.#directory = directory
    this.env = { SOTTO_TEST_NONCES: join(directory, 'nonces') }
  }

  static async make(): Promise<NonceFile> {
    return new NonceFile(await mkdtemp(join(tmpdir(), 'sotto-nonces-')))
  }

  /** What was sealed under so far, one after the other: the key's hash and the nonce. */
  async pairs(): Promise<string[]> {
    const notes = await readFile(join(this.#directory, 'nonces'), 'latin1').catch(() => '')
    const count = Math.floor(notes.length / NOTE)
    return Array.from({ length: count }, (_, n) => notes.slice(n * NOTE, (n + 1) * NOTE))
  }

  /** Throws when one pair was used twice. */
  async close(): Promise<void> {
    const used = new Set<string>()
    const pairs = await this.pairs()
    await rm(this.#directory, { recursive: true, force: true })
    for (const pair of pairs) {
      if (used.has(pair)) throw new Error('a part of Sotto used one nonce twice under one key')
      used.add(pair)
    }
  }
}

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { host = 'localhost', env = {}, nodeFlags = [], enter = [] } = options
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'sotto-data-')))
  const nonces = options.unwatched ? undefined : await NonceFile.make()
  const watch = nonces === undefined ? [] : ['--import', NONCE_WATCH]
  const command = [...enter, process.execPath, ...NODE_FLAGS, ...watch, ...nodeFlags]
  // As `sotto start` runs them.
  const environment = { ...ALLOCATOR, ...nonces?.env, ...env }
  const endpoint = new Part('endpoint', command, environment)
  const relay = new Part('relay', command, environment)
  const parts = { endpoint, relay }
  const recorder = options.record ? new Recorder() : undefined

  const startEndpoint = (port: number, trunkPort: number): Promise<Listening> =>
    endpoint.start([
      ...['--data', dataDir, '--host', host],
      ...['--port', String(port), '--trunk-port', String(trunkPort)],
      ...(options.endpointArgs ?? []),
    ])
  const startRelay = (port: number, trunkPort: number): Promise<Listening> =>
    relay.start([
      ...['--data', dataDir, '--host', host],
      ...['--port', String(port), '--trunk', `127.0.0.1:${trunkPort}`],
      ...(options.relayArgs ?? []),
    ])
  const stop = async (): Promise<void> => {
    // The endpoint first, as `sotto start` does: its goodbyes go through the relay.
    await endpoint.kill('SIGTERM')
    await relay.kill('SIGTERM')
    recorder?.close()
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true })
    await nonces?.close()
  }

  try {
    const {
      port: endpointPort,
      trunk = 0,
      fingerprint = '',
    } = await startEndpoint(await steadyPort(), await steadyPort())
    const dialled = recorder === undefined ? trunk : await recorder.listen(trunk)
    const { port: relayPort } = await startRelay(await steadyPort(), dialled)
    const pin = Buffer.from(fingerprint, 'hex').toString('base64url')
    return {
      pageUrl: `http://localhost:${relayPort}/#k=${pin}`,
      ...{ host, relayPort, endpointPort, trunkPort: trunk, fingerprint, dataDir, stop },
      logs: (part) => (part === undefined ? endpoint.log + relay.log : parts[part].log),
      logged: (part, pattern) => parts[part].logged(pattern),
      recorded: () => recorder?.recorded ?? Buffer.alloc(0),
      sealedUnder: async () => ((await nonces?.pairs()) ?? []).map((pair) => pair.slice(0, HASH)),
      pid: (part) => parts[part].pid,
      kill: (part, signal = 'SIGKILL') => parts[part].kill(signal),
      async restart(part) {
        await parts[part].kill('SIGKILL')
        if (part === 'endpoint') await startEndpoint(endpointPort, trunk)
        else await startRelay(relayPort, dialled)
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}
