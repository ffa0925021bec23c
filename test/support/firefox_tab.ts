import { once } from 'node:events'
import { WebSocket } from 'ws'
import { Firefox } from './firefox.ts'

const LISTENING = /WebDriver BiDi listening on (ws:\S+)/
/** Between two looks at the page, unless it changes before (ms), and how long it is looked for. */
const LOOK_MS = 100
const PATIENCE_MS = 60_000
/** Keys as WebDriver writes them. */
const ENTER = '\uE007'

interface Answer {
  readonly id?: number
  readonly type: 'success' | 'error' | 'event'
  readonly method?: string
  readonly params?: { readonly level?: string; readonly text?: string | null }
  readonly result?: unknown
  readonly error?: string
  readonly message?: string
}

/** The line to a browser: commands and answers of WebDriver BiDi (W3C), one JSON text each. */
class Driver {
  /** Errors and warnings of its pages. */
  readonly complaints: string[] = []
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #last = 0

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data) => this.#hear(JSON.parse(String(data)) as Answer))
    socket.on('close', () => {
      for (const answer of this.#waiting.values())
        answer({ type: 'error', error: 'Firefox is gone' })
    })
  }

  async send<T>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#last
    const { promise, resolve } = Promise.withResolvers<Answer>()
    this.#waiting.set(id, resolve)
    this.#socket.send(JSON.stringify({ id, method, params }))
    const { type, result, error, message } = await promise
    this.#waiting.delete(id)
    if (type === 'error') throw new Error(`${method}: ${error}: ${message}`)
    return result as T
  }

  #hear(answer: Answer): void {
    if (answer.id !== undefined) this.#waiting.get(answer.id)?.(answer)
    else if (answer.method === 'log.entryAdded') {
      const { level, text } = answer.params ?? {}
      if (level === 'error' || level === 'warn') this.complaints.push(String(text))
    }
  }
}

/** A real Firefox. Its tabs are driven by the names that assistive technology gets, like Chromium's. */
export class FirefoxBrowser {
  readonly #firefox: Firefox
  readonly #driver: Driver

  private constructor(firefox: Firefox, driver: Driver) {
    this.#firefox = firefox
    this.#driver = driver
  }

  static async start(): Promise<FirefoxBrowser> {
    const firefox = await Firefox.start(['--remote-debugging-port', '0', 'about:blank'])
    try {
      const socket = new WebSocket(`${await addressOf(firefox)}/session`)
      await once(socket, 'open')
      const driver = new Driver(socket)
      await driver.send('session.new', { capabilities: {} })
      await driver.send('session.subscribe', { events: ['log.entryAdded'] })
      return new FirefoxBrowser(firefox, driver)
    } catch (error) {
      await firefox.end()
      throw error
    }
  }

  get complaints(): readonly string[] {
    return this.#driver.complaints
  }

  /** Opens a tab, picks a name and waits until it can write. */
  async join(link: string, name: string): Promise<FirefoxTab> {
    const { context } = await this.#driver.send<{ context: string }>('browsingContext.create', {
      type: 'tab',
    })
    const tab = new FirefoxTab(this.#driver, context)
    await this.#driver.send('browsingContext.navigate', { context, url: link, wait: 'complete' })
    await tab.type('Name', name)
    await tab.press('Start chatting')
    await tab.box()
    return tab
  }

  close(): Promise<void> {
    return this.#firefox.end()
  }
}

/** Where it listens, as it says on standard error. */
function addressOf({ process }: Firefox): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let said = ''
  process.stderr?.on('data', (chunk) => {
    said += chunk
    const [, address] = LISTENING.exec(said) ?? []
    if (address !== undefined) resolve(address)
  })
  process.once('exit', () => reject(new Error(`Firefox did not start:\n${said}`)))
  return promise
}

interface Element {
  readonly sharedId: string
}

export class FirefoxTab {
  readonly #driver: Driver
  readonly #context: string

  constructor(driver: Driver, context: string) {
    this.#driver = driver
    this.#context = context
  }

  box(): Promise<Element> {
    return this.#find('textbox', 'Message')
  }

  /** Types and presses Enter, as a person does. */
  async say(text: string): Promise<void> {
    await this.type('Message', `${text}${ENTER}`)
  }

  async type(name: string, text: string): Promise<void> {
    await this.#click(await this.#find('textbox', name))
    const actions = [...text].flatMap((value) => [
      { type: 'keyDown', value },
      { type: 'keyUp', value },
    ])
    await this.#act({ type: 'key', id: 'keyboard', actions })
  }

  async press(button: string): Promise<void> {
    await this.#click(await this.#find('button', button))
  }

  /** Clicks on who is in the list of people. */
  async openPrivate(user: string): Promise<void> {
    await this.#click(await this.#look(reading(user), await this.#find('list', 'People')))
  }

  /** Waits until the text stands in the open conversation. */
  async sees(text: string): Promise<void> {
    await this.#look(reading(text), await this.#find('log', 'Messages'))
  }

  async reload(): Promise<void> {
    await this.#driver.send('browsingContext.reload', { context: this.#context, wait: 'complete' })
    await this.box()
  }

  #find(role: string, name: string): Promise<Element> {
    return this.#look({ type: 'accessibility', value: { role, name } })
  }

  /** The first element of this kind, as soon as there is one. */
  async #look(locator: object, within?: Element): Promise<Element> {
    const context = this.#context
    const startNodes = within === undefined ? {} : { startNodes: [{ sharedId: within.sharedId }] }
    const until = performance.now() + PATIENCE_MS
    while (performance.now() < until) {
      const { nodes } = await this.#driver.send<{ nodes: Element[] }>(
        'browsingContext.locateNodes',
        { context, locator, maxNodeCount: 1, ...startNodes },
      )
      if (nodes[0] !== undefined) return nodes[0]
      await this.#call(CHANGED, [{ type: 'number', value: LOOK_MS }])
    }
    throw new Error(`not on the page: ${JSON.stringify(locator)}`)
  }

  async #click(element: Element): Promise<void> {
    await this.#driver.send('browsingContext.activate', { context: this.#context })
    await this.#call('(element) => element.scrollIntoView({ block: "nearest" })', [element])
    const origin = { type: 'element', element: { sharedId: element.sharedId } }
    const actions = [
      { type: 'pointerMove', x: 0, y: 0, origin },
      { type: 'pointerDown', button: 0 },
      { type: 'pointerUp', button: 0 },
    ]
    await this.#act({ type: 'pointer', id: 'mouse', actions })
  }

  #act(source: object): Promise<unknown> {
    const { send } = this.#driver
    return send.call(this.#driver, 'input.performActions', {
      context: this.#context,
      actions: [source],
    })
  }

  #call(functionDeclaration: string, args: readonly object[]): Promise<unknown> {
    return this.#driver.send('script.callFunction', {
      functionDeclaration,
      arguments: args,
      awaitPromise: true,
      target: { context: this.#context },
    })
  }
}

/** What has this text and no more. */
function reading(text: string): object {
  return { type: 'xpath', value: `.//*[not(*)][normalize-space()="${text}"]` }
}

/** In the page: resolves when it changes, or after so many milliseconds. */
const CHANGED = `(ms) => new Promise((resolve) => {
  const watch = new MutationObserver(resolve)
  const all = { attributes: true, characterData: true, childList: true, subtree: true }
  watch.observe(document, all)
  setTimeout(resolve, ms)
}).then(() => undefined)`
