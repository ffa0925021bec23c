/**
 * What elements ask for. They bubble up to the app element, which alone acts on them and on the
 * model; what changes comes down again as properties.
 */
import type { MessageId, RoomId, SearchHit } from '../chat/model.ts'
import type { KeyFile } from './door.ts'

export type PanelName = 'identity' | 'handshake' | 'search'

class Ask extends Event {
  constructor(type: string) {
    super(type, { bubbles: true, composed: true })
  }
}

/** A new person, with a new key or the one of a file. */
export class StartEvent extends Ask {
  static readonly type = 'sotto-start'
  readonly name: string
  readonly key: KeyFile | undefined
  constructor(name: string, key?: KeyFile) {
    super(StartEvent.type)
    this.name = name
    this.key = key
  }
}

/** Somebody new types another name: what was said of the last one goes. */
export class TypeNameEvent extends Ask {
  static readonly type = 'sotto-type-name'
  constructor() {
    super(TypeNameEvent.type)
  }
}

/** The key that somebody new is to have: the one of a file, or undefined for one yet to be made. */
export class ChooseKeyEvent extends Ask {
  static readonly type = 'sotto-choose-key'
  readonly key: KeyFile | undefined
  constructor(key?: KeyFile) {
    super(ChooseKeyEvent.type)
    this.key = key
  }
}

/** A person whom this browser already knows. */
export class EnterEvent extends Ask {
  static readonly type = 'sotto-enter'
  readonly profile: string
  readonly takeOver: boolean
  /** Of the app lock. */
  readonly passphrase: string | undefined
  constructor(profile: string, takeOver: boolean, passphrase?: string) {
    super(EnterEvent.type)
    this.profile = profile
    this.takeOver = takeOver
    this.passphrase = passphrase
  }
}

/** Off the list with a person of whom the browser has deleted everything. */
export class ForgetEvent extends Ask {
  static readonly type = 'sotto-forget'
  readonly profile: string
  constructor(profile: string) {
    super(ForgetEvent.type)
    this.profile = profile
  }
}

/** The app lock is to close now. */
export class LockEvent extends Ask {
  static readonly type = 'sotto-lock'
  constructor() {
    super(LockEvent.type)
  }
}

/** Back to the first screen, to be somebody else. */
export class SomebodyElseEvent extends Ask {
  static readonly type = 'sotto-somebody-else'
  constructor() {
    super(SomebodyElseEvent.type)
  }
}

export class SelectRoomEvent extends Ask {
  static readonly type = 'sotto-select-room'
  readonly room: RoomId
  constructor(room: RoomId) {
    super(SelectRoomEvent.type)
    this.room = room
  }
}

/** The person has compared this one's fingerprint with them, or not after all. */
export class VerifyEvent extends Ask {
  static readonly type = 'sotto-verify'
  readonly user: string
  readonly verified: boolean
  constructor(user: string, verified: boolean) {
    super(VerifyEvent.type)
    this.user = user
    this.verified = verified
  }
}

/** On a narrow screen: from the conversation back to the list. */
export class ShowListEvent extends Ask {
  static readonly type = 'sotto-show-list'
  constructor() {
    super(ShowListEvent.type)
  }
}

/** What is being saved as text is not wanted any more. */
export class CancelSavingEvent extends Ask {
  static readonly type = 'sotto-cancel-saving'
  constructor() {
    super(CancelSavingEvent.type)
  }
}

/** The private conversation with a person; `text`, if any, is sent there. */
export class OpenPrivateEvent extends Ask {
  static readonly type = 'sotto-open-private'
  readonly user: string
  readonly text: string
  constructor(user: string, text = '') {
    super(OpenPrivateEvent.type)
    this.user = user
    this.text = text
  }
}

export class SendEvent extends Ask {
  static readonly type = 'sotto-send'
  readonly room: RoomId
  readonly text: string
  constructor(room: RoomId, text: string) {
    super(SendEvent.type)
    this.room = room
    this.text = text
  }
}

export class DraftEvent extends Ask {
  static readonly type = 'sotto-draft'
  readonly room: RoomId
  readonly text: string
  constructor(room: RoomId, text: string) {
    super(DraftEvent.type)
    this.room = room
    this.text = text
  }
}

/** For a message that could not be sent, or not yet. */
export class UnsentMessageEvent extends Ask {
  static readonly type = 'sotto-unsent-message'
  readonly room: RoomId
  readonly id: MessageId
  readonly what: 'retry' | 'discard'
  constructor(room: RoomId, id: MessageId, what: 'retry' | 'discard') {
    super(UnsentMessageEvent.type)
    this.room = room
    this.id = id
    this.what = what
  }
}

/** The newest message of the room is on the screen. */
export class SeenEvent extends Ask {
  static readonly type = 'sotto-seen'
  readonly room: RoomId
  constructor(room: RoomId) {
    super(SeenEvent.type)
    this.room = room
  }
}

export class EndConversationEvent extends Ask {
  static readonly type = 'sotto-end-conversation'
  readonly room: RoomId
  constructor(room: RoomId) {
    super(EndConversationEvent.type)
    this.room = room
  }
}

/** A conversation that is over is to go from the list, and from this device. */
export class RemoveRoomEvent extends Ask {
  static readonly type = 'sotto-remove-room'
  readonly room: RoomId
  constructor(room: RoomId) {
    super(RemoveRoomEvent.type)
    this.room = room
  }
}

export class ConnectionEvent extends Ask {
  static readonly type = 'sotto-connection'
  readonly what: 'leave' | 'reconnect'
  constructor(what: 'leave' | 'reconnect') {
    super(ConnectionEvent.type)
    this.what = what
  }
}

export class PanelEvent extends Ask {
  static readonly type = 'sotto-panel'
  /** undefined closes the one that is open. */
  readonly panel: PanelName | undefined
  constructor(panel: PanelName | undefined) {
    super(PanelEvent.type)
    this.panel = panel
  }
}

/** `choice` undefined dismisses; otherwise it decides a blocking notice. */
export class NoticeEvent extends Ask {
  static readonly type = 'sotto-notice'
  readonly notice: string
  readonly choice: string | undefined
  constructor(notice: string, choice?: string) {
    super(NoticeEvent.type)
    this.notice = notice
    this.choice = choice
  }
}

/** A message that was found is to be seen where it stands. */
export class ShowMessageEvent extends Ask {
  static readonly type = 'sotto-show-message'
  readonly hit: SearchHit
  constructor(hit: SearchHit) {
    super(ShowMessageEvent.type)
    this.hit = hit
  }
}

/** What this device keeps of a conversation; `save`: a copy of it as a file. */
export class HistoryEvent extends Ask {
  static readonly type = 'sotto-history'
  readonly room: RoomId
  readonly what: 'keep' | 'forget' | 'save' | 'wipe'
  constructor(room: RoomId, what: HistoryEvent['what']) {
    super(HistoryEvent.type)
    this.room = room
    this.what = what
  }
}

/** The person and all that this browser keeps of them are to go. */
export class DeletePersonEvent extends Ask {
  static readonly type = 'sotto-delete-person'
  constructor() {
    super(DeletePersonEvent.type)
  }
}

declare global {
  interface HTMLElementEventMap {
    'sotto-start': StartEvent
    'sotto-type-name': TypeNameEvent
    'sotto-choose-key': ChooseKeyEvent
    'sotto-enter': EnterEvent
    'sotto-forget': ForgetEvent
    'sotto-lock': LockEvent
    'sotto-somebody-else': SomebodyElseEvent
    'sotto-select-room': SelectRoomEvent
    'sotto-show-list': ShowListEvent
    'sotto-cancel-saving': CancelSavingEvent
    'sotto-verify': VerifyEvent
    'sotto-open-private': OpenPrivateEvent
    'sotto-send': SendEvent
    'sotto-draft': DraftEvent
    'sotto-unsent-message': UnsentMessageEvent
    'sotto-seen': SeenEvent
    'sotto-end-conversation': EndConversationEvent
    'sotto-remove-room': RemoveRoomEvent
    'sotto-connection': ConnectionEvent
    'sotto-panel': PanelEvent
    'sotto-notice': NoticeEvent
    'sotto-show-message': ShowMessageEvent
    'sotto-history': HistoryEvent
    'sotto-delete-person': DeletePersonEvent
  }
}
