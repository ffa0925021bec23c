import type { ChatModel, MessageView, RoomView } from '../../web/chat/model.ts'
import { harmless, harmlessLines } from './harmless.ts'
import { lineOf, said } from './wording.ts'

/** Old messages that are shown at the start. */
const LOOK_BACK = 20

/** What a terminal says of conversations: what is new in each, what failed, what keeps it from use. */
export class RoomLines {
  readonly #chat: Pick<ChatModel, 'timeline'>
  readonly #print: (line: string) => void
  /** How much of each room's timeline has been printed. */
  readonly #printed = new Map<string, number>()
  readonly #printing = new Map<string, Promise<void>>()
  /** Messages that failed and were told of. */
  readonly #failures = new Set<string>()
  /** What was last said about each room's state. */
  readonly #states = new Map<string, string>()

  constructor(chat: Pick<ChatModel, 'timeline'>, print: (line: string) => void) {
    this.#chat = chat
    this.#print = print
  }

  /** Prints what has got its final place since; one room's lines never overtake each other. */
  show(room: RoomView): void {
    const before = this.#printing.get(room.room) ?? Promise.resolve()
    this.#printing.set(
      room.room,
      before.then(() => this.#show(room)).catch((error) => this.#print(said(error))),
    )
  }

  /** Resolves when all that was to be said so far has been. */
  async settled(): Promise<void> {
    await Promise.all(this.#printing.values())
  }

  async #show(view: RoomView): Promise<void> {
    const { room, kind, title, length, outgoing = 0 } = view
    const place = kind === 'lobby' ? '' : `[private, ${harmless(title)}] `
    const settled = length - outgoing
    const from = this.#printed.get(room) ?? Math.max(0, settled - LOOK_BACK)
    if (settled > from) {
      this.#printed.set(room, settled)
      for (const item of await this.#chat.timeline(room, from, settled))
        this.#print(place + lineOf(item))
    }
    this.#showState(place, view)
    for (const { id, text, reason, final } of await failedIn(this.#chat, view)) {
      if (this.#failures.has(id)) continue
      this.#failures.add(id)
      this.#print(`${place}! Not sent: ${harmlessLines(text)}`)
      const ways = final ? '/discard' : '/retry or /discard'
      this.#print(`!   ${harmless(reason)} ${ways}?`)
    }
  }

  /** Says what keeps a room from being used, and when that is over. */
  #showState(place: string, { room, phase, text }: RoomView): void {
    const before = this.#states.get(room) ?? ''
    const now = phase === 'stopped' || phase === 'repairing' ? text : ''
    if (now === before) return
    this.#states.set(room, now)
    this.#print(`${place}* ${now === '' ? 'This conversation goes on.' : harmless(now)}`)
  }
}

/** Messages of a room that nothing becomes of before the person decides. */
export async function failedIn(
  chat: Pick<ChatModel, 'timeline'>,
  { room, length, outgoing = 0, failed = 0 }: RoomView,
): Promise<MessageView[]> {
  if (failed === 0) return []
  const items = await chat.timeline(room, length - outgoing, length)
  return items.filter((item) => item.kind === 'text').filter(({ state }) => state === 'failed')
}
