import { nodePrimitives } from '../../relay/node_primitives.ts'
import { type Clock, systemClock } from '../../web/chat/clock.ts'
import { Keyring } from '../../web/chat/keyring.ts'
import type { LogEntry } from '../../web/chat/merge.ts'
import type { Notice, TimelineItem } from '../../web/chat/model.ts'
import type { Link } from '../../web/chat/room_deps.ts'
import { RoomStore } from '../../web/chat/room_store.ts'
import { RoomSync } from '../../web/chat/room_sync.ts'
import { RefusedError } from '../../web/chat/rpc.ts'
import { Trust } from '../../web/chat/trust.ts'
import { openVault } from '../../web/chat/vault.ts'
import { type Bytes, hex } from '../../web/protocol/bytes.ts'
import { chain, firstChain } from '../../web/protocol/cast.ts'
import type { Ask, RoomInfo } from '../../web/protocol/messages.ts'
import { readMlsHeader } from '../../web/protocol/mls_header.ts'
import { MemoryStorage } from './memory_storage.ts'
import { quickIdentity } from './peers.ts'

const HOST = new Uint8Array(32).fill(9)
const ROOM = new Uint8Array(16).fill(3)
const SILENCE = 20_000

/** What a room still waits for when its test is over keeps nobody waiting. */
const CLOCK: Clock = {
  ...systemClock,
  after(ms, work) {
    const timer = setTimeout(work, ms).unref()
    return () => clearTimeout(timer)
  },
}

type Answers = Record<string, (ask: never) => unknown>

/**
 * An endpoint with the lobby's log alone, in this process, that shows each device whatever a test
 * wants it to: the entries of `log`, or a view of a device's own.
 */
export class HostileLog {
  /** What everybody sees who has no view of their own. */
  log: Bytes[] = []
  readonly views = new Map<string, Bytes[]>()
  groupInfo: Bytes | null = null
  readonly devices: Device[] = []
  #epoch = 0
  /** Swallows what this device sends, yet answers as if it had been kept. */
  swallow: string | undefined

  /** A device of a new person, in the lobby's group. */
  async join(user: string): Promise<Device> {
    const device = await Device.make(user, this)
    this.devices.push(device)
    await device.begin()
    await device.until(() => device.room.view().phase === 'ready', `${user} is in the lobby`)
    return device
  }

  /** Everybody goes. */
  end(): void {
    for (const { room } of this.devices) room.offline()
  }

  viewOf(user: string): Bytes[] {
    return this.views.get(user) ?? this.log
  }

  /** The entries as this device is shown them, each with the chain that fits what it was shown. */
  async entries(user: string): Promise<LogEntry[]> {
    let value = await firstChain(nodePrimitives, ROOM)
    const entries: LogEntry[] = []
    for (const [i, mls] of this.viewOf(user).entries()) {
      value = await chain(nodePrimitives, value, i + 1, mls)
      entries.push({ seq: i + 1, chain: value, mls })
    }
    return entries
  }

  async head(user: string) {
    const last = (await this.entries(user)).at(-1)
    const first = { seq: 0, chain: await firstChain(nodePrimitives, ROOM) }
    return { room: ROOM, seq: last?.seq ?? 0, chain: last?.chain ?? first.chain }
  }

  async info(user: string): Promise<RoomInfo> {
    const { seq, chain: value } = await this.head(user)
    return {
      ...{ room: ROOM, kind: 'lobby', members: [], seq, chain: value, oldest: 1 },
      ...{
        generation: this.groupInfo === null ? null : 0,
        epoch: this.#epoch,
        joined: false,
        welcome: false,
      },
    } as RoomInfo
  }

  /** Brings the news to everyone who is connected. */
  async tell(): Promise<void> {
    for (const device of this.devices) device.room.heads(await this.head(device.user))
  }

  answers(user: string): Answers {
    return {
      subscribe: async () => ({ castSecret: HOST, head: await this.head(user) }),
      fetch: async ({ after }: { after: number }) => ({
        entries: (await this.entries(user)).slice(after),
        head: await this.head(user),
        oldest: 1,
      }),
      create_group: ({ groupInfo }: { groupInfo: Bytes }) => {
        if (this.groupInfo !== null) throw stale()
        this.groupInfo = groupInfo
        return {}
      },
      group_info: async () => ({
        ...{ generation: 0, epoch: this.#epoch, groupInfo: this.groupInfo },
        head: await this.head(user),
      }),
      send: ({ mls, commit }: { mls: Bytes; commit?: { groupInfo: Bytes } }) =>
        this.#take(user, mls, commit),
    } as Answers
  }

  async #take(user: string, mls: Bytes, commit: { groupInfo: Bytes } | undefined) {
    if (commit !== undefined && readMlsHeader(mls).epoch !== this.#epoch) throw stale()
    if (this.swallow === user) {
      const { seq } = await this.head(user)
      return { seq: seq + 1, chain: HOST }
    }
    if (commit !== undefined) {
      this.groupInfo = commit.groupInfo
      this.#epoch += 1
    }
    this.viewOf(user).push(mls)
    const { seq, chain: value } = await this.head(user)
    await this.tell()
    return { seq, chain: value }
  }
}

function stale(): RefusedError {
  return new RefusedError({ re: 0, error: 'stale_epoch', text: 'Too late.' })
}

/** One device's room over a hostile log. */
export class Device {
  readonly user: string
  readonly room: RoomSync
  readonly notices: Notice[] = []
  readonly storage: MemoryStorage
  readonly trust: Trust
  readonly #log: HostileLog
  #looks: (() => void)[] = []

  private constructor(
    user: string,
    log: HostileLog,
    parts: Pick<Device, 'storage' | 'trust'>,
    make: (device: Device) => RoomSync,
  ) {
    this.user = user
    this.#log = log
    this.storage = parts.storage
    this.trust = parts.trust
    this.room = make(this)
  }

  static async make(user: string, log: HostileLog, clock: Clock = CLOCK): Promise<Device> {
    const identity = await quickIdentity()
    const storage = new MemoryStorage()
    const algorithm = { name: 'AES-GCM', length: 256 }
    const key = await crypto.subtle.generateKey(algorithm, false, ['encrypt', 'decrypt'])
    const vault = openVault(key)
    const device = crypto.getRandomValues(new Uint8Array(16))
    const profile = { user, device, identity, storage, vault, backedUp: true }
    const keyring = new Keyring(profile, clock)
    const trust = await Trust.open(storage, vault, 'localhost')
    const store = await RoomStore.open(storage, vault, hex(ROOM), { kind: 'lobby', peer: '' })
    return new Device(
      user,
      log,
      { storage, trust },
      (own) =>
        new RoomSync(store, {
          ...{ storage, vault, clock, trust, primitives: nodePrimitives },
          me: { user, device, fingerprint: identity.fingerprint },
          life: { over: false, refused: false },
          loaded: () => keyring.loaded(HOST),
          keyPackages: () => keyring.packages(),
          verify: async () => {},
          raise: (notice) => own.notices.push(notice),
          dismiss: (id) => {
            const rest = own.notices.filter((notice) => notice.id !== id)
            own.notices.splice(0, own.notices.length, ...rest)
          },
          fault: (error) => console.error(user, error),
          changed: () => own.#changed(),
        }),
    )
  }

  /** A session begins. */
  async begin(): Promise<void> {
    const answers = this.#log.answers(this.user)
    const link: Link = {
      ask: async (ask: Ask) => (await answers[ask.op]?.(ask as never)) as never,
      limits: { keepDays: 0, lobbyAbsence: 86_400 },
      session: {},
    }
    this.room.online(link, await this.#log.info(this.user))
  }

  async texts(): Promise<string[]> {
    const { length, outgoing = 0 } = this.room.view()
    const items: readonly TimelineItem[] = await this.room.timeline(0, length - outgoing)
    return items.map((item) => (item.kind === 'text' ? `${item.from}: ${item.text}` : item.text))
  }

  until(predicate: () => boolean | Promise<boolean>, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(async () => {
        const seen = { view: this.room.view(), texts: await this.texts() }
        reject(new Error(`waited in vain until ${what}: ${JSON.stringify(seen)}`))
      }, SILENCE)
      const look = async () => {
        if (!(await predicate())) return
        clearTimeout(timer)
        this.#looks = this.#looks.filter((one) => one !== look)
        resolve()
      }
      this.#looks.push(look)
      void look()
    })
  }

  /** Waits until this many lines stand in the room. */
  async shows(count: number): Promise<string[]> {
    await this.until(async () => (await this.texts()).length >= count, `${count} lines`)
    return this.texts()
  }

  #changed(): void {
    for (const look of this.#looks) look()
  }
}
