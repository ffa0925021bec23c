import { type Chat, MAX_TEXT } from '../../web/chat/chat.ts'
import type { MessageId, RoomId } from '../../web/chat/model.ts'
import { messages } from './peers.ts'
import { assert } from './suite.ts'

/** What clients saw in a run, written down as it happened (THREATS C.2). */
export interface Record {
  /** In the order in which each sender typed them. */
  readonly sent: Map<string, MessageId[]>
  readonly acked: Set<MessageId>
  /** By member: everything shown at the end, in order. */
  readonly shown: Map<string, readonly { readonly id: MessageId; readonly from: string }[]>
}

/**
 * Keeps the record of one room over a run, whatever happens to processes meanwhile, and judges it
 * at the end by the record alone.
 */
export class Checker {
  readonly record: Record = { sent: new Map(), acked: new Set(), shown: new Map() }
  readonly #room: RoomId

  constructor(room: RoomId) {
    this.#room = room
  }

  /** Types one message and notes it once it is safely stored. */
  async send(name: string, chat: Chat, text: string): Promise<void> {
    if (text.length > MAX_TEXT) throw new RangeError('too long for a message')
    const id = await chat.send(this.#room, text)
    this.record.sent.set(name, [...(this.record.sent.get(name) ?? []), id])
  }

  /** Notes what this chat says is sent, from now on. */
  watch(chat: Chat): void {
    const look = async (): Promise<void> => {
      const view = chat.state.rooms.find(({ room }) => room === this.#room)
      const length = view?.length ?? 0
      const outgoing = view?.outgoing ?? 0
      for (const item of await chat.timeline(this.#room, length - outgoing, length))
        if (item.kind === 'text' && item.state === 'sent') this.record.acked.add(item.id)
    }
    chat.addEventListener('change', () => void look())
  }

  /** Notes what a member has on its screen at the end. */
  async drain(name: string, chat: Chat): Promise<void> {
    this.record.shown.set(name, await messages(chat, this.#room))
  }

  /** How many messages were typed. */
  get count(): number {
    return [...this.record.sent.values()].reduce((sum, ids) => sum + ids.length, 0)
  }

  /** Nothing acknowledged lost (I1), nothing twice (I2), one order (I3), each sender's own kept. */
  judge(about: string): void {
    const { sent, acked, shown } = this.record
    const orders = [...shown].map(([name, list]) => [name, list.map(({ id }) => id)] as const)
    const reference = orders[0]?.[1] ?? []
    for (const [name, order] of orders) {
      assert.equal(new Set(order).size, order.length, `${about}: shown twice to ${name}`)
      const lost = [...acked].filter((id) => !order.includes(id))
      assert.deepEqual(lost, [], `${about}: acknowledged and not shown to ${name}`)
      assert.deepEqual(order, reference, `${about}: another order for ${name}`)
    }
    for (const [name, ids] of sent) {
      const own = reference.filter((id) => ids.includes(id))
      assert.deepEqual(own, ids, `${about}: what ${name} typed is not all there in order`)
    }
  }
}
