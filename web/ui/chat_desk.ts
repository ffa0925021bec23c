import type { ChatModel, ChatState, Notice, RoomId, RoomView } from '../chat/model.ts'
import type { Depth } from './depth.ts'
import type { Door, Entered } from './door.ts'
import { SottoElement } from './element.ts'
import {
  CancelSavingEvent,
  ConnectionEvent,
  DraftEvent,
  EndConversationEvent,
  HistoryEvent,
  NoticeEvent,
  OpenPrivateEvent,
  PanelEvent,
  type PanelName,
  RemoveRoomEvent,
  SeenEvent,
  SelectRoomEvent,
  SendEvent,
  ShowListEvent,
  ShowMessageEvent,
  UnsentMessageEvent,
  VerifyEvent,
} from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import './chat_screen.ts'
import { download, fileName } from './download.ts'
import { transcript } from './transcript.ts'
import { said } from './words.ts'

/**
 * The chat of somebody who is in. It alone acts on what the elements in it ask for, and it alone
 * speaks to the model: which conversation is on the screen, what lies over it, what is typed.
 */
@customElement('chat-desk')
export class ChatDesk extends SottoElement {
  @property entered: Entered | undefined
  @property door: Door | undefined
  @property depth: Depth | undefined
  /** What went wrong with coming and going. */
  @property outside = ''
  @state private problem = ''
  @state private selected: RoomId | undefined
  @state private showsList = false
  @state private panel: PanelName | undefined
  @state private opening: Opening | undefined
  /** Blocking notices that the person has put aside to read what is here. */
  @state private aside: ReadonlySet<string> = new Set()
  /** How much of a conversation that is being saved is read, of 1; undefined while there is none. */
  @state private saved: number | undefined

  #saving: AbortController | undefined
  readonly #drafts = new Map<RoomId, string>()
  /** One thing at a time is on the screen: the same width as in the styles. */
  readonly #narrow = matchMedia('(max-width: 760px)')
  readonly #onChange = (): void => this.requestUpdate()

  constructor() {
    super()
    const on = <E extends Event>(type: string, act: (event: E) => unknown): void =>
      this.addEventListener(type, (event) => void this.#attempt(() => act(event as E)))
    on<SelectRoomEvent>(SelectRoomEvent.type, ({ room }) => this.#select(room))
    on(ShowListEvent.type, () => this.#showList())
    on<PanelEvent>(PanelEvent.type, ({ panel }) => this.#openPanel(panel))
    on<DraftEvent>(DraftEvent.type, ({ room, text }) => this.#setDraft(room, text))
    on<SendEvent>(SendEvent.type, ({ room, text }) => this.#send(room, text))
    on<OpenPrivateEvent>(OpenPrivateEvent.type, (event) => this.#openPrivate(event))
    on<VerifyEvent>(VerifyEvent.type, ({ user, verified }) =>
      this.#model?.verifyPerson(user, verified),
    )
    on<SeenEvent>(SeenEvent.type, ({ room }) => this.#model?.markRead(room))
    on<UnsentMessageEvent>(UnsentMessageEvent.type, (event) => this.#settle(event))
    on<EndConversationEvent>(EndConversationEvent.type, ({ room }) => this.#model?.leave(room))
    on<RemoveRoomEvent>(RemoveRoomEvent.type, ({ room }) => this.#removeRoom(room))
    on<ConnectionEvent>(ConnectionEvent.type, ({ what }) => this.#connection(what))
    on<ShowMessageEvent>(ShowMessageEvent.type, (event) => this.#showMessage(event))
    on(CancelSavingEvent.type, () => this.#saving?.abort())
    on<HistoryEvent>(HistoryEvent.type, (event) => this.#keep(event))
    on<NoticeEvent>(NoticeEvent.type, (event) => this.#decide(event))
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#model?.addEventListener('change', this.#onChange)
    if (this.depth) this.depth.moved = (depth) => this.#moveTo(depth)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#model?.removeEventListener('change', this.#onChange)
    if (this.depth) this.depth.moved = () => undefined
    this.#saving?.abort()
    document.title = 'Sotto'
  }

  override render(): Html | typeof nothing {
    const { entered } = this
    if (entered === undefined) return nothing
    const { state } = entered.model
    const room = this.#room(state)
    const blocking = state.notices.find(({ id, blocking }) => blocking && !this.aside.has(id))
    return html`
      <chat-screen .state=${state} .model=${entered.model} .room=${room} .showsList=${this.showsList}
        .aside=${this.aside} .draft=${room === undefined ? '' : this.#draft(room.room)} .problem=${this.problem || this.outside} .saved=${this.saved}></chat-screen>
      ${blocking ? renderBlocking(blocking) : this.#renderDialog(entered, state)}
    `
  }

  protected override updated(): void {
    const rooms = this.#model?.state.rooms ?? []
    const unread = rooms.reduce((sum, room) => sum + room.unread, 0)
    // The title shows in task lists and histories: a number, never a name.
    document.title = unread > 0 ? `(${unread}) Sotto` : 'Sotto'
    if (this.#narrow.matches) this.depth?.set(this.#depth)
  }

  /** Of the list, a conversation, and a panel over either. */
  get #depth(): number {
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

  get #model(): ChatModel | undefined {
    return this.entered?.model
  }

  /** The conversation on the screen: the chosen one while it is there, else the lobby. */
  #room({ rooms }: ChatState): RoomView | undefined {
    if (this.opening !== undefined && this.opening.view.room === this.selected)
      return this.opening.view
    return rooms.find(({ room }) => room === this.selected) ?? rooms[0]
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

  /** What goes wrong is said on the screen, under the composer. */
  async #attempt(work: () => unknown): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.problem = said(error)
    }
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

  async #keep({ room, what }: HistoryEvent): Promise<void> {
    const model = this.#model
    const view = model?.state.rooms.find((one) => one.room === room)
    if (what === 'wipe') await model?.wipeHistory(room)
    else if (what !== 'save') await model?.setHistory(room, what === 'keep')
    else if (model && view && this.#saving === undefined) await this.#save(model, view)
  }

  /** Says how far it has come only where that takes so long that one would ask. */
  async #save(model: ChatModel, view: RoomView): Promise<void> {
    const saving = new AbortController()
    this.#saving = saving
    let said = performance.now()
    try {
      const text = await transcript(model, view, saving.signal, (read) => {
        const now = performance.now()
        if (now - said < SAID_MS) return
        said = now
        this.saved = read
      })
      download(text, fileName(view.title, 'txt'), 'text/plain')
    } catch (error) {
      if (!saving.signal.aborted) throw error
    } finally {
      this.#saving = undefined
      this.saved = undefined
    }
  }

  async #removeRoom(room: RoomId): Promise<void> {
    await this.#model?.remove(room)
    this.#drafts.delete(room)
    this.selected = undefined
    this.#showList()
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
    const known = model.state.people.find((person) => person.user === user)?.room
    if (known !== undefined) {
      if (here) this.#takeAlong(here, user, known)
      this.#select(known)
      return text === '' ? undefined : this.#send(known, text)
    }
    // The screen changes at once: what is typed from now on is meant for this person alone.
    const opening = opened(model, user)
    this.opening = opening
    if (here) this.#takeAlong(here, user, opening.view.room)
    this.#select(opening.view.room)
    try {
      if (text !== '') void this.#attempt(() => this.#send(opening.view.room, text))
      this.#goOn(opening, await opening.room)
    } catch (error) {
      this.#goBack(opening, here, text)
      throw error
    }
  }

  /** What was typed when the last conversation was ended may still be said in the next. */
  #takeAlong({ room, phase, title }: RoomView, user: string, next: RoomId): void {
    const typed = this.#draft(room)
    if (phase !== 'gone' || title !== user || typed === '' || this.#draft(next) !== '') return
    this.#setDraft(next, typed)
    this.#setDraft(room, '')
  }

  /** The conversation is there: the screen goes on with it, and with what has been typed. */
  #goOn({ view: { room } }: Opening, real: RoomId): void {
    this.#setDraft(real, this.#drafts.get(room) ?? '')
    if (this.selected === room) this.selected = real
    if (this.opening?.view.room === room) this.opening = undefined
  }

  /** There is no such conversation. What was meant for one person never stands open to others. */
  #goBack({ user, view: { room } }: Opening, from: RoomView | undefined, text: string): void {
    const typed = text || this.#drafts.get(room)
    if (this.opening?.view.room === room) this.opening = undefined
    if (this.selected === room) this.selected = from?.room
    if (from !== undefined && typed)
      this.#setDraft(from.room, from.phase === 'gone' ? typed : `/pm ${user} ${typed}`)
  }

  async #settle({ room, id, what }: UnsentMessageEvent): Promise<void> {
    await (what === 'retry' ? this.#model?.retry(room, id) : this.#model?.discard(room, id))
    // The button that was pressed is gone.
    this.#focusBox()
  }

  #focusBox(): void {
    this.querySelector('chat-screen')?.focusBox()
  }
}

/** Between two words about how far something has come (ms): as often as one can listen to. */
const SAID_MS = 1_000

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

function renderBlocking(notice: Notice): Html {
  return html`<notice-dialog .notice=${notice}></notice-dialog>`
}

declare global {
  interface HTMLElementTagNameMap {
    'chat-desk': ChatDesk
  }
}
