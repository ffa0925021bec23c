import { randomInt } from 'node:crypto'
import type { Bytes } from '../../web/protocol/bytes.ts'
import type { Carrier, Wire } from './wire.ts'

const MOST_TOPIC = 2 ** 32

/**
 * Which carriers have subscribers of which topic: a cast leaves once per relay, whatever the
 * number of tabs behind it. Topic numbers are random: they tell a relay nothing of rooms.
 */
export class Topics {
  readonly #carriers = new Map<number, Map<Carrier, number>>()

  /** A number that no other topic has. */
  create(): number {
    for (;;) {
      const topic = randomInt(MOST_TOPIC)
      if (this.#carriers.has(topic)) continue
      this.#carriers.set(topic, new Map())
      return topic
    }
  }

  drop(topic: number): void {
    this.#carriers.delete(topic)
  }

  subscribe(topic: number, wire: Wire): void {
    const carriers = this.#carriers.get(topic)
    if (carriers === undefined) return
    carriers.set(wire.carrier, (carriers.get(wire.carrier) ?? 0) + 1)
    wire.subscribe(topic)
  }

  unsubscribe(topic: number, wire: Wire): void {
    const carriers = this.#carriers.get(topic)
    const count = carriers?.get(wire.carrier)
    if (carriers === undefined || count === undefined) return
    if (count > 1) carriers.set(wire.carrier, count - 1)
    else carriers.delete(wire.carrier)
    wire.unsubscribe(topic)
  }

  publish(topic: number, frame: Bytes): void {
    for (const carrier of this.#carriers.get(topic)?.keys() ?? []) carrier.cast(topic, frame)
  }
}
