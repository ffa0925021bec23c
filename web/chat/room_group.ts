import { type Bytes, equal, fromHex } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import type { DeviceRef, RoomInfo } from '../protocol/messages.ts'
import { type Proposal, proposeChange, type Wish } from './room_change.ts'
import { PAUSE_MS, type RoomCore } from './room_core.ts'
import type { Link, Loaded } from './room_deps.ts'
import { create, type Entered, enter, placed } from './room_enter.ts'
import type { Then } from './room_loop.ts'
import { SET_UP_ANEW } from './room_read.ts'
import { keyOfPeer, newKeyLine, outlived, undecided } from './room_renewal.ts'
import type { Change, Pending } from './room_store.ts'
import { RefusedError } from './rpc.ts'

/** Without a Welcome for this long, the endpoint is asked again. */
const WELCOME_MS = 15_000
/** Joining anew because the endpoint has lost this device's place: twice as long after each time. */
const REJOIN_MS = 1_000
const MOST_REJOIN_MS = 300_000
/** Joiners who come together lose to each other: a little later after each time, so long at most. */
const LOST_MS = 50
const AWAY_TOO_LONG = 'has been away for too long to be written to.'
const KEPT_HERE = 'What you write is kept here, and goes out when'
const NOTHING: Wish = { add: [], remove: [] }

/** This device's place in the room's group, and the commits by which it changes who is in. */
export class RoomGroup {
  readonly #core: RoomCore
  #wish = NOTHING
  /** Not before this moment of the steady clock does this device join anew to be counted. */
  #rejoinAt = 0
  /** Commits of ours in a row that lost to others. */
  #losses = 0

  constructor(core: RoomCore) {
    this.#core = core
  }

  reset(): void {
    this.#wish = NOTHING
  }

  /**
   * The endpoint asks this device to bring the group in line. What a commit of ours that is on its
   * way does already is left out: the endpoint asks again after the next commit.
   */
  reconcile(add: readonly DeviceRef[], remove: readonly DeviceRef[]): void {
    const people = Map.groupBy(add, ({ user }) => user)
    const users = [...people].map(([user, refs]) => ({
      user,
      devices: refs.map(({ device }) => device),
    }))
    this.#wish = { add: users, remove }
    const { pending } = this.#core.store
    if (pending !== null) this.#underWay(pending)
  }

  #underWay({ added }: Pending): void {
    const isAdded = (device: Bytes) => added.some((one) => equal(one.device, device))
    const add = this.#wish.add.map(({ user, devices }) => {
      return { user, devices: devices?.filter((device) => !isAdded(device)) }
    })
    this.#wish = { ...this.#wish, add: add.filter(({ devices }) => devices?.length !== 0) }
  }

  /** Notices when the endpoint and the store disagree about this device's place in the group. */
  async repairDue(info: RoomInfo): Promise<boolean> {
    const { group, pending, meta } = this.#core.store
    if (group !== null && info.generation !== null && info.generation > group.generation) {
      // What was said in the old group opens with its keys alone.
      if (!this.#core.caughtUp) return false
      await this.#core.repair(SET_UP_ANEW)
      return true
    }
    if (group !== null && pending === null && this.#core.unlisted !== '') return this.#rejoin()
    const lost = group === null && pending === null && info.joined && meta.repair === ''
    if (!lost || meta.cursor === null) return false
    await this.#core.repair('This device had lost its keys of this conversation.')
    return true
  }

  /** Not in the endpoint's list, though nothing in the log says so: it takes nothing from us. */
  async #rejoin(): Promise<boolean> {
    const core = this.#core
    if (!core.caughtUp || core.over || undecided(core) || outlived(core)) return false
    const now = core.deps.clock.steady()
    if (now < this.#rejoinAt) {
      core.waiting = `${core.unlisted} It joins again soon.`
      core.loop.later(this.#rejoinAt - now)
      return false
    }
    this.#rejoinAt = now + Math.min(REJOIN_MS * 2 ** core.rejoined++, MOST_REJOIN_MS)
    await core.repair(core.unlisted)
    return true
  }

  /**
   * Makes the next group when the other person's key, as it is trusted now, has no place in this
   * one; false when there is no need. The old group is kept until the endpoint has taken the new.
   */
  renew(link: Link, loaded: Loaded, info: RoomInfo): boolean {
    const { store, deps, loop, head, caughtUp } = this.#core
    const { group } = store
    if (group === null || !outlived(this.#core)) return false
    this.#core.waiting = `Setting up encryption for the new key of ${store.meta.peer}.`
    const { seq, chain } = head ?? info
    if (caughtUp)
      loop.ask('renew', async () => {
        const door = { store, deps, loaded, link, info, head: { seq, chain } }
        const made = await create(door, group.generation + 1)
        return () => this.#entered(made, info)
      })
    return true
  }

  /** Gets into the group. */
  enter(link: Link, loaded: Loaded, info: RoomInfo): void {
    const { store, deps, loop, head } = this.#core
    const { seq, chain } = head ?? info
    loop.ask('enter', async () => {
      const door = { store, deps, loaded, link, info, head: { seq, chain } }
      const entered = await enter(door)
      return () => this.#entered(entered, info)
    })
  }

  /** `info` is what was known of the room when this device asked to be let in. */
  async #entered(entered: Entered, info: RoomInfo): Promise<void> {
    const core = this.#core
    core.waiting = entered.kind === 'wait' ? entered.text : ''
    if (entered.kind === 'wait') {
      // The Welcome may have come meanwhile.
      const ms = info.kind === 'lobby' ? PAUSE_MS : WELCOME_MS
      if (core.info === info) core.loop.pause('enter', ms)
      return
    }
    core.unlisted = ''
    // A commit of the old group has no place in a new one.
    await core.commit({ pending: null, ...this.#rejoined(entered.change) })
    // If this is lost, the same Welcome comes again and is found to be of no use.
    entered.after?.().catch(() => undefined)
    core.behind = true
    if (entered.change.group) this.#inviteAll()
  }

  /** In a private room, whoever makes the group asks everyone in without being told to. */
  #inviteAll(): void {
    const { store, deps } = this.#core
    const { peer } = store.meta
    if (peer === '') return
    const users = [peer, deps.me.user]
    this.#wish = { add: users.map((user) => ({ user, devices: undefined })), remove: [] }
  }

  /** Lines in the room about what a repair leaves behind, and about a new key. */
  #rejoined(change: Change): Change {
    const { store, deps } = this.#core
    if (!change.group) return change
    const { repair, peerKey } = store.meta
    const text = `${repair} It has joined again; what was written in between can’t be read here.`
    const at = deps.clock.now()
    const repaired = repair === '' ? [] : [{ k: 's', id: `repair-${at}`, text, at } as const]
    const key = keyOfPeer(change.group.state, deps)
    const meta = { ...change.meta, peerKey: key ?? peerKey }
    return { ...change, meta, items: [...repaired, ...newKeyLine(this.#core, key)] }
  }

  /** Makes the commit that is wished for, once everything that came before has been read. */
  change(link: Link, loaded: Loaded): void {
    const { caughtUp, store, deps, loop } = this.#core
    const { group, pending } = store
    const wish = this.#wish
    if (!caughtUp || group === null || pending !== null) return
    if (wish.add.length + wish.remove.length === 0) return
    loop.ask('change', async () => {
      const proposal = await proposeChange(link, deps, loaded, group, wish)
      return () => this.#propose(wish, proposal, loaded)
    })
  }

  async #propose(wish: Wish, { make, shut }: Proposal, { mls }: Loaded): Promise<void> {
    const core = this.#core
    const { group, pending, meta } = core.store
    const { peer } = meta
    const why = shut.get(peer)
    const away = why instanceof mls.Expired ? `${peer} ${AWAY_TOO_LONG}` : why?.message
    if (wish.add.some(({ user }) => user === peer))
      core.shut = away === undefined ? '' : `${away} ${KEPT_HERE} ${peer} comes back.`
    if (group === null || pending !== null) return
    const made = await make(group).catch((error) => this.#unfit(error))
    if (this.#wish === wish) this.#wish = NOTHING
    if (made === undefined) return
    await this.#core.commit({ pending: made })
    // Also of what was asked for while this was written.
    this.#underWay(made)
  }

  /** No fault of this device: the group has moved on meanwhile. The endpoint asks again. */
  #unfit(error: unknown): undefined {
    if (!(error instanceof SottoError) || error.code === 'unavailable') throw error
    this.#core.deps.fault(error)
  }

  /** Sends a commit whose fate is not known, the same bytes each time. */
  sendPending(link: Link): void {
    const { pending } = this.#core.store
    if (pending !== null) this.#core.loop.ask('commit', () => this.#send(link, pending))
  }

  async #send(link: Link, pending: Pending): Promise<Then> {
    const { msgId, mls, groupInfo, added, removed, welcome } = pending
    const given = welcome === null ? {} : { welcome }
    const commit = { groupInfo, added: [...added], removed: [...removed], ...given }
    try {
      const room = fromHex(this.#core.store.id)
      const place = await link.ask({ op: 'send', room, msgId, mls, commit })
      return () => this.#won(pending, place)
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      if (error.refusal.error === 'unavailable' || error.refusal.error === 'slow_down') throw error
      return () => this.#lost(pending, error)
    }
  }

  /** Our commit is in the log. A member meets it there; who joins from outside begins with it. */
  async #won(pending: Pending, place: { seq: number; chain: Bytes }): Promise<void> {
    const core = this.#core
    core.merge.hear(place.seq)
    const { mls, keys } = await core.load()
    this.#losses = 0
    if (core.store.pending !== pending || pending.kind !== 'join') return
    const group = {
      generation: pending.generation,
      state: await mls.decodeRoom(keys, pending.next),
    }
    const meta = { ...placed(core.store.meta.cursor, place), repair: '' }
    await core.commit(this.#rejoined({ group, pending: null, meta, links: [place] }))
  }

  /** Somebody else's commit came first, or ours is not wanted: make it anew on the next epoch. */
  async #lost(pending: Pending, refused: RefusedError): Promise<void> {
    const core = this.#core
    if (core.store.pending === pending) await core.commit({ pending: null })
    core.behind = true
    const ms = refused.code === 'stale_epoch' ? LOST_MS * this.#losses++ : PAUSE_MS
    core.loop.pause('enter', Math.min(ms, PAUSE_MS))
  }
}
