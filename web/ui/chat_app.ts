import type { ChatModel, ChatState, Notice, RoomId, RoomView } from '../chat/model.ts'
import { Depth } from './depth.ts'
import type { Door, Entered, Locked, Making, ProfileView } from './door.ts'
import { SottoElement } from './element.ts'
import {
  ConnectionEvent,
  DeletePersonEvent,
  DraftEvent,
  EndConversationEvent,
  EnterEvent,
  FailedMessageEvent,
  ForgetEvent,
  HistoryEvent,
  LockEvent,
  NoticeEvent,
  OpenPrivateEvent,
  PanelEvent,
  type PanelName,
  SeenEvent,
  SelectRoomEvent,
  SendEvent,
  ShowListEvent,
  ShowMessageEvent,
  SomebodyElseEvent,
  StartEvent,
  VerifyEvent,
} from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import './welcome_screen.ts'

/** Runs `work` when what was rendered is on the screen and the page has nothing better to do. */
function afterPaint(work: () => void): void {
  // The second frame begins when the first is drawn; Safari does not say when it is idle.
  const idle = 'requestIdleCallback' in globalThis ? requestIdleCallback : setTimeout
  requestAnimationFrame(() => requestAnimationFrame(() => idle(work)))
}

/**
 * The whole page. It alone acts on what the other elements ask for, and it alone speaks to the
 * model. The chat's own elements are loaded once the first screen has been drawn.
 */
@customElement('sotto-app')
export class ChatApp extends SottoElement {
  @property door: Door | undefined
  @state private entered: Entered | undefined
  @state private locked: Locked | undefined
  @state private unlocking = false
  @state private keyless = ''
  @state private ready = false
  @state private profiles: readonly ProfileView[] = []
  @state private making: Making | undefined
  /** What stands in the name's box to begin with. */
  @state private name = ''
  @state private problem = ''
  @state private lost = ''
  @state private selected: RoomId | undefined
  @state private showsList = false
  @state private panel: PanelName | undefined
  @state private opening: Opening | undefined
  /** Blocking notices that the person has put aside to read what is here. */
  @state private aside: ReadonlySet<string> = new Set()

  #drafts = new Map<RoomId, string>()
  /** One thing at a time is on the screen: the same width as in the styles. */
  readonly #narrow = matchMedia('(max-width: 760px)')
  readonly #history = new Depth((depth) => this.#moveTo(depth))
  readonly #onChange = (): void => {
    this.requestUpdate()
    const { connection, rooms } = this.#model?.state ?? { rooms: [] }
    if (rooms.length === 0 && connection?.phase === 'offline' && connection.refused)
      void this.#attempt(() => this.#turnAway(connection.text))
  }
  readonly #onBack = (): void => void this.#listProfiles()

  constructor() {
    super()
    const on = <E extends Event>(type: string, act: (event: E) => unknown): void =>
      this.addEventListener(type, (event) => void this.#attempt(() => act(event as E)))
    on<StartEvent>(StartEvent.type, (event) => this.#start(event))
    on<EnterEvent>(EnterEvent.type, (event) => this.#enter(event))
    on(SomebodyElseEvent.type, () => this.#goOut())
    on(DeletePersonEvent.type, () => this.#deletePerson())
    on<ForgetEvent>(ForgetEvent.type, ({ profile }) => this.#forgetPerson(profile))
    on(LockEvent.type, () => this.entered?.lockNow())
    on<SelectRoomEvent>(SelectRoomEvent.type, ({ room }) => this.#select(room))
    on(ShowListEvent.type, () => this.#showList())
    on<PanelEvent>(PanelEvent.type, ({ panel }) => this.#openPanel(panel))
    on<DraftEvent>(DraftEvent.type, ({ room, text }) => this.#setDraft(room, text))
    on<SendEvent>(SendEvent.type, ({ room, text }) => this.#send(room, text))
    on<OpenPrivateEvent>(OpenPrivateEvent.type, (event) => this.#openPrivate(event))
    on<VerifyEvent>(VerifyEvent.type, ({ user }) => this.#model?.verifyPerson(user))
    on<SeenEvent>(SeenEvent.type, ({ room }) => this.#model?.markRead(room))
    on<FailedMessageEvent>(FailedMessageEvent.type, ({ room, id, what }) =>
      what === 'retry' ? this.#model?.retry(room, id) : this.#model?.discard(room, id),
    )
    on<EndConversationEvent>(EndConversationEvent.type, ({ room }) => this.#model?.leave(room))
    on<ConnectionEvent>(ConnectionEvent.type, ({ what }) => this.#connection(what))
    on<ShowMessageEvent>(ShowMessageEvent.type, (event) => this.#showMessage(event))
    on<HistoryEvent>(HistoryEvent.type, ({ room, what }) =>
      what === 'wipe'
        ? this.#model?.wipeHistory(room)
        : this.#model?.setHistory(room, what === 'keep'),
    )
    on<NoticeEvent>(NoticeEvent.type, (event) => this.#decide(event))
  }

  override connectedCallback(): void {
    super.connectedCallback()
    // Another tab may have come or gone while this one was in the background.
    document.addEventListener('visibilitychange', this.#onBack)
    this.#history.listen()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    document.removeEventListener('visibilitychange', this.#onBack)
    this.#history.stop()
    this.#model?.removeEventListener('change', this.#onChange)
  }

  protected override firstUpdated(): void {
    void this.#attempt(async () => {
      const entered = await this.door?.resume()
      if (entered) await this.#become(entered)
    })
      .then(() => this.#listProfiles())
      .then(() => {
        this.ready = true
        return this.updateComplete
      })
      // The rest of the page comes while the person looks at this; if it can't, entering says so.
      .then(() => afterPaint(() => import('./chat_screen.ts').catch(() => undefined)))
  }

  override render(): Html | typeof nothing {
    const { entered } = this
    if (entered === undefined) return this.ready ? this.#renderWelcome() : nothing
    const { state } = entered.model
    const room = this.#room(state)
    const blocking = state.notices.find(({ id, blocking }) => blocking && !this.aside.has(id))
    return html`
      <chat-screen .state=${state} .model=${entered.model} .room=${room} .showsList=${this.showsList}
        .aside=${this.aside} .draft=${room === undefined ? '' : this.#draft(room.room)} .problem=${this.problem}></chat-screen>
      ${blocking ? renderBlocking(blocking) : this.#renderDialog(entered, state)}
    `
  }

  protected override updated(): void {
    const rooms = this.entered?.model.state.rooms ?? []
    const unread = rooms.reduce((sum, room) => sum + room.unread, 0)
    // The title shows in task lists and histories: a number, never a name.
    document.title = unread > 0 ? `(${unread}) Sotto` : 'Sotto'
    if (this.ready && this.#narrow.matches) this.#history.set(this.#depth)
  }

  /** Of the list, a conversation, and a panel over either. */
  get #depth(): number {
    if (this.entered === undefined) return 0
    return Number(!this.showsList) + Number(this.panel !== undefined)
  }

  /** Where the browser's own Back and Forward lead. */
  #moveTo(depth = this.#depth): void {
    if (depth < this.#depth && this.panel !== undefined) {
      // Closed before it goes, it gives the keyboard back.
      this.querySelector<HTMLDialogElement>('dialog.panel')?.close()
      this.panel = undefined
    }
    if (depth < this.#depth) this.#showList()
    else if (depth > this.#depth) this.showsList = false
    this.requestUpdate()
  }

  get #model(): Entered['model'] | undefined {
    return this.entered?.model
  }

  /** The conversation on the screen: the chosen one while it is there, else the lobby. */
  #room({ rooms }: ChatState): RoomView | undefined {
    if (this.opening !== undefined && this.opening.view.room === this.selected)
      return this.opening.view
    return rooms.find(({ room }) => room === this.selected) ?? rooms[0]
  }

  #renderWelcome(): Html {
    return html`<welcome-screen .door=${this.door} .profiles=${this.profiles} .making=${this.making}
      .problem=${this.problem} .lost=${this.lost} .locked=${this.locked} .unlocking=${this.unlocking}
      .keyless=${this.keyless} .typed=${this.name}></welcome-screen>`
  }

  #renderDialog({ model, keeper, lock }: Entered, state: ChatState): Html | typeof nothing {
    if (state.connection.phase === 'admission')
      return html`<admission-dialog .admission=${state.connection} .endpoint=${state.endpoint} .admit=${model.admit.bind(model)}></admission-dialog>`
    if (this.panel === 'identity')
      return html`<identity-panel .me=${state.me} .keeper=${keeper} .door=${this.door} .model=${model} .lock=${lock}
        .online=${state.connection.phase === 'online'}></identity-panel>`
    if (this.panel === 'handshake')
      return html`<handshake-view .handshake=${state.handshake} .endpoint=${state.endpoint}></handshake-view>`
    if (this.panel === 'search')
      return html`<search-panel .model=${model} .rooms=${state.rooms}></search-panel>`
    return nothing
  }

  /** What goes wrong is said on the screen: under the composer, or on the first screen. */
  async #attempt(work: () => unknown): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.problem = error instanceof Error ? error.message : 'That did not work.'
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
      await import('./unlock_form.ts')
      this.locked = entered
      return
    }
    await Promise.all([import('./chat_screen.ts'), import('./panels.ts')])
    this.lost = ''
    this.name = ''
    this.problem = ''
    this.locked = undefined
    this.keyless = ''
    this.entered = entered
    entered.model.addEventListener('change', this.#onChange)
    void entered.lost.then(() => this.#lose(entered))
  }

  /** Who was never in any conversation has nothing here: back to the first screen. */
  async #turnAway(why: string): Promise<void> {
    const { entered } = this
    if (entered === undefined) return
    const { user, backedUp } = entered.model.state.me
    this.#forget()
    this.name = user
    this.problem = why
    await entered.leave()
    if (entered.made && !backedUp) await entered.keeper.destroy()
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
    this.#model?.removeEventListener('change', this.#onChange)
    this.entered = undefined
    this.locked = undefined
    this.problem = ''
    this.selected = undefined
    this.panel = undefined
    this.opening = undefined
    this.aside = new Set()
    this.showsList = false
    this.#drafts = new Map()
  }

  #select(room: RoomId): void {
    this.selected = room
    this.showsList = false
    this.problem = ''
    void this.updateComplete.then(() => this.#focusBox())
  }

  async #showMessage({ hit }: ShowMessageEvent): Promise<void> {
    this.selected = hit.room
    this.showsList = false
    this.panel = undefined
    await this.updateComplete
    this.querySelector('chat-screen')?.show(hit)
  }

  #connection(what: ConnectionEvent['what']): unknown {
    // What was put aside is still undecided, and without a decision there is no connection.
    this.aside = new Set()
    return what === 'leave' ? this.#model?.disconnect() : this.#model?.connect()
  }

  #decide({ notice: id, choice }: NoticeEvent): unknown {
    if (choice === undefined) return this.#model?.dismiss(id)
    const notice = this.#model?.state.notices.find((one) => one.id === id)
    const harmless = notice?.choices.some((one) => one.choice === choice && !one.danger)
    this.aside = new Set(notice?.blocking && harmless ? [...this.aside, id] : [])
    return this.#model?.decide(id, choice)
  }

  #showList(): void {
    this.showsList = true
    void this.updateComplete.then(() =>
      this.querySelector<HTMLElement>('room-list [aria-current=true]')?.focus(),
    )
  }

  #openPanel(panel: PanelName | undefined): void {
    this.panel = panel
  }

  /** What was typed before the page was loaded is the model's to know. */
  #draft(room: RoomId): string {
    return this.#drafts.get(room) ?? this.#model?.draft(room) ?? ''
  }

  #setDraft(room: RoomId, text: string): void {
    this.#drafts.set(room, text)
    if (room !== this.opening?.view.room) this.#model?.setDraft(room, text)
    this.problem = ''
    this.requestUpdate()
  }

  async #send(room: RoomId, text: string): Promise<void> {
    this.querySelector('chat-screen')?.followNewest()
    try {
      const { opening } = this
      const to = opening?.view.room === room ? await opening.room : room
      await this.#model?.send(to, text)
    } catch (error) {
      // Nothing that was typed may be lost.
      if (this.#draft(room) === '') this.#setDraft(room, text)
      throw error
    }
  }

  async #openPrivate({ user, text }: OpenPrivateEvent): Promise<void> {
    const model = this.#model
    if (model === undefined) return
    this.problem = ''
    const here = this.#room(model.state)
    const from = here?.room
    const known = model.state.people.find((person) => person.user === user)?.room
    if (known !== undefined) {
      this.#select(known)
      return text === '' ? undefined : this.#send(known, text)
    }
    // The screen changes at once: what is typed from now on is meant for this person alone.
    const opening = opened(model, user)
    this.opening = opening
    // What was typed when the last one was ended may still be said.
    if (here?.phase === 'gone' && here.title === user)
      this.#setDraft(opening.view.room, this.#draft(here.room))
    this.#select(opening.view.room)
    try {
      if (text !== '') void this.#attempt(() => this.#send(opening.view.room, text))
      this.#goOn(opening, await opening.room)
    } catch (error) {
      this.#goBack(opening, from, text)
      throw error
    }
  }

  /** The conversation is there: the screen goes on with it, and with what has been typed. */
  #goOn({ view: { room } }: Opening, real: RoomId): void {
    this.#setDraft(real, this.#drafts.get(room) ?? '')
    if (this.selected === room) this.selected = real
    if (this.opening?.view.room === room) this.opening = undefined
  }

  /** There is no such conversation. What was meant for one person never stands open to others. */
  #goBack({ user, view: { room } }: Opening, from: RoomId | undefined, text: string): void {
    const typed = text || this.#drafts.get(room)
    if (this.opening?.view.room === room) this.opening = undefined
    if (this.selected === room) this.selected = from
    if (from !== undefined && typed) this.#setDraft(from, `/pm ${user} ${typed}`)
  }

  #focusBox(): void {
    this.querySelector('chat-screen')?.focusBox()
  }
}

/** A private conversation that the endpoint has been asked for. */
interface Opening {
  readonly user: string
  readonly room: Promise<RoomId>
  /** What stands on the screen meanwhile. */
  readonly view: RoomView
}

function opened(model: ChatModel, user: string): Opening {
  const view: RoomView = {
    room: `opening ${user}` as RoomId,
    kind: 'private',
    title: user,
    readers: [],
    phase: 'joining',
    text: `Opening a private conversation with ${user}…`,
    unread: 0,
    lastActivity: 0,
    length: 0,
    keepsHistory: true,
    crypto: '',
  }
  return { user, room: model.openPrivate(user), view }
}

/** The browser has deleted the person's key: only its file brings them back. */
function isKeyless(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'bad_key'
}

function renderBlocking(notice: Notice): Html {
  return html`<notice-dialog .notice=${notice}></notice-dialog>`
}

declare global {
  interface HTMLElementTagNameMap {
    'sotto-app': ChatApp
  }
}
