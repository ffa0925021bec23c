import { Worker } from 'node:worker_threads'
import { SottoError } from '../../web/protocol/errors.ts'
import { detached, sizeOf } from './detached.ts'
import type { Answer, Order, Result } from './sqlite_writer.ts'
import type { Write, WriteArguments, WriteName, WriteResult } from './sqlite_writes.ts'
import type { StoreState } from './store.ts'

/** What waits for the disk at most; beyond it writes are refused at once. */
const MOST_WAITING_BYTES = 64 * 2 ** 20
/** One transaction's writes: enough to make syncing cheap, few enough to answer soon. */
const MOST_AT_ONCE = 1000
const MOST_BYTES_AT_ONCE = 8 * 2 ** 20

type Opened = Extract<Answer, { kind: 'opened' }>

interface Waiting {
  readonly write: Write
  readonly bytes: number
  readonly settle: (result: Result) => void
}

interface QueueOptions {
  readonly dir: string
  readonly keptEpochs: number
  readonly retryAfter: number
  readonly now: () => number
  readonly onState: (state: StoreState) => void
  /** The store is open (again): on files that every other connection has to open afresh. */
  readonly onOpened: (opened: Opened) => void
  /** Called before the writer opens the files again. */
  readonly beforeOpening: () => void
}

/**
 * Group commit: while one transaction is on its way to the disk the next writes gather, and go
 * together as soon as it is done. With nothing on its way a write leaves at the end of the present
 * turn of the event loop.
 *
 * When the disk fails, all that waited is rejected, and so is everything new, until the writer
 * could open the files afresh.
 */
export class WriteQueue {
  readonly #options: QueueOptions
  readonly #worker: Worker
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #onItsWay: ((answer: Answer) => void) | undefined
  #onIdle: () => void = () => {}
  #leaving = false
  #ended = false
  #closing = false
  #state: StoreState = { ok: false, text: 'The store is being opened.' }
  #retry: NodeJS.Timeout | undefined

  constructor(options: QueueOptions) {
    this.#options = options
    const { dir, keptEpochs } = options
    const thread = new URL('./sqlite_writer.ts', import.meta.url)
    this.#worker = new Worker(thread, { workerData: { dir, keptEpochs } })
    this.#worker.on('message', (answer: Answer) => this.#answered(answer))
    this.#worker.on('error', (cause) => this.#threadEnded(String(cause)))
    this.#worker.on('exit', () => this.#threadEnded('its thread ended'))
  }

  get state(): StoreState {
    return this.#state
  }

  /** Opens the files. Rejects with SottoError `unavailable` or `rolled_back`. */
  async open(acceptLoss: boolean): Promise<void> {
    const answer = await this.#order({ kind: 'open', now: this.#options.now(), acceptLoss })
    if (answer.kind === 'opened') {
      this.#options.onOpened(answer)
      // Nobody is told: it has not failed before.
      this.#state = { ok: true }
      return
    }
    this.#closing = true
    await this.#worker.terminate()
    if (answer.kind === 'failed') throw new SottoError(answer.code, answer.atStart)
    throw new SottoError('unavailable', 'The store could not be opened.')
  }

  /** Resolves or rejects after the commit. */
  write<N extends WriteName>(name: N, ...args: WriteArguments<N>): Promise<WriteResult<N>> {
    if (!this.#state.ok) return Promise.reject(new SottoError('unavailable', this.#state.text))
    if (this.#closing) return Promise.reject(closed())
    const bytes = sizeOf(args)
    if (this.#waitingBytes + bytes > MOST_WAITING_BYTES)
      return Promise.reject(
        new SottoError('unavailable', "The endpoint's disk is too slow at the moment. Try again."),
      )
    // Name and arguments were checked together above.
    const write = { name, args: detached(args) } as unknown as Write
    return new Promise((resolve, reject) => {
      const settle = (result: Result): void => {
        if (result.ok) resolve(result.value as WriteResult<N>)
        else reject(new SottoError(result.code, result.text))
      }
      this.#waiting.push({ write, bytes, settle })
      this.#waitingBytes += bytes
      this.#leaveSoon()
    })
  }

  /** Writes what waits, empties the write-ahead log and ends the thread. */
  async close(): Promise<void> {
    this.#closing = true
    clearTimeout(this.#retry)
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
      this.#checkIdle()
    })
    await this.#order({ kind: 'close' })
    await this.#worker.terminate()
  }

  #checkIdle(): void {
    if (this.#onItsWay === undefined && this.#waiting.length === 0) this.#onIdle()
  }

  #leaveSoon(): void {
    if (this.#leaving || this.#onItsWay !== undefined) return
    this.#leaving = true
    setImmediate(() => {
      this.#leaving = false
      void this.#leave()
    })
  }

  async #leave(): Promise<void> {
    if (this.#onItsWay !== undefined || this.#waiting.length === 0) return
    const group = this.#nextGroup()
    const writes = group.map(({ write }) => write)
    const answer = await this.#order({ kind: 'write', now: this.#options.now(), writes })
    if (answer.kind === 'written')
      for (const [i, result] of answer.results.entries()) group[i]?.settle(result)
    else if (answer.kind === 'failed') this.#fail(answer, group)
    if (this.#waiting.length > 0) this.#leaveSoon()
    this.#checkIdle()
  }

  #nextGroup(): Waiting[] {
    let bytes = 0
    let count = 0
    for (const { bytes: more } of this.#waiting) {
      if (count > 0 && (count === MOST_AT_ONCE || bytes + more > MOST_BYTES_AT_ONCE)) break
      bytes += more
      count += 1
    }
    this.#waitingBytes -= bytes
    return this.#waiting.splice(0, count)
  }

  #fail({ text, passing }: { text: string; passing: boolean }, group: readonly Waiting[]): void {
    this.#setState({ ok: false, text })
    const all = [...group, ...this.#waiting]
    this.#waiting = []
    this.#waitingBytes = 0
    for (const { settle } of all) settle({ ok: false, code: 'unavailable', text })
    if (passing) this.#tryLater()
  }

  #tryLater(): void {
    if (this.#closing) return
    this.#retry = setTimeout(() => void this.#tryAgain(), this.#options.retryAfter)
    this.#retry.unref()
  }

  async #tryAgain(): Promise<void> {
    this.#options.beforeOpening()
    const order = { kind: 'open', now: this.#options.now(), acceptLoss: false } as const
    const answer = await this.#order(order)
    if (answer.kind === 'opened') {
      this.#options.onOpened(answer)
      this.#setState({ ok: true })
    } else if (answer.kind === 'failed') this.#fail(answer, [])
    this.#checkIdle()
  }

  #order(order: Order): Promise<Answer> {
    if (this.#ended) return Promise.resolve(threadEnded('it is not running'))
    return new Promise((resolve) => {
      this.#onItsWay = resolve
      this.#worker.postMessage(order)
    })
  }

  #answered(answer: Answer): void {
    const resolve = this.#onItsWay
    this.#onItsWay = undefined
    resolve?.(answer)
  }

  /** The thread is gone, which it never should be before close: nothing can be written any more. */
  #threadEnded(why: string): void {
    this.#ended = true
    const answer = threadEnded(why)
    if (this.#onItsWay !== undefined) this.#answered(answer)
    else if (!this.#closing) this.#fail(answer, [])
  }

  #setState(state: StoreState): void {
    const before = this.#state
    this.#state = state
    const same = before.ok ? state.ok : !state.ok && before.text === state.text
    if (!same) this.#options.onState(state)
  }
}

function threadEnded(why: string): Extract<Answer, { kind: 'failed' }> {
  const text = `The endpoint's store failed (${why}). Restart the endpoint.`
  return { kind: 'failed', code: 'unavailable', text, atStart: text, passing: false }
}

export function closed(): SottoError {
  return new SottoError('unavailable', 'The server is shutting down.')
}
