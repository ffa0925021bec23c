import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Store } from '../../relay/endpoint/store.ts'
import { type Bytes, equal, hex } from '../../web/protocol/bytes.ts'
import { type BurstOptions, burstId, burstRoom } from './store_burst.ts'
import { message } from './store_fixture.ts'
import { assert } from './suite.ts'

const script = fileURLToPath(new URL('./store_burst.ts', import.meta.url))

export interface Acked {
  readonly sender: number
  readonly number: number
  readonly seq: number
}

/** A running store_burst.ts and what it has said. */
export class Burst {
  readonly acked: Acked[] = []
  readonly lines: string[] = []
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>
  #errors = ''
  #onLine: () => void = () => {}

  constructor(options: BurstOptions, env: Record<string, string> = {}) {
    this.#child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', script, JSON.stringify(options)],
      { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } },
    )
    this.#child.stderr?.on('data', (chunk) => {
      this.#errors += chunk
    })
    // It may end by itself before it is told to.
    this.#child.stdin?.on('error', () => undefined)
    const { stdout } = this.#child
    if (stdout === null) throw new Error('no output to read')
    createInterface({ input: stdout }).on('line', (line) => this.#heard(line))
    this.#closed = once(this.#child, 'close').then(() => this.#onLine())
  }

  /** Resolves when `enough` holds of what was said; rejects when the process ended before. */
  async until(enough: () => boolean): Promise<void> {
    while (!enough()) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new Error(
          `The burst ended early (${this.#child.exitCode ?? this.#child.signalCode}) after "${this.lines.at(-1)}": ${this.#errors}`,
        )
      await new Promise<void>((resolve) => {
        this.#onLine = resolve
      })
    }
  }

  said(start: string): boolean {
    return this.lines.some((line) => line.startsWith(start))
  }

  /** kill -9; resolves when everything that it said has been heard. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#closed
  }

  /** Ends it properly, or lets it finish by itself. */
  async end(): Promise<void> {
    this.#child.stdin?.write('end\n')
    await this.#closed
    assert.equal(this.#child.exitCode, 0, this.#errors)
  }

  /** Resolves when the process has ended, for whatever reason. */
  get ended(): Promise<unknown> {
    return this.#closed
  }

  get errors(): string {
    return this.#errors
  }

  #heard(line: string): void {
    this.lines.push(line)
    const [kind, ...numbers] = line.split(' ')
    if (kind === 'acked') this.acked.push(ackedOf(numbers.map(Number)))
    this.#onLine()
  }
}

function ackedOf([sender = 0, number = 0, seq = 0]: number[]): Acked {
  return { sender, number, seq }
}

/** The acknowledgements in a text of lines, the last of which may be incomplete. */
export function readAcked(text: string): Acked[] {
  const lines = text.split('\n').slice(0, -1)
  return lines.map((line) => ackedOf(line.split(' ').slice(1).map(Number)))
}

const known = new Map<string, Bytes>()

function burstMls(sender: number, number: number): Bytes {
  const id = burstId(sender, number)
  const mls = known.get(id) ?? message(burstRoom, 'ann', id).mls
  known.set(id, mls)
  return mls
}

/** I1 and I2: every acknowledged message is at its place with its bytes, and nothing is twice. */
export function checkBurst(store: Pick<Store, 'entries'>, acked: readonly Acked[]): void {
  const found = new Map<number, Bytes>()
  for (let after = 0; ; ) {
    const page = store.entries(burstRoom, after, 1000, 2 ** 24)
    for (const entry of page) found.set(entry.seq, entry.mls)
    const last = page.at(-1)
    if (last === undefined) break
    after = last.seq
  }
  // No two messages begin alike.
  const starts = new Set([...found.values()].map((mls) => hex(mls.subarray(0, 16))))
  if (starts.size !== found.size) assert.fail('a message is in the log twice')
  for (const { sender, number, seq } of acked) {
    const mls = found.get(seq)
    if (mls === undefined || !equal(mls, burstMls(sender, number)))
      assert.fail(`message ${number} of sender ${sender} is not at ${seq}`)
  }
}
