import { type Bytes, equal, hex } from '../protocol/bytes.ts'
import type { DeviceRef } from '../protocol/messages.ts'
import { ChainLog } from './forks.ts'
import { History, type StoredItem } from './history.ts'
import type { RoomState } from './mls.ts'
import { Outbox, type OutboxEntry } from './outbox.ts'
import { Passing } from './passing.ts'
import type { Storage } from './storage.ts'
import type { Vault } from './vault.ts'

/** How far this device has processed the room's log. */
export interface Cursor {
  readonly seq: number
  /** 32 bytes, or none when the entries before were no longer kept: then the next one says it. */
  readonly chain: Bytes
}

/** Why a room has stopped: it stays so over restarts until the person decides. */
export interface Alarm {
  /** fork: the log is not one; member: somebody is in it who may not be; key: a changed key. */
  readonly kind: 'fork' | 'member' | 'key'
  readonly text: string
}

/** Who could read the room when its state was last stored: for the screen, before MLS is loaded. */
export interface StoredReader {
  readonly user: string
  readonly fingerprint: Bytes
  readonly devices: number
}

export interface Meta {
  readonly kind: 'lobby' | 'private'
  /** The other person of a private room, else empty. */
  readonly peer: string
  /** The other person's key that the last group was for; null before the first. */
  readonly peerKey: Bytes | null
  /** Null until this device is in the room's group for the first time. */
  readonly cursor: Cursor | null
  /** Entries up to this place are before our group state: verified by the chain, never opened. */
  readonly from: number
  /** Messages of others so far; unread is what came after `read/<room>`. */
  readonly received: number
  /** Milliseconds since 1970 of the last message. */
  readonly lastAt: number
  /** Whether messages are kept on this device, or shown in this session only. */
  readonly keeps: boolean
  /** Items in the history, so that lost ones are noticed. */
  readonly items: number
  /** How often the group state was written: the stored one has the same number or is another one. */
  readonly stamp: number
  /** Hex id of the commit whose fate is not known, else empty: no other one counts. */
  readonly pending: string
  readonly alarm: Alarm | null
  /** Why the group state was given up and is being made anew, for people; else empty. */
  readonly repair: string
  /** Who has ended the conversation, for people; else empty, or left out. */
  readonly over?: string
  readonly readers: readonly StoredReader[]
}

export interface Group {
  readonly generation: number
  readonly state: RoomState
}

/** The group as it rests: `keys` is the device's signature key that the state goes with. */
interface StoredGroup {
  readonly generation: number
  readonly stamp: number
  readonly keys: Bytes
  readonly state: Bytes
}

/** A commit of ours whose fate is not known yet: its bytes, and what it makes if it wins. */
export interface Pending {
  /** join: our own external commit; commit: of a member. */
  readonly kind: 'join' | 'commit'
  readonly msgId: Bytes
  readonly mls: Bytes
  readonly generation: number
  /** The group state that it makes, encoded. */
  readonly next: Bytes
  readonly groupInfo: Bytes
  readonly added: readonly DeviceRef[]
  readonly removed: readonly DeviceRef[]
  readonly welcome: Bytes | null
}

/** What one step changes: all of it is written at once or not at all. */
export interface Change {
  readonly meta?: Partial<Meta>
  /** null: the state is given up. */
  readonly group?: Group | null
  readonly pending?: Pending | null
  readonly items?: readonly StoredItem[]
  readonly links?: readonly { readonly seq: number; readonly chain: Bytes }[]
  readonly replaced?: readonly OutboxEntry[]
  readonly removed?: readonly OutboxEntry[]
  /** Keys outside the room, such as a key package that was used up. */
  readonly others?: ReadonlyMap<string, unknown>
}

const PUT_BACK =
  'The keys of this conversation on this device were not the newest: somebody has put back older ones.'

/** Group states as bytes: MLS is loaded after the first paint, so the store does not know it. */
export interface Codec {
  /** This device's signature key. */
  readonly keys: Bytes
  encode(state: RoomState): Bytes
  readers(state: RoomState): StoredReader[]
}

/**
 * One room on this device: what it has processed, its group, its messages, its outbox. Memory
 * follows the disk: nothing is seen here before its write has succeeded.
 */
export class RoomStore {
  readonly id: string
  readonly history: History
  readonly outbox: Outbox
  readonly chains: ChainLog
  /** What is shown and not stored. */
  readonly passing = new Passing()
  readonly #storage: Storage
  readonly #vault: Vault
  #meta: Meta
  #pending: Pending | null
  #group: Group | null = null
  #encoded: StoredGroup | null
  #read: number

  private constructor(
    storage: Storage,
    vault: Vault,
    id: string,
    parts: {
      history: History
      outbox: Outbox
      meta: Meta
      pending: Pending | null
      encoded: StoredGroup | null
      read: number
    },
  ) {
    this.id = id
    this.#storage = storage
    this.#vault = vault
    this.history = parts.history
    this.outbox = parts.outbox
    this.chains = new ChainLog(storage, id)
    this.#meta = parts.meta
    this.#pending = parts.pending
    this.#encoded = parts.encoded
    this.#read = parts.read
  }

  /** The room as it was stored, or a new one. Damaged group states count as lost, to be repaired. */
  static async open(
    storage: Storage,
    vault: Vault,
    id: string,
    fallback: Pick<Meta, 'kind' | 'peer'>,
  ): Promise<RoomStore> {
    const [meta, group, pending, read] = await storage.readMany(keysOf(id))
    const unseal = async (key: string, sealed: unknown): Promise<unknown> =>
      sealed === undefined ? null : vault.open(`${key}/${id}`, sealed)
    // Without knowing how far it has read, a group state is of no use: the room begins anew.
    const known = (await unseal('room', meta).catch(() => null)) as Meta | null
    const encoded = (await unseal('group', group).catch(() => null)) as StoredGroup | null
    const commit = (await unseal('pending', pending).catch(() => null)) as Pending | null
    const outbox = await Outbox.open(storage, vault, id)
    // Sealing from an older group state than the last could use a key twice: join anew instead.
    const sealed = Math.max(0, ...outbox.entries.map(({ stamp }) => stamp))
    const fits =
      known !== null &&
      sealed <= known.stamp &&
      (encoded === null || encoded.stamp === known.stamp) &&
      (commit === null || hex(commit.msgId) === known.pending)
    return new RoomStore(storage, vault, id, {
      history: await History.open(storage, vault, id, known?.items),
      outbox,
      meta: fits || known === null ? (known ?? newMeta(fallback)) : { ...known, repair: PUT_BACK },
      encoded: fits ? encoded : null,
      pending: fits ? commit : null,
      read: typeof read === 'number' ? read : 0,
    })
  }

  get meta(): Meta {
    return this.#meta
  }

  get pending(): Pending | null {
    return this.#pending
  }

  /** The group once {@link RoomStore.decodeGroup} has run, or null when this device has none. */
  get group(): Group | null {
    return this.#group
  }

  /** Whether this device is in the room's group, decoded or not. */
  get inGroup(): boolean {
    return this.#group !== null || this.#encoded !== null
  }

  get unread(): number {
    return Math.max(0, this.#meta.received - this.#read)
  }

  /** Makes the stored bytes a group state, unless it is one already. False when they are of no use: the room needs repair. */
  async decodeGroup(keys: Bytes, decode: (bytes: Bytes) => Promise<RoomState>): Promise<boolean> {
    const encoded = this.#encoded
    const held = this.#group?.state.keys.binding.signatureKey
    if (encoded === null) return held === undefined || equal(held, keys)
    try {
      if (!equal(encoded.keys, keys)) return false
      this.#group = { generation: encoded.generation, state: await decode(encoded.state) }
      return true
    } catch {
      return false
    } finally {
      this.#encoded = null
    }
  }

  async markRead(): Promise<void> {
    if (this.unread === 0) return
    this.#read = this.#meta.received
    await this.#storage.write(new Map([[`read/${this.id}`, this.#read]]))
  }

  /** Writes a change in one transaction, and only then shows it. */
  async commit(change: Change, codec: Codec): Promise<void> {
    const changes = new Map<string, unknown>(change.others)
    const group = change.group
    const readers = group ? { readers: codec.readers(group.state) } : {}
    const items = change.items ?? []
    const keeps = this.#meta.keeps
    const length = this.history.length + (keeps ? items.length : 0)
    const stamp = this.#meta.stamp + (group === undefined ? 0 : 1)
    const pending = change.pending === undefined ? this.#pending : change.pending
    const meta = {
      ...this.#meta,
      ...change.meta,
      ...readers,
      ...{ items: length, stamp, pending: pending === null ? '' : hex(pending.msgId) },
    }
    const replaced = (change.replaced ?? []).map((entry) =>
      group && entry.sealed !== null ? { ...entry, stamp } : entry,
    )
    const adopt = [
      await this.history.stage(keeps ? items : [], changes),
      await this.chains.stage(change.links ?? [], changes),
      await this.outbox.stage(replaced, change.removed ?? [], changes),
    ]
    await this.#put(changes, 'room', meta)
    if (group !== undefined)
      await this.#put(
        changes,
        'group',
        group && {
          generation: group.generation,
          stamp,
          keys: codec.keys,
          state: codec.encode(group.state),
        },
      )
    if (change.pending !== undefined) await this.#put(changes, 'pending', change.pending)
    await this.#storage.write(changes)
    for (const done of adopt) done()
    if (!keeps) this.#pass(items)
    this.#meta = meta
    if (group !== undefined) this.#group = group
    if (change.pending !== undefined) this.#pending = change.pending
  }

  /** Shows what is not kept, as long as this page lasts. */
  #pass(items: readonly StoredItem[]): void {
    this.passing.add(this.history.length, items)
    this.history.remember(items)
  }

  /** Deletes the messages, on the screen too. What is on its way out stays. */
  async wipe(): Promise<void> {
    const read = this.#meta.received
    const meta = { ...this.#meta, items: 0 }
    const changes = new Map<string, unknown>([[`read/${this.id}`, read]])
    const adopt = await this.history.stageWipe(changes)
    await this.#put(changes, 'room', meta)
    await this.#storage.write(changes)
    adopt()
    this.passing.clear()
    this.#meta = meta
    this.#read = read
  }

  /** Deletes all of it, in one write with `changes`. Nothing may be written to it afterwards. */
  async remove(changes: Map<string, unknown>): Promise<void> {
    await this.history.stageWipe(changes)
    for (const prefix of [`chain/${this.id}/`, `outbox/${this.id}/`])
      for (const key of await this.#storage.keys(prefix)) changes.set(key, undefined)
    for (const key of keysOf(this.id)) changes.set(key, undefined)
    await this.#storage.write(changes)
  }

  async #put(changes: Map<string, unknown>, name: string, value: unknown): Promise<void> {
    const key = `${name}/${this.id}`
    changes.set(key, value === null ? undefined : await this.#vault.seal(key, value))
  }
}

/** Where a room's values lie that are one each. */
function keysOf(id: string): string[] {
  return [`room/${id}`, `group/${id}`, `pending/${id}`, `read/${id}`]
}

function newMeta(fallback: Pick<Meta, 'kind' | 'peer'>): Meta {
  return {
    ...fallback,
    peerKey: null,
    cursor: null,
    from: 0,
    received: 0,
    lastAt: 0,
    keeps: true,
    items: 0,
    stamp: 0,
    pending: '',
    alarm: null,
    repair: '',
    readers: [],
  }
}
