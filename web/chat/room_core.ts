import { SottoError } from '../protocol/errors.ts'
import type { Head, RoomInfo } from '../protocol/messages.ts'
import { Merge } from './merge.ts'
import type { Link, Loaded, RoomDeps } from './room_deps.ts'
import { type LoopHandlers, RoomLoop } from './room_loop.ts'
import { forkNotice, memberNotice } from './room_notices.ts'
import { PROVEN } from './room_read.ts'
import { RoomScreen } from './room_screen.ts'
import type { Alarm, Change, Codec, Cursor, RoomStore } from './room_store.ts'
import { RefusedError } from './rpc.ts'

/** After a failure that may pass, the same thing is tried again. */
export const PAUSE_MS = 1_000
/** What the endpoint owes us for so long, the person is told of. */
export const PATIENCE_MS = 30_000

/** What the parts of one room share: its store, its loop, and where the session stands. */
export class RoomCore {
  readonly store: RoomStore
  readonly deps: RoomDeps
  readonly screen: RoomScreen
  readonly merge = new Merge()
  readonly loop: RoomLoop
  /** Outbox entries that this session has acknowledged, with their places in the log. */
  readonly acked = new Map<number, Cursor>()
  link: Link | undefined
  info: RoomInfo | undefined
  /** The log's end when this session subscribed; undefined before that. */
  head: Head | undefined
  loaded: Loaded | undefined
  /** Why the other person of a private room can't be let in, for people; else empty. */
  shut = ''
  /** What went wrong on this device, for people, until the next turn that comes through; else empty. */
  fault = ''
  /** Why the endpoint gives and takes nothing here, for people; else empty. */
  stopped = ''
  /** It is no longer ours: nothing more will come. */
  gone = false
  /** A fetch is due whatever the known head says: an epoch has passed us by. */
  behind = false
  /** Why the endpoint takes nothing from this device though it has the group's state; else empty. */
  unlisted = ''
  /** How often this device has joined anew for that since the endpoint last took a message. */
  rejoined = 0
  /** Messages that could not be opened, or PROVEN once something could. */
  unreadable = 0
  #waiting = ''

  constructor(store: RoomStore, deps: RoomDeps, step: LoopHandlers['step']) {
    this.store = store
    this.deps = deps
    this.screen = new RoomScreen(store, deps)
    this.loop = new RoomLoop(deps.clock, {
      step: async () => {
        const more = await step()
        if (this.fault !== '') this.#recovered()
        return more
      },
      changed: () => deps.changed(),
      failed: (work, error) => this.#failed(work, error),
      stumbled: (error) => this.#stumbled(error),
    })
  }

  /** What the room waits for, for people; else empty. */
  get waiting(): string {
    return this.#waiting
  }

  set waiting(text: string) {
    if (text === this.#waiting) return
    this.#waiting = text
    this.deps.changed()
  }

  /** The last place of the log that was read. */
  get seq(): number {
    return this.store.meta.cursor?.seq ?? 0
  }

  get caughtUp(): boolean {
    return !this.behind && this.seq >= this.merge.head
  }

  /** The other person has left, as far as the endpoint says. */
  get left(): boolean {
    const { info } = this
    return info?.kind === 'private' && info.members.length < 2
  }

  /** Nothing can be written here any more. */
  get over(): boolean {
    return this.gone || this.left || Boolean(this.store.meta.over)
  }

  /** MLS, this device's keys, and the group decoded with them. */
  async load(): Promise<Loaded> {
    const loaded = await this.deps.loaded()
    if (loaded === this.loaded) return loaded
    const { mls, keys } = loaded
    const own = keys.binding.signatureKey
    const whole = await this.store.decodeGroup(own, (bytes) => mls.decodeRoom(keys, bytes))
    this.loaded = loaded
    if (!whole)
      await this.repair('The keys of this conversation on this device were renewed or damaged.')
    return loaded
  }

  /** Writes a change; who is new in the group that it makes ours is pinned first. */
  async commit(change: Change): Promise<void> {
    const { loaded, store, deps } = this
    const next = change.group?.state
    if (loaded !== undefined && next !== undefined && next.roster !== store.group?.state.roster)
      await deps.trust.restore(loaded.mls.members(next))
    await this.store.commit(change, this.loaded === undefined ? NO_CODEC : codecOf(this.loaded))
  }

  /** Stops the room until the person decides, and says why. */
  async alarm(alarm: Alarm): Promise<void> {
    await this.commit({ meta: { alarm } })
    this.merge.clear()
    // What stopped the reading is fetched again after the decision, before anything is sealed.
    this.behind = true
    // A key that is to be decided on has a notice of its own, and the room is looked at again then.
    if (alarm.kind === 'member' && this.deps.trust.undecided) return this.deps.changed()
    const notice = alarm.kind === 'fork' ? forkNotice : memberNotice
    this.deps.raise(notice(this.store.meta, this.store.id, alarm.text))
  }

  /** Gives the group state up, says why, and begins to join again. */
  async repair(cause: string, change: Change = {}): Promise<void> {
    const meta = { ...change.meta, repair: cause }
    await this.commit({ ...change, group: null, pending: null, meta })
    // What is joined anew is checked as it is joined.
    this.unreadable = PROVEN
    this.unlisted = ''
    this.merge.clear()
    this.behind = true
  }

  async #failed(work: string, error: unknown): Promise<void> {
    if (error instanceof RefusedError) {
      this.loop.pause(work, error.refusal.retryAfter ?? PAUSE_MS)
      if (work === 'enter') this.waiting = error.message
      if (READS.has(work) && error.refusal.error === 'unavailable') this.stopped = error.message
      if (error.code === 'stale_epoch') this.behind = true
      return
    }
    if (!(error instanceof SottoError)) throw error
    if (error.code === 'bad_member') return this.alarm({ kind: 'member', text: error.message })
    this.loop.pause(work, PAUSE_MS)
    if (error.code !== 'closed' && error.code !== 'truncated') throw error
  }

  #stumbled(error: unknown): void {
    this.fault = error instanceof SottoError ? error.message : 'Something went wrong here.'
    this.deps.fault(error)
    this.deps.changed()
  }

  #recovered(): void {
    this.fault = ''
    this.deps.changed()
  }
}

/** What reads the log: as long as it is refused there is no conversation. */
const READS: ReadonlySet<string> = new Set(['subscribe', 'fetch'])

/** The endpoint refuses what is of the newest epoch, or says outright that we are not in its list. */
export const UNLISTED = 'The server had lost this device’s place in the conversation.'

const NO_CODEC: Codec = {
  keys: new Uint8Array(0),
  encode: () => {
    throw new Error('a group state without MLS')
  },
  readers: () => [],
}

function codecOf({ mls, keys }: Loaded): Codec {
  return {
    keys: keys.binding.signatureKey,
    encode: mls.encodeRoom,
    readers(state) {
      const people = Map.groupBy(mls.members(state), ({ user }) => user)
      return [...people].map(([user, devices]) => ({
        user,
        fingerprint: devices[0]?.fingerprint ?? new Uint8Array(0),
        devices: devices.length,
      }))
    },
  }
}
