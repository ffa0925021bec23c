import { Depth } from './depth.ts'
import type { Door, Entered, KeyFile, Locked, Making, ProfileView } from './door.ts'
import { SottoElement } from './element.ts'
import {
  ChooseKeyEvent,
  DeletePersonEvent,
  EnterEvent,
  ForgetEvent,
  LockEvent,
  SomebodyElseEvent,
  StartEvent,
  TypeNameEvent,
} from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { part } from './part.ts'
import './welcome_screen.ts'
import { said } from './words.ts'

/** Runs `work` when what was rendered is on the screen and the page has nothing better to do. */
function afterPaint(work: () => void): void {
  // The second frame begins when the first is drawn; Safari does not say when it is idle.
  const idle = 'requestIdleCallback' in globalThis ? requestIdleCallback : setTimeout
  requestAnimationFrame(() => requestAnimationFrame(() => idle(work)))
}

/**
 * The whole page: who is here, and how one comes in and goes. What somebody does who is in is
 * <chat-desk>'s, which is loaded once the first screen has been drawn.
 */
@customElement('sotto-app')
export class ChatApp extends SottoElement {
  @property door: Door | undefined
  @state private entered: Entered | undefined
  @state private locked: Locked | undefined
  @state private unlocking = false
  @state private keyless = ''
  @state private ready = false
  @state private unable = ''
  @state private profiles: readonly ProfileView[] = []
  @state private making: Making | undefined
  /** What stands in the name's box to begin with. */
  @state private name = ''
  /** Of a file: kept until one has come in with it, since the name may be refused. */
  @state private key: KeyFile | undefined
  @state private problem = ''
  @state private lost = ''

  readonly #depth = new Depth()
  readonly #watch = (): void => {
    const { connection, rooms } = this.#model?.state ?? { rooms: [] }
    if (rooms.length > 0) this.key = undefined
    if (rooms.length === 0 && connection?.phase === 'offline' && connection.refused)
      void this.#attempt(() => this.#turnAway(connection.text))
  }
  readonly #onBack = (): void => {
    if (this.unable === '') void this.#listProfiles()
  }

  constructor() {
    super()
    const on = <E extends Event>(type: string, act: (event: E) => unknown): void =>
      this.addEventListener(type, (event) => void this.#attempt(() => act(event as E)))
    on<StartEvent>(StartEvent.type, (event) => this.#start(event))
    on(TypeNameEvent.type, () => {
      this.problem = ''
    })
    on<ChooseKeyEvent>(ChooseKeyEvent.type, ({ key }) => {
      this.key = key
    })
    on<EnterEvent>(EnterEvent.type, (event) => this.#enter(event))
    on(SomebodyElseEvent.type, () => this.#goOut())
    on(DeletePersonEvent.type, () => this.#deletePerson())
    on<ForgetEvent>(ForgetEvent.type, ({ profile }) => this.#forgetPerson(profile))
    on(LockEvent.type, () => this.entered?.lockNow())
  }

  override connectedCallback(): void {
    super.connectedCallback()
    // Another tab may have come or gone while this one was in the background.
    document.addEventListener('visibilitychange', this.#onBack)
    this.#depth.listen()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    document.removeEventListener('visibilitychange', this.#onBack)
    this.#depth.stop()
    this.#model?.removeEventListener('change', this.#watch)
  }

  protected override firstUpdated(): void {
    void this.#begin()
  }

  override render(): Html | typeof nothing {
    const { entered } = this
    if (entered === undefined) return this.ready ? this.#renderWelcome() : nothing
    return html`<chat-desk .entered=${entered} .door=${this.door} .depth=${this.#depth} .outside=${this.problem}></chat-desk>`
  }

  protected override updated(): void {
    if (this.ready || this.entered !== undefined) this.querySelector('.starting')?.remove()
    // On the first screen there is nothing to go back from.
    if (this.ready && this.entered === undefined) this.#depth.set(0)
  }

  async #begin(): Promise<void> {
    this.unable = (await this.door?.unable()) ?? ''
    if (this.unable === '') await this.#attempt(() => this.#resume())
    this.ready = true
    await this.updateComplete
    // The rest of the page comes while the person looks at this; if it can't, entering says so.
    if (this.unable === '') afterPaint(() => import('./chat_desk.ts').catch(() => undefined))
  }

  async #resume(): Promise<void> {
    try {
      const entered = await this.door?.resume()
      if (entered) await this.#become(entered)
    } finally {
      await this.#listProfiles()
    }
  }

  get #model(): Entered['model'] | undefined {
    return this.entered?.model
  }

  #renderWelcome(): Html {
    return html`<welcome-screen .unable=${this.unable} .door=${this.door} .profiles=${this.profiles} .making=${this.making}
      .problem=${this.problem} .lost=${this.lost} .locked=${this.locked} .unlocking=${this.unlocking}
      .keyless=${this.keyless} .typed=${this.name} .key=${this.key}></welcome-screen>`
  }

  /** What goes wrong is said on the screen: under the composer, or on the first screen. */
  async #attempt(work: () => unknown): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.problem = said(error)
    }
  }

  async #listProfiles(): Promise<void> {
    if (this.entered === undefined) this.profiles = (await this.door?.profiles()) ?? []
  }

  async #start({ name, key }: StartEvent): Promise<void> {
    if (this.making !== undefined) return
    this.name = name
    this.problem = ''
    await this.entered?.leave()
    this.#forget()
    this.key = key
    this.making = 'key'
    try {
      const entered = await this.door?.start(name, key, (step) => {
        this.making = step
      })
      if (entered) await this.#become(entered)
    } finally {
      this.making = undefined
      await this.#listProfiles()
    }
  }

  async #enter({ profile, takeOver, passphrase }: EnterEvent): Promise<void> {
    this.problem = ''
    this.keyless = ''
    this.unlocking = true
    try {
      const entered = await this.door?.enter(profile, takeOver, passphrase)
      this.key = undefined // they have their own
      if (entered) await this.#become(entered)
    } catch (error) {
      const user = this.profiles.find(({ id }) => id === profile)?.user
      if (user === undefined || !isKeyless(error)) throw error
      this.name = user
      this.keyless = error.message
    } finally {
      this.unlocking = false
      await this.#listProfiles()
    }
  }

  async #become(entered: Entered | Locked): Promise<void> {
    if (!('model' in entered)) {
      await part(() => import('./unlock_form.ts'))
      this.locked = entered
      return
    }
    await part(() => Promise.all([import('./chat_desk.ts'), import('./panels.ts')]))
    this.lost = ''
    this.name = ''
    this.problem = ''
    this.locked = undefined
    this.keyless = ''
    this.entered = entered
    entered.model.addEventListener('change', this.#watch)
    void entered.lost.then(() => this.#lose(entered))
  }

  /** Who was never in any conversation has nothing here: back to the first screen. */
  async #turnAway(why: string): Promise<void> {
    const { entered } = this
    if (entered === undefined) return
    const { me, endpoint } = entered.model.state
    this.#forget()
    this.name = me.user
    // One that is in no file nobody knows yet: the next name gets another.
    if (me.backedUp) this.key = entered.key
    this.problem = why
    await entered.leave()
    // Whom an endpoint has taken before stays, whatever this one says.
    if (!endpoint?.fingerprint) await entered.keeper.destroy()
    await this.#listProfiles()
  }

  #lose(entered: Entered): void {
    if (this.entered !== entered) return
    const { user } = entered.model.state.me
    this.#forget()
    this.lost = `${user} is now open in another tab. Take over to go on here, or be somebody else.`
    void this.#listProfiles()
  }

  async #goOut(): Promise<void> {
    await this.entered?.leave()
    this.locked?.cancel()
    this.#forget()
    await this.#listProfiles()
  }

  async #forgetPerson(profile: string): Promise<void> {
    await this.door?.forget(profile)
    await this.#listProfiles()
  }

  async #deletePerson(): Promise<void> {
    const { entered } = this
    await entered?.leave()
    await entered?.keeper.destroy()
    this.#forget()
    await this.#listProfiles()
  }

  #forget(): void {
    this.#model?.removeEventListener('change', this.#watch)
    this.entered = undefined
    this.locked = undefined
    this.key = undefined
    this.problem = ''
  }
}

/** The browser has deleted the person's key: only its file brings them back. */
function isKeyless(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'bad_key'
}

declare global {
  interface HTMLElementTagNameMap {
    'sotto-app': ChatApp
  }
}
