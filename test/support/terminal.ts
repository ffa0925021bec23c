import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a terminal has to know of the rest: a {@link Stack} has it. */
export interface Whereabouts {
  readonly endpointPort: number
  readonly host: string
  /** Undefined takes the first key that is seen. */
  readonly fingerprint: string | undefined
  readonly dataDir: string
}

/** In front of a command: runs it on a terminal of its own, as a person has one. */
export const ON_TERMINAL = ['sh', '-c', 'exec script -qec "$*" /dev/null', 'sh'] as const

/** Why this machine has no {@link ON_TERMINAL}, if it has none: the one of util-linux is needed. */
export function noTerminal(): string | undefined {
  const { stdout, error } = spawnSync('script', ['--version'], { encoding: 'utf8' })
  if (error === undefined && stdout.includes('util-linux')) return undefined
  return 'needs script, of util-linux (on Debian: apt-get install bsdutils)'
}

const CLI = fileURLToPath(new URL('../../relay/cli.ts', import.meta.url))
const PATIENCE_MS = 30_000

/** `sotto chat` as a process of its own, over TCP, with pipes where a person has a terminal. */
export class TerminalProcess {
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>
  readonly #looks = new Set<() => void>()
  #output = ''

  /** `enter` goes in front of the command, as one that enters another network does. */
  constructor(name: string, stack: Whereabouts, enter: readonly string[] = []) {
    const { endpointPort, host, fingerprint, dataDir } = stack
    const where = ['--port', String(endpointPort), '--host', host, '--address', '127.0.0.1']
    const pin = fingerprint === undefined ? [] : ['--endpoint-key', fingerprint]
    const given = ['--name', name, ...pin, '--data', dataDir, ...where]
    const node = [...enter, process.execPath, '--disable-warning=ExperimentalWarning']
    const [command = '', ...before] = node
    this.#child = spawn(command, [...before, CLI, 'chat', ...given], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#closed = once(this.#child, 'close')
    // It may have ended by itself: its exit code says so.
    this.#child.stdin?.on('error', () => undefined)
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk
        for (const look of this.#looks) look()
      })
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  /** Keys without Enter, such as Ctrl+C. */
  press(keys: string): void {
    this.#child.stdin?.write(keys)
  }

  signal(name: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): void {
    this.#child.kill(name)
  }

  /** Resolves once all of these have been printed. */
  async prints(...texts: readonly string[]): Promise<void> {
    await Promise.all(texts.map((text) => this.printsInOrder(text)))
  }

  /** Resolves once these have been printed, each after the one before. */
  printsInOrder(...texts: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new Error(`never printed: ${texts.join(' … ')}, in:\n${this.#output}`))
      }, PATIENCE_MS)
      const look = (): void => {
        let at = 0
        for (const text of texts) {
          const found = this.#output.indexOf(text, at)
          if (found < 0) return
          at = found + text.length
        }
        clearTimeout(late)
        this.#looks.delete(look)
        resolve()
      }
      this.#looks.add(look)
      look()
    })
  }

  /** All that has been printed. */
  get output(): string {
    return this.#output
  }

  /** What has been printed of all that matches, in order. */
  shown(pattern: RegExp): string[] {
    return this.#output.match(new RegExp(pattern, 'g')) ?? []
  }

  /** Says goodbye; resolves to the exit code. */
  quit(): Promise<number | null> {
    this.type('/quit')
    return this.exit()
  }

  /** The input is at its end. */
  end(): void {
    this.#child.stdin?.end()
  }

  /** Resolves to the exit code when it has ended. */
  async exit(): Promise<number | null> {
    await this.#closed
    return this.#child.exitCode
  }
}
