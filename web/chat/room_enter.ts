import { type Bytes, concat, fromHex, u32 } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import type { DeviceRef, RoomInfo } from '../protocol/messages.ts'
import type { Pending as Commit } from './mls.ts'
import type { Link, Loaded, RoomDeps } from './room_deps.ts'
import { OldSelf } from './room_renewal.ts'
import type { Change, Cursor, Meta, Pending, RoomStore } from './room_store.ts'

/** How this device got into a room's group, or what it waits for. */
export type Entered =
  | { readonly kind: 'change'; readonly change: Change; after?(): Promise<unknown> }
  /** What has to happen first, for people. */
  | { readonly kind: 'wait'; readonly text: string }

interface Door {
  readonly store: RoomStore
  readonly deps: RoomDeps
  readonly loaded: Loaded
  readonly link: Link
  readonly info: RoomInfo
  /** The log's end as it was when this device subscribed. */
  readonly head: Cursor
}

/**
 * Brings this device into the room's group: as its maker, from outside (lobby), or by a Welcome.
 * What comes out is still to be written; an external commit is then sent like any other. Throws
 * SottoError `bad_member` when somebody is in the group who may not be.
 */
export async function enter(door: Door): Promise<Entered> {
  if (door.info.kind === 'lobby')
    return (await createFirst(door)) ?? (await joinFromOutside(door)) ?? createNext(door)
  const welcomed = await useWelcome(door)
  if (welcomed !== undefined) return welcomed
  const made = await createFirst(door)
  if (made !== undefined) return made
  const { generation } = await door.link.ask({ op: 'rejoin', room: door.info.room })
  if (generation !== null) return create(door, generation)
  return { kind: 'wait', text: `Waiting for a device of ${door.store.meta.peer} to let you in.` }
}

/** Makes the room's first group, unless there is one or somebody else is quicker. */
async function createFirst(door: Door): Promise<Entered | undefined> {
  if (door.info.generation !== null) return undefined
  try {
    return await create(door, 0)
  } catch (error) {
    if (error instanceof SottoError && error.code === 'stale_epoch') return undefined
    throw error
  }
}

function unlessNone(error: unknown): undefined {
  if (!(error instanceof SottoError) || error.code !== 'stale_epoch') throw error
}

/** `room[16] ‖ u32 generation`. */
export function groupIdOf(room: string, generation: number): Bytes {
  return concat(fromHex(room), u32(generation))
}

/** Makes a group of this generation with this device alone, from keys that are trusted. */
export async function create(door: Door, generation: number): Promise<Entered> {
  const { store, deps, loaded, link, info } = door
  const { mls, keys } = loaded
  const id = groupIdOf(store.id, generation)
  const made = await mls.createRoom(keys, id, await policyOf(door), deps.clock.now())
  const { groupInfo } = made
  await link.ask({ op: 'create_group', room: info.room, generation, groupInfo })
  const group = { generation, state: made.state }
  return {
    kind: 'change',
    change: { group, meta: { ...placed(store.meta.cursor, door.head), repair: '' } },
  }
}

/** There is no group any more, or none that lets this device in: makes the next one when it may. */
async function createNext(door: Door, problem?: SottoError): Promise<Entered> {
  const { generation } = await door.link.ask({ op: 'rejoin', room: door.info.room })
  if (generation !== null) return create(door, generation)
  throw problem ?? new SottoError('unavailable', 'Somebody else is opening the room. Trying again.')
}

const BROKEN: ReadonlySet<string> = new Set(['decode_error', 'crypto_failed'])

/** Undefined when there is no group to join. */
async function joinFromOutside(door: Door): Promise<Entered | undefined> {
  const { store, deps, loaded, link, info } = door
  const { mls, keys } = loaded
  const found = await link.ask({ op: 'group_info', room: info.room }).catch(unlessNone)
  if (found === undefined) return undefined
  const { generation, epoch, groupInfo } = found
  const groupId = groupIdOf(store.id, generation)
  const expected = { groupId, policy: await policyOf(door), epoch }
  const trust = { verify: deps.verify, now: deps.clock.now() }
  try {
    const commit = await mls.joinExternal(keys, groupInfo, expected, trust)
    const pending = toPending('join', commit, generation, loaded)
    return { kind: 'change', change: { pending } }
  } catch (error) {
    if (error instanceof OldSelf) return { kind: 'wait', text: error.message }
    // What makes no sense to this device makes none to anybody. (Whom it refuses is another matter:
    // it may have a wrong clock, or a key to decide on, and others be at home there.)
    if (!(error instanceof SottoError)) throw error
    if (BROKEN.has(error.code) || error instanceof mls.OtherGroup) return createNext(door, error)
    throw error
  }
}

async function useWelcome(door: Door): Promise<Entered | undefined> {
  const { store, deps, loaded, link, info } = door
  const { welcome } = await link.ask({ op: 'welcome', room: info.room })
  if (welcome === null) return undefined
  const after = () => link.ask({ op: 'welcome_done', room: info.room, welcome: welcome.id })
  const stored = await deps.keyPackages()
  const expected = {
    groupId: groupIdOf(store.id, welcome.generation),
    policy: await policyOf(door),
  }
  const trust = { verify: deps.verify, now: deps.clock.now() }
  try {
    const { mls, keys } = loaded
    const packages = [...stored.values()]
    const joined = await mls.joinWelcome(keys, welcome.mls, packages, expected, trust)
    const used = [...stored].find(([, pair]) => pair === joined.used)
    const others = new Map<string, unknown>()
    if (used !== undefined && !used[1].last) others.set(used[0], undefined)
    const group = { generation: welcome.generation, state: joined.state }
    const meta = { ...placed(store.meta.cursor, welcome), repair: '' }
    const links = [{ seq: welcome.seq, chain: welcome.chain }]
    return { kind: 'change', change: { group, meta, links, others }, after }
  } catch (error) {
    if (!(error instanceof SottoError) || error.code === 'unavailable') throw error
    // Of no use: it must not stand in the way of the next one.
    await after()
    if (error.code === 'bad_member') throw error
    return undefined
  }
}

/**
 * Where reading goes on. A device that was here before verifies the chain of what it missed, up
 * to the place from which it can open messages; a new one begins at that place.
 */
export function placed(cursor: Cursor | null, at: Cursor): Pick<Meta, 'cursor' | 'from'> {
  if (cursor !== null && cursor.seq < at.seq) return { cursor, from: at.seq }
  return { cursor: cursor ?? { seq: at.seq, chain: at.chain }, from: at.seq }
}

async function policyOf(door: Door) {
  const { deps, loaded, info, store } = door
  if (info.kind === 'lobby') return { kind: 'open', host: loaded.host } as const
  const peer = deps.trust.person(store.meta.peer)
  if (peer === undefined || peer.changed !== null)
    throw new SottoError('bad_member', `The key of ${store.meta.peer} is not the one you know.`)
  const me = { user: deps.me.user, fingerprint: deps.me.fingerprint }
  const members = [me, { user: peer.user, fingerprint: peer.fingerprint }]
  return { kind: 'members', host: loaded.host, members } as const
}

/** A commit as it is kept until its fate is known. */
export function toPending(
  kind: Pending['kind'],
  commit: Commit,
  generation: number,
  { mls }: Loaded,
): Pending {
  const refs = (list: readonly DeviceRef[]) => list.map(({ user, device }) => ({ user, device }))
  return {
    kind,
    msgId: crypto.getRandomValues(new Uint8Array(16)),
    mls: commit.mls,
    generation,
    next: mls.encodeRoom(commit.state),
    groupInfo: commit.groupInfo,
    added: refs(commit.added),
    removed: refs(commit.removed),
    welcome: commit.welcome ?? null,
  }
}
