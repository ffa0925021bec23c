import { type Bytes, hex } from '../protocol/bytes.ts'
import type { Storage } from './storage.ts'
import type { Vault } from './vault.ts'

/** A message of ours that the room's log does not have yet. */
export interface OutboxEntry {
  /** Place in the queue and end of its storage key. */
  readonly n: number
  /** 16 bytes. */
  readonly msgId: Bytes
  readonly text: string
  /** Milliseconds since 1970, when it was typed. */
  readonly at: number
  /** The MLS message once it is sealed: from then on only these bytes are ever sent. */
  readonly sealed: Bytes | null
  /** The stamp of the group state that sealing made: an older one must never seal again. */
  readonly stamp: number
  /** Why it can't be delivered, for people; empty while it still may be. */
  readonly failed: string
}

/**
 * What one room still has to send, in the order in which it was typed, under
 * `outbox/<room>/<number>`. An entry leaves in the same write that puts the message into the
 * history, so that a crash at any instant finds it in exactly one of the two.
 */
export class Outbox {
  readonly #storage: Storage
  readonly #vault: Vault
  readonly #prefix: string
  /** By number, in order: a new one has the highest. */
  readonly #entries: Map<number, OutboxEntry>
  /** Numbers by hex message id: every message of the log is looked for here. */
  readonly #numbers = new Map<string, number>()
  #list: readonly OutboxEntry[] | undefined
  #next: number
  /** Changes of the list wait for one another, as their writes do. */
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(storage: Storage, vault: Vault, room: string, entries: OutboxEntry[]) {
    this.#storage = storage
    this.#vault = vault
    this.#prefix = prefix(room)
    this.#entries = new Map()
    this.#adopt(entries, [])
    this.#next = (entries.at(-1)?.n ?? -1) + 1
  }

  static async open(storage: Storage, vault: Vault, room: string): Promise<Outbox> {
    const keys = await storage.keys(prefix(room))
    const sealed = await storage.readMany(keys)
    const entries = await Promise.all(
      keys.map((key, i) => vault.open(key, sealed[i]).catch(() => undefined)),
    )
    // What is damaged can't be sent: the rest can.
    const whole = entries.filter((entry) => entry !== undefined) as OutboxEntry[]
    return new Outbox(storage, vault, room, whole)
  }

  /** All entries in order. */
  get entries(): readonly OutboxEntry[] {
    this.#list ??= [...this.#entries.values()]
    return this.#list
  }

  has(n: number): boolean {
    return this.#entries.has(n)
  }

  get(n: number): OutboxEntry | undefined {
    return this.#entries.get(n)
  }

  find(msgId: Uint8Array): OutboxEntry | undefined {
    return this.#entries.get(this.#numbers.get(hex(msgId)) ?? -1)
  }

  /** Resolves when the message is safely stored. */
  add(msgId: Bytes, text: string, at: number): Promise<OutboxEntry> {
    const entry = { n: this.#next++, msgId, text, at, sealed: null, stamp: 0, failed: '' }
    return this.#write([entry]).then(() => entry)
  }

  /** Replaces entries and stores them. */
  update(entries: readonly OutboxEntry[]): Promise<void> {
    return this.#write(entries)
  }

  remove(entry: OutboxEntry): Promise<void> {
    return this.#exclusively(async () => {
      await this.#storage.write(new Map([[this.#key(entry), undefined]]))
      this.#adopt([], [entry])
    })
  }

  /**
   * Puts replaced and removed entries into `changes`, which also hold the group state that goes
   * with them; call the result once those are written.
   */
  async stage(
    replaced: readonly OutboxEntry[],
    removed: readonly OutboxEntry[],
    changes: Map<string, unknown>,
  ): Promise<() => void> {
    for (const entry of replaced)
      changes.set(this.#key(entry), await this.#vault.seal(this.#key(entry), entry))
    for (const entry of removed) changes.set(this.#key(entry), undefined)
    return () => this.#adopt(replaced, removed)
  }

  #adopt(replaced: readonly OutboxEntry[], removed: readonly OutboxEntry[]): void {
    for (const { n } of [...replaced, ...removed]) {
      const before = this.#entries.get(n)
      // Whoever tries again takes a new id.
      if (before !== undefined) this.#numbers.delete(hex(before.msgId))
    }
    for (const entry of replaced) {
      this.#entries.set(entry.n, entry)
      this.#numbers.set(hex(entry.msgId), entry.n)
    }
    for (const { n } of removed) this.#entries.delete(n)
    this.#list = undefined
  }

  #key({ n }: OutboxEntry): string {
    return this.#prefix + n.toString(36).padStart(8, '0')
  }

  #write(entries: readonly OutboxEntry[]): Promise<void> {
    return this.#exclusively(async () => {
      const changes = new Map<string, unknown>()
      const adopt = await this.stage(entries, [], changes)
      await this.#storage.write(changes)
      adopt()
    })
  }

  #exclusively(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(work)
    this.#tail = done.catch(() => undefined)
    return done
  }
}

function prefix(room: string): string {
  return `outbox/${room}/`
}
