import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { chromiumFlags, chromium as chromiumPath } from './browsers.ts'

type Options = Parameters<typeof chromium.launchPersistentContext>[1]

/**
 * One real Chromium with one browser profile on disk: its tabs share IndexedDB and Web Locks, as
 * a person's tabs do. Drives the page by the accessible names that people with assistive
 * technology use, and by nothing else.
 */
export class Browser {
  readonly context: BrowserContext
  readonly #directory: string
  readonly #keep: boolean

  private constructor(context: BrowserContext, directory: string, keep: boolean) {
    this.context = context
    this.#directory = directory
    this.#keep = keep
  }

  /** `directory` is kept for another start when it is given; otherwise it is a fresh one. */
  static async start(options: Options = {}, directory?: string): Promise<Browser> {
    const at = directory ?? (await mkdtemp(join(tmpdir(), 'sotto-chromium-')))
    const context = await chromium.launchPersistentContext(at, {
      executablePath: chromiumPath(),
      args: chromiumFlags,
      chromiumSandbox: false,
      acceptDownloads: true,
      ...options,
    })
    context.setDefaultTimeout(60_000)
    await context.addInitScript(watchNonces)
    return new Browser(context, at, directory !== undefined)
  }

  async open(link: string): Promise<Tab> {
    const page = await this.context.newPage()
    const tab = new Tab(page)
    await page.goto(link)
    return tab
  }

  /** Opens a tab, picks a name and waits until it is connected. */
  async join(link: string, name: string): Promise<Tab> {
    const tab = await this.open(link)
    await tab.start(name)
    await tab.online()
    return tab
  }

  async close(): Promise<void> {
    await this.context.close()
    if (!this.#keep) await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** In the page: sealing twice under one key and nonce fails, and is a complaint (THREATS I4, R18). */
function watchNonces(): void {
  // A page without a secure context has no WebCrypto, and nothing to watch.
  if (!('SubtleCrypto' in globalThis)) return
  const { importKey, encrypt } = SubtleCrypto.prototype
  const raws = new WeakMap<CryptoKey, string>()
  const used = new Map<string | CryptoKey, Set<string>>()
  const text = (bytes: BufferSource): string =>
    String(
      ArrayBuffer.isView(bytes)
        ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        : new Uint8Array(bytes),
    )
  SubtleCrypto.prototype.importKey = async function (
    this: SubtleCrypto,
    ...args: unknown[]
  ): Promise<CryptoKey> {
    const key = await Reflect.apply(importKey, this, args)
    if (args[0] === 'raw') raws.set(key, text(args[1] as BufferSource))
    return key
  } as typeof importKey
  SubtleCrypto.prototype.encrypt = function (this: SubtleCrypto, how, key, data) {
    const { name, iv } = how as AesGcmParams
    if (name === 'AES-GCM') {
      const id = raws.get(key) ?? key
      const nonces = used.get(id) ?? new Set()
      used.set(id, nonces)
      if (nonces.has(text(iv))) {
        console.error('a nonce was used twice under one key')
        return Promise.reject(new Error('a nonce was used twice under one key'))
      }
      nonces.add(text(iv))
    }
    return encrypt.call(this, how, key, data)
  }
}

export class Tab {
  readonly page: Page
  /** Errors and warnings on the console: a healthy page has none. */
  readonly complaints: string[] = []

  constructor(page: Page) {
    this.page = page
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text())
    })
    page.on('pageerror', (error) => this.complaints.push(String(error)))
  }

  get log() {
    return this.page.getByRole('log', { name: 'Messages' })
  }

  get people() {
    return this.page.getByRole('list', { name: 'People' })
  }

  get connection() {
    return this.page.getByRole('status', { name: 'Connection' })
  }

  get box() {
    return this.page.getByRole('textbox', { name: 'Message' })
  }

  async start(name: string): Promise<void> {
    await this.page.getByRole('textbox', { name: 'Name' }).fill(name)
    await this.page.getByRole('button', { name: 'Start chatting' }).click()
  }

  /** Waits until the page says that it is connected and can send. */
  async online(): Promise<void> {
    await this.connection.filter({ hasText: /^\s*(Connected|Online)/i }).waitFor()
    await this.box.waitFor()
  }

  /** Types and presses Enter, as a person does. */
  async say(text: string): Promise<void> {
    await this.box.fill(text)
    await this.box.press('Enter')
  }

  /** Waits until the text stands in the open conversation. */
  async sees(text: string): Promise<void> {
    await this.log.getByText(text, { exact: true }).first().waitFor()
  }

  /** What stands in the open conversation of all that matches, in the order of the screen. */
  async shown(pattern: RegExp): Promise<string[]> {
    return (await this.log.innerText()).match(new RegExp(pattern, 'g')) ?? []
  }

  async openPanel(name: 'Identity' | 'Handshake'): Promise<void> {
    await this.front()
    await this.page.getByRole('button', { name, exact: true }).click()
  }

  async closePanel(): Promise<void> {
    await this.press('Close')
  }

  /** The tab that is looked at: the others get no frames, and waiting for them takes seconds. */
  async front(): Promise<void> {
    await this.page.bringToFront()
  }

  /** Presses a button by its whole name. */
  async press(name: string): Promise<void> {
    await this.front()
    await this.page.getByRole('button', { name, exact: true }).click()
  }

  /** Waits until the page says this, anywhere. */
  async says(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).first().waitFor()
  }

  /** Opens the private conversation with somebody who is in the list. */
  async openPrivate(user: string): Promise<void> {
    await this.front()
    await this.people.getByText(user, { exact: true }).click()
    await this.page.getByRole('heading', { name: user, exact: true, level: 2 }).waitFor()
  }

  /** Opens a conversation by its title. */
  async openRoom(title: string): Promise<void> {
    await this.front()
    const rooms = this.page.getByRole('list', { name: 'Conversations' })
    await rooms.getByText(title, { exact: true }).click()
    await this.page.getByRole('heading', { name: title, exact: true, level: 2 }).waitFor()
  }

  /** On the first screen: comes in as somebody whom this browser knows. */
  async enter(name: string, how: 'Continue as' | 'Take over from the other tab,'): Promise<void> {
    await this.press(`${how} ${name}`)
    await this.box.waitFor()
  }

  /** The renderer dies, as when the system runs out of memory: no handler of the page runs. */
  async crash(): Promise<void> {
    const devtools = await this.page.context().newCDPSession(this.page)
    const crashed = this.page.waitForEvent('crash')
    devtools.send('Page.crash').catch(() => undefined)
    await crashed
    await this.page.close()
  }

  /** A message of the open conversation, as a whole: name, text, time, state. */
  message(text: string) {
    return this.log.getByRole('article').filter({ has: this.page.getByText(text, { exact: true }) })
  }

  /** Waits until an own message stands there as acknowledged. */
  async sent(text: string): Promise<void> {
    await this.message(text).getByText('Sent', { exact: true }).waitFor()
  }

  /** Exports the key of the person in this tab into a file. */
  async exportKey(file: string, passphrase: string): Promise<void> {
    await this.openPanel('Identity')
    await this.page.getByRole('textbox', { name: 'Passphrase' }).fill(passphrase)
    const download = this.page.waitForEvent('download')
    await this.press('Export')
    await (await download).saveAs(file)
    await this.closePanel()
  }

  /** On the first screen: reads a key file. */
  async readKey(file: string, passphrase: string): Promise<void> {
    const about = this.page.getByText('I have a key file')
    const secret = this.page.getByRole('textbox', { name: 'Passphrase' })
    if (!(await secret.isVisible())) await about.click()
    await secret.fill(passphrase)
    const chooser = this.page.waitForEvent('filechooser')
    await this.press('Import')
    await (await chooser).setFiles(file)
    await this.says('The key was read.')
  }
}
