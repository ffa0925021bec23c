import type { MessageId, RoomId } from '../../web/chat/model.ts'
import { assert } from './suite.ts'

/**
 * What clients saw in a run, written down as it happened (THREATS C.2): the judgement is made from
 * this alone. Members are those who were there from the beginning; guests came in later.
 */
export class Ledger {
  readonly #sent = new Map<RoomId, Map<string, MessageId[]>>()
  readonly #acked = new Map<RoomId, Set<MessageId>>()
  /** By room and name, in the order in which each was shown first. */
  readonly #shown = new Map<string, Set<MessageId>>()

  /** Typed, and safely stored at the sender. */
  sent(room: RoomId, name: string, id: MessageId): void {
    const senders = this.#sent.get(room) ?? new Map<string, MessageId[]>()
    this.#sent.set(room, senders.set(name, [...(senders.get(name) ?? []), id]))
  }

  acked(room: RoomId, id: MessageId): void {
    this.#acked.set(room, (this.#acked.get(room) ?? new Set()).add(id))
  }

  shown(room: RoomId, name: string, id: MessageId): void {
    this.shownTo(room, name).add(id)
  }

  shownTo(room: RoomId, name: string): Set<MessageId> {
    const key = `${room} ${name}`
    const known = this.#shown.get(key) ?? new Set()
    this.#shown.set(key, known)
    return known
  }

  isAcked(room: RoomId, id: MessageId): boolean {
    return this.#acked.get(room)?.has(id) ?? false
  }

  get count(): { readonly sent: number; readonly acked: number } {
    let sent = 0
    let acked = 0
    for (const senders of this.#sent.values())
      for (const ids of senders.values()) sent += ids.length
    for (const ids of this.#acked.values()) acked += ids.size
    return { sent, acked }
  }

  /** Everything that anybody is known to have typed, seen or had acknowledged. */
  known(room: RoomId, names: readonly string[]): Set<MessageId> {
    const all = new Set(this.#acked.get(room))
    for (const name of names) for (const id of this.shownTo(room, name)) all.add(id)
    for (const ids of this.#sent.get(room)?.values() ?? []) for (const id of ids) all.add(id)
    return all
  }

  /**
   * At a moment when nothing is on its way, with `orders` on the screens: I1, I2 and I3 hold, each
   * sender's own are all there in the order of typing, and nothing that was ever shown is gone or
   * has changed its place. `guests` came in later: for each, how many messages its screen says were
   * written before that.
   */
  judge(
    room: RoomId,
    orders: ReadonlyMap<string, readonly MessageId[]>,
    guests: ReadonlyMap<string, number>,
    about: string,
  ): void {
    const members = [...orders].filter(([name]) => !guests.has(name))
    const reference = members[0]?.[1] ?? []
    for (const [name, order] of orders) {
      assert.equal(new Set(order).size, order.length, `I2, ${about}: shown twice to ${name}`)
      const guest = guests.get(name)
      const expected = guest === undefined ? reference : since(reference, order, guest)
      same(order, expected, `I3, ${about}: ${name} has another order`)
      const before = [...this.shownTo(room, name)]
      const present = new Set(before)
      const still = order.filter((id) => present.has(id))
      same(still, before, `I3, ${about}: what ${name} was shown before has changed`)
    }
    const there = new Set(reference)
    const lost = [...(this.#acked.get(room) ?? [])].filter((id) => !there.has(id))
    same(lost, [], `I1, ${about}: acknowledged and not shown`)
    for (const [name, ids] of this.#sent.get(room) ?? []) {
      const typed = new Set(ids)
      const own = reference.filter((id) => typed.has(id))
      same(own, ids, `I1, ${about}: what ${name} typed is not all there in order`)
    }
  }
}

/**
 * What a guest has to see: everything from its first message on, but for those (so many) of which
 * its own screen says that they were written before it came in. They stand at the beginning.
 */
function since(
  list: readonly MessageId[],
  order: readonly MessageId[],
  before: number,
): readonly MessageId[] {
  const [first] = order
  if (first === undefined) return []
  const all = list.slice(Math.max(0, list.indexOf(first)))
  const seen = new Set(order)
  const missing = all.filter((id) => !seen.has(id))
  return missing.length <= before ? all.filter((id) => seen.has(id)) : all
}

/** Says where two orders begin to differ: both may have thousands of entries. */
function same(seen: readonly MessageId[], expected: readonly MessageId[], about: string): void {
  const at = seen.findIndex((id, i) => id !== expected[i])
  if (at === -1 && seen.length === expected.length) return
  const where = at === -1 ? seen.length : at
  const missing = expected.flatMap((id, i) => (seen.includes(id) ? [] : [i]))
  assert.fail(
    `${about}: ${seen.length} of ${expected.length}, another one at ${where}, missing: ${missing}`,
  )
}
