import { createInterface, type Interface } from 'node:readline'
import { Writable } from 'node:stream'

export interface Line {
  readonly text: string
  /** Lines in front of it that nobody has taken yet. */
  readonly before: number
}

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
  #over = false
  readonly #end = Promise.withResolvers<void>()
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
    // Readline takes Ctrl+C from the terminal: it is the signal again, like one that comes from outside.
    this.#readline.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
    this.#readline.on('line', (line) => {
      if (!this.#over) this.#lines.push(line)
      this.#wake()
    })
    // A terminal that is gone: 'close' follows and says it all.
    this.#readline.on('error', () => undefined)
    this.#readline.on('close', () => {
      this.#over = true
      this.#end.resolve()
      this.#wake()
    })
  }

  print(line: string): void {
    if (!this.interactive) return void this.#output.write(`${line}\n`)
    this.#output.write(`\r\x1b[K${line}\n`)
    if (!this.#secret && !this.#over) this.#readline.prompt(true)
  }

  /**
   * The first line that is no answer to {@link secretly} and that `takes` says yes to, or undefined
   * when there are no more of any kind. {@link look} asks again about those that wait.
   */
  line(takes: (line: string) => boolean): Promise<Line | undefined> {
    return this.#next(false, takes)
  }

  /** What `line` takes may be another by now. */
  look(): void {
    this.#wake()
  }

  /** Lines that nobody has taken yet. */
  get left(): number {
    return this.#lines.length
  }

  /** Resolves when no line comes any more. */
  get ended(): Promise<void> {
    return this.#end.promise
  }

  /** The input is at its end, and every line was taken. */
  get exhausted(): boolean {
    return this.#over && this.left === 0
  }

  /** Takes no more lines in, and keeps so many of those that wait. */
  stopAfter(lines: number): void {
    this.#lines.length = lines
    this.close()
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
        const answer = (await this.#next(true))?.text ?? ''
        if (this.interactive) this.#output.write('\n')
        return answer
      })
    } finally {
      this.#secret = false
      this.#wake()
    }
  }

  /** While a secret is asked for, lines go to who asked for it and to nobody else. */
  async #next(
    secret: boolean,
    takes: (line: string) => boolean = () => true,
  ): Promise<Line | undefined> {
    for (;;) {
      const at = this.#secret === secret ? this.#lines.findIndex(takes) : -1
      const [text] = at >= 0 ? this.#lines.splice(at, 1) : []
      if (text !== undefined) return { text, before: at }
      if (this.#over && (secret || (!this.#secret && this.left === 0))) return undefined
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
