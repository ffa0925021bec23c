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
  #entries: readonly OutboxEntry[]
  #next: number
  /** Changes of the list wait for one another, as their writes do. */
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(storage: Storage, vault: Vault, room: string, entries: OutboxEntry[]) {
    this.#storage = storage
    this.#vault = vault
    this.#prefix = prefix(room)
    this.#entries = entries
    this.#next = (entries.at(-1)?.n ?? -1) + 1
  }

  static async open(storage: Storage, vault: Vault, room: string): Promise<Outbox> {
    const keys = await storage.keys(prefix(room))
    const sealed = await storage.readMany(keys)
    const entries = await Promise.all(
      keys.map(async (key, i) => (await vault.open(key, sealed[i])) as OutboxEntry),
    )
    return new Outbox(storage, vault, room, entries)
  }

  /** All entries in order. */
  get entries(): readonly OutboxEntry[] {
    return this.#entries
  }

  /** The first that may be sent: its bytes stand. */
  get sendable(): OutboxEntry | undefined {
    const first = this.#entries.find((entry) => entry.failed === '')
    return first?.sealed ? first : undefined
  }

  /** Those that wait to be sealed. */
  get unsealed(): readonly OutboxEntry[] {
    return this.#entries.filter((entry) => entry.sealed === null && entry.failed === '')
  }

  find(msgId: Uint8Array): OutboxEntry | undefined {
    const id = hex(msgId)
    return this.#entries.find((entry) => hex(entry.msgId) === id)
  }

  /** Resolves when the message is safely stored. */
  add(msgId: Bytes, text: string, at: number): Promise<OutboxEntry> {
    const entry = { n: this.#next++, msgId, text, at, sealed: null, failed: '' }
    return this.#write([entry]).then(() => entry)
  }

  /** Replaces entries and stores them. */
  update(entries: readonly OutboxEntry[]): Promise<void> {
    return this.#write(entries)
  }

  remove(entry: OutboxEntry): Promise<void> {
    return this.#exclusively(async () => {
      await this.#storage.write(new Map([[this.#key(entry), undefined]]))
      this.#entries = this.#entries.filter(({ n }) => n !== entry.n)
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
    return () => {
      const gone = new Set(removed.map(({ n }) => n))
      this.#entries = this.#merged(replaced).filter(({ n }) => !gone.has(n))
    }
  }

  #key({ n }: OutboxEntry): string {
    return this.#prefix + n.toString(36).padStart(8, '0')
  }

  #merged(replaced: readonly OutboxEntry[]): OutboxEntry[] {
    const byNumber = new Map([...this.#entries, ...replaced].map((entry) => [entry.n, entry]))
    return [...byNumber.values()].sort((a, b) => a.n - b.n)
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
