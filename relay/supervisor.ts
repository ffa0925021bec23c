/** `sotto start`: relay and endpoint as two processes that are kept running. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { ALLOCATOR } from './allocator.ts'
import { FORETOLD } from './part.ts'

const FIRST_DELAY_MS = 200
const MOST_DELAY_MS = 10_000
/** A part that ran this long is started again without delay. */
const STEADY_MS = 30_000
/** How long a part may take from start to listening. */
const MOST_STARTING_MS = 60_000
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning']

export interface ListeningLine {
  readonly event: 'listening'
  readonly port: number
  readonly trunk?: number
  readonly fingerprint?: string
}

/** A part that could not start. `code` is its exit code; it has said why on standard error. */
export class StartFailed extends Error {
  override readonly name = 'StartFailed'
  readonly code: number

  constructor(part: string, code: number) {
    super(`The ${part} did not start.`)
    this.code = code
  }
}

/** One child process: started, watched, started again with the same ports when it crashes. */
export class Supervised {
  readonly part: string
  readonly #cli: string
  readonly #arguments: (last: ListeningLine | undefined) => readonly string[]
  readonly #env: NodeJS.ProcessEnv
  readonly #told: (text: string) => void
  #child: ChildProcess | undefined
  #last: ListeningLine | undefined
  readonly #stopped = new AbortController()
  /** The present child's end, from before it listens. */
  #exit: Promise<unknown> = Promise.resolve()
  #running: Promise<void> = Promise.resolve()

  /** `arguments_` gets what the part said when it last listened, so that ports stay the same. */
  constructor(
    part: string,
    cli: string,
    arguments_: (last: ListeningLine | undefined) => readonly string[],
    env: NodeJS.ProcessEnv,
    told: (text: string) => void,
  ) {
    this.part = part
    this.#cli = cli
    this.#arguments = arguments_
    this.#env = env
    this.#told = told
  }

  /** Resolves when the part listens. Throws {@link StartFailed}. */
  async start(): Promise<ListeningLine> {
    const { line, exit } = await this.#spawn()
    this.#running = this.#keep(exit)
    return line
  }

  /** Whether its end is wanted. */
  get stopping(): boolean {
    return this.#stopped.signal.aborted
  }

  /** Tells the part that everything is about to be stopped. Resolves when it has heard it. */
  async foretell(): Promise<void> {
    const child = this.#child
    this.#stopped.abort()
    if (child?.connected !== true) return
    const heard = once(child, 'message').catch(() => undefined)
    child.send(FORETOLD, () => undefined)
    await Promise.race([heard, this.#exit])
  }

  /** Asks the part to close its sessions and waits until it has, also while it is starting. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#child?.kill('SIGTERM')
    await Promise.all([this.#exit, this.#running])
  }

  /** A second Ctrl+C: ends the part at once. */
  kill(): void {
    this.#stopped.abort()
    this.#child?.kill('SIGKILL')
  }

  async #spawn(): Promise<{ line: ListeningLine; exit: Promise<number> }> {
    const child = spawn(
      process.execPath,
      [...NODE_FLAGS, this.#cli, this.part, ...this.#arguments(this.#last)],
      // A group of its own: Ctrl+C reaches us alone, and we close the parts in order. The
      // channel tells the part when we are gone.
      {
        env: { ...ALLOCATOR, ...this.#env },
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
        detached: true,
      },
    )
    this.#child = child
    const exit = new Promise<number>((resolve) => {
      child.on('error', () => resolve(1))
      child.on('close', (code) => resolve(code ?? 1))
    })
    this.#exit = exit
    const line = await listeningLine(child, exit)
    if (line === undefined) {
      child.kill('SIGKILL')
      throw new StartFailed(this.part, await exit)
    }
    this.#last = line
    return { line, exit }
  }

  /** Starts the part again, later each time, until it is stopped on purpose. */
  async #keep(first: Promise<number>): Promise<void> {
    let exit = first
    let delay = FIRST_DELAY_MS
    for (;;) {
      const since = performance.now()
      await exit
      if (this.stopping) return
      if (performance.now() - since > STEADY_MS) delay = FIRST_DELAY_MS
      this.#told(`The ${this.part} ended unexpectedly. It is started again.`)
      for (;;) {
        await wait(delay, undefined, { signal: this.#stopped.signal }).catch(() => undefined)
        delay = Math.min(2 * delay, MOST_DELAY_MS)
        if (this.stopping) return
        try {
          exit = (await this.#spawn()).exit
          break
        } catch {
          if (this.stopping) return
          this.#told(`The ${this.part} does not start. The next try is in ${delay / 1000} s.`)
        }
      }
    }
  }
}

/** The part's first line, or undefined when it ends or takes too long before it. */
async function listeningLine(
  child: ChildProcess,
  exit: Promise<number>,
): Promise<ListeningLine | undefined> {
  const out = child.stdout
  if (out === null) return undefined
  const given = new AbortController()
  const line = new Promise<ListeningLine | undefined>((resolve) => {
    const lines = createInterface({ input: out })
    lines.on('line', (text) => {
      const value = parse(text)
      if (value?.event === 'listening') resolve(value)
    })
  })
  const late = wait(MOST_STARTING_MS, undefined, { signal: given.signal }).catch(() => undefined)
  const first = await Promise.race([line, exit.then(() => undefined), late])
  given.abort()
  return first
}

function parse(text: string): ListeningLine | undefined {
  try {
    return JSON.parse(text) as ListeningLine
  } catch {
    return undefined
  }
}
