import { createInterface, type Interface } from 'node:readline'
import { Writable } from 'node:stream'

/**
 * Lines in and lines out, on a terminal or a pipe. On a terminal what arrives while a person types
 * goes above the line that is being typed.
 */
export class Terminal {
  readonly interactive: boolean
  readonly #readline: Interface
  readonly #output: NodeJS.WritableStream
  readonly #lines: string[] = []
  #waiting: (() => void)[] = []
  #ended = false
  #secret = false

  constructor(input: NodeJS.ReadableStream, output: NodeJS.WritableStream) {
    this.interactive = (input as { isTTY?: boolean }).isTTY === true
    this.#output = output
    // Readline echoes what is typed through this; while a secret is typed nothing gets through.
    const echo = new Writable({
      write: (chunk, _encoding, done) => {
        if (!this.#secret) output.write(chunk)
        done()
      },
    })
    this.#readline = createInterface({
      input,
      output: echo,
      terminal: this.interactive,
      prompt: this.interactive ? '> ' : '',
    })
    this.#readline.on('line', (line) => {
      this.#lines.push(line)
      this.#wake()
    })
    this.#readline.on('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  /** Calls `stop` on Ctrl+C. */
  onInterrupt(stop: () => void): void {
    this.#readline.on('SIGINT', stop)
  }

  print(line: string): void {
    if (!this.interactive) return void this.#output.write(`${line}\n`)
    this.#output.write(`\r\x1b[K${line}\n`)
    if (!this.#secret) this.#readline.prompt(true)
  }

  /** The next line that is no answer to {@link secretly}, or undefined when there are no more. */
  line(): Promise<string | undefined> {
    return this.#next(false)
  }

  /**
   * Asks for lines that are not shown while they are typed; an answer is empty when there are no
   * more. From the first question until `work` is done no line goes to anybody else, so that no
   * password becomes a message.
   */
  async secretly<T>(work: (ask: (question: string) => Promise<string>) => Promise<T>): Promise<T> {
    this.#secret = true
    try {
      return await work(async (question) => {
        this.#output.write(this.interactive ? `\r\x1b[K${question}` : `${question}\n`)
        const answer = (await this.#next(true)) ?? ''
        if (this.interactive) this.#output.write('\n')
        return answer
      })
    } finally {
      this.#secret = false
      this.#wake()
    }
  }

  /** While a secret is asked for, lines go to who asked for it and to nobody else. */
  async #next(secret: boolean): Promise<string | undefined> {
    for (;;) {
      if (this.#secret === secret) {
        const line = this.#lines.shift()
        if (line !== undefined) return line
      }
      if (this.#ended && (secret || !this.#secret)) return undefined
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  close(): void {
    this.#readline.close()
  }
}
