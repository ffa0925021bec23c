import { nodePrimitives } from '../../relay/node_primitives.ts'
import { dialTcp } from '../../relay/peer/tcp.ts'
import { Chat } from '../../web/chat/chat.ts'
import type { MessageId, RoomId, RoomView } from '../../web/chat/model.ts'
import type { Profile } from '../../web/chat/profile.ts'
import type { Dial, Transport } from '../../web/chat/transport.ts'
import { openVault } from '../../web/chat/vault.ts'
import { dialWebSocket } from '../../web/io/websocket.ts'
import { JumpingClock } from './jumping_clock.ts'
import type { Ledger } from './ledger.ts'
import { MemoryStorage } from './memory_storage.ts'
import { Network } from './network.ts'
import { messages, quickIdentity } from './peers.ts'

/** Where a device's frames go: straight to the endpoint, or through a relay. */
export type Way = 'tcp' | 'websocket'

/** When a process dies: at a write, or at a frame; before that has happened, or right after. */
export interface Death {
  readonly at: 'write' | 'sent' | 'received'
  /** So many of these pass before. */
  readonly left: number
  readonly done: boolean
}

interface MemberOptions {
  readonly name: string
  readonly way: Way
  /** The port behind which the endpoint or relay is. */
  readonly target: () => number
  readonly ledger: Ledger
  readonly fault: (error: unknown) => void
}

type Life = Profile & { storage: MemoryStorage }

/** Items at the end of a timeline that are looked at again with the new ones. */
const OVERLAP = 16
const LONGEST_WAIT_MS = 30_000
/** Between two tries in the first half minute. */
const SOON_MS = 2_000

/** A person whose process, store, clock and network can fail; what it shows goes to the ledger. */
export class Member {
  readonly name: string
  clock = new JumpingClock()
  readonly network: Network
  readonly #o: MemberOptions
  #profile: Life
  #transport: Transport | undefined
  #death = Promise.withResolvers<void>()
  #frameDeath: { left: number; readonly at: Death['at']; readonly done: boolean } | undefined
  #settled = new Map<RoomId, number>()
  #storm = false
  /** Called whenever anything changes here. */
  onChange: () => void = () => undefined
  deaths = 0
  /** How the connection has fared lately, for who wonders why a run failed. */
  trail: string[] = []
  chat: Chat

  private constructor(o: MemberOptions, network: Network, profile: Life) {
    this.name = o.name
    this.#o = o
    this.network = network
    this.#profile = profile
    this.chat = this.#start()
  }

  static async start(o: MemberOptions): Promise<Member> {
    const algorithm = { name: 'AES-GCM', length: 256 }
    const key = await crypto.subtle.generateKey(algorithm, false, ['encrypt', 'decrypt'])
    const profile = {
      user: o.name,
      device: crypto.getRandomValues(new Uint8Array(16)),
      identity: await quickIdentity(),
      storage: new MemoryStorage(),
      vault: openVault(key),
      backedUp: false,
    }
    return new Member(o, await Network.open(o.target), profile)
  }

  get profile(): Profile {
    return this.#profile
  }

  /** While it storms nobody waits between two tries: that time is slept through. */
  set storm(on: boolean) {
    this.#storm = on
    if (on) this.#hurry()
  }

  get online(): boolean {
    return this.chat.state.connection.phase === 'online'
  }

  view(room: RoomId): RoomView | undefined {
    return this.chat.state.rooms.find((one) => one.room === room)
  }

  /** Sleeps until the next try to connect, if there is one to wait for. */
  skipWait(): void {
    const { connection } = this.chat.state
    if (connection.phase !== 'offline' || connection.retryAt === undefined) return
    const wait = connection.retryAt - this.clock.now()
    // The time of day may have been set since then.
    this.clock.sleep(Math.min(Math.max(0, wait), LONGEST_WAIT_MS) + 1)
  }

  /**
   * Sleeps until the next try. After more than half a minute without a server that may be half a
   * minute away: then somebody looks.
   */
  lookOrWait(): void {
    const { connection } = this.chat.state
    const at = connection.phase === 'offline' ? connection.retryAt : undefined
    if (at !== undefined && at - this.clock.now() > SOON_MS) this.chat.wake()
    else this.skipWait()
  }

  /** Types a message. A process that dies over it never says whether it was stored. */
  async say(room: RoomId, text: string): Promise<void> {
    const { chat } = this
    const stored = chat.send(room, text).then((id) => {
      if (this.chat === chat) this.#o.ledger.sent(room, this.name, id)
    })
    await Promise.race([stored, this.#death.promise])
  }

  /** The process dies at a coming moment, and another one starts from what was stored. */
  dieSoon({ at, left, done }: Death): void {
    if (at === 'write') void this.#profile.storage.dieAt(left, done).then(() => this.#die())
    else this.#frameDeath = { at, left, done }
  }

  /** It will not die after all, if it has not yet. */
  spare(): void {
    this.#profile.storage.live()
    this.#frameDeath = undefined
  }

  /** The connection breaks. */
  cut(): void {
    this.network.cut()
  }

  /** Notes what is new on the screen. */
  async look(): Promise<void> {
    const { chat } = this
    const { ledger } = this.#o
    for (const { room, length, outgoing = 0 } of chat.state.rooms) {
      const from = Math.max(0, (this.#settled.get(room) ?? 0) - OVERLAP)
      const items = await chat.timeline(room, from, length)
      if (this.chat !== chat) return
      for (const item of items) {
        if (item.kind !== 'text') continue
        const landed = item.state === 'received' || item.state === 'sent'
        if (item.state === 'sent') ledger.acked(room, item.id)
        const last = items.indexOf(item) + from >= length - outgoing
        if (landed && !last) ledger.shown(room, this.name, item.id)
      }
      this.#settled.set(room, Math.max(0, length - outgoing))
    }
  }

  async order(room: RoomId): Promise<MessageId[]> {
    return (await messages(this.chat, room)).map(({ id }) => id)
  }

  /** Of how many messages the screen says that they were written before this device came in. */
  async beforeItsTime(room: RoomId): Promise<number> {
    const items = await this.chat.timeline(room, 0, this.view(room)?.length ?? 0)
    return items.filter(({ id }) => id.startsWith('before-')).length
  }

  async close(): Promise<void> {
    await this.chat.disconnect()
    this.clock.handOver()
    await this.network.close()
  }

  #die(sent = false): void {
    this.deaths += 1
    this.#death.resolve()
    this.#death = Promise.withResolvers()
    this.#frameDeath = undefined
    const storage = this.#profile.storage.crash()
    this.#transport?.close()
    // What has left the process arrives, whatever becomes of the process.
    if (!sent) this.network.cut()
    void this.chat.disconnect()
    this.clock = this.clock.handOver()
    this.#profile = { ...this.#profile, storage }
    this.#settled = new Map()
    this.chat = this.#start()
    this.onChange()
  }

  #start(): Chat {
    const { way, fault } = this.#o
    const { port } = this.network
    const reach =
      way === 'tcp' ? dialTcp('127.0.0.1', port) : dialWebSocket(`ws://127.0.0.1:${port}/ws`)
    const dial: Dial = async (signal) => {
      this.#transport = this.#mortal(await reach(signal))
      return this.#transport
    }
    const chat = new Chat({
      profile: this.#profile,
      dial,
      host: 'localhost',
      pin: undefined,
      primitives: nodePrimitives,
      clock: this.clock,
      log: (error) => this.chat === chat && fault(error),
    })
    chat.addEventListener('change', () => {
      if (this.chat !== chat) return
      void this.look()
      this.#follow()
      if (this.#storm) this.#hurry()
      this.onChange()
    })
    chat.connect()
    return chat
  }

  #follow(): void {
    const { connection } = this.chat.state
    const said = 'text' in connection ? `${connection.phase}: ${connection.text}` : connection.phase
    if (said !== this.trail.at(-1)?.replace(/^\d+ /, ''))
      this.trail.push(`${Math.round(this.clock.steady())} ${said}`)
  }

  #hurry(): void {
    // In another turn: it comes from within the change that it reacts to.
    setImmediate(() => this.#storm && this.skipWait())
  }

  /** Lets the process die at a frame. */
  #mortal(inner: Transport): Transport {
    const due = (at: Death['at']) => {
      const death = this.#frameDeath
      return death?.at === at && death.left-- <= 0 ? death : undefined
    }
    const die = (sent = false) => this.#die(sent)
    return {
      closed: inner.closed,
      get buffered() {
        return inner.buffered
      },
      send(frame) {
        const death = due('sent')
        if (death === undefined || death.done) inner.send(frame)
        if (death !== undefined) die(death.done)
      },
      close: () => inner.close(),
      async *[Symbol.asyncIterator]() {
        for await (const frame of inner) {
          const death = due('received')
          if (death !== undefined && !death.done) return die()
          yield frame
          if (death !== undefined) return die()
        }
      },
    }
  }
}
