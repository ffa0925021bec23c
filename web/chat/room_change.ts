import { type Bytes, equal, hex } from '../protocol/bytes.ts'
import type { SottoError } from '../protocol/errors.ts'
import type { DeviceRef } from '../protocol/messages.ts'
import type { Addition } from './mls.ts'
import type { Link, Loaded, RoomDeps } from './room_deps.ts'
import { toPending } from './room_enter.ts'
import type { Group, Pending } from './room_store.ts'

/** Who should come into a room's group and who should leave it. */
export interface Wish {
  /**
   * All devices of the person that are not in when `devices` is undefined. One that is named and is
   * in has lost its state: its old leaf goes with the same commit.
   */
  readonly add: readonly {
    readonly user: string
    readonly devices: Uint8Array<ArrayBuffer>[] | undefined
  }[]
  readonly remove: readonly DeviceRef[]
}

/** More packages than a device has: who is given others still is given no good ones. */
const MOST_ROUNDS = 24

/** What a wish comes to. */
export interface Proposal {
  /** The commit on the group as it is by then; undefined when there is nothing left to do. */
  make(group: Group): Promise<Pending | undefined>
  /** Why none of a person's devices can be let in, by name. */
  readonly shut: ReadonlyMap<string, SottoError>
}

/** Gets the key packages that a wish needs: of each device the first that is of use. */
export async function proposeChange(
  link: Link,
  deps: RoomDeps,
  loaded: Loaded,
  group: Group,
  wish: Wish,
): Promise<Proposal> {
  const { me } = deps
  const trust = () => ({ verify: deps.verify, now: deps.clock.now() })
  const isMe = (ref: DeviceRef) => ref.user === me.user && equal(ref.device, me.device)
  const isIn = (ref: DeviceRef, { state }: Group) =>
    loaded.mls
      .members(state)
      .some(({ user, device }) => user === ref.user && equal(device, ref.device))

  const problem = (one: Addition) => loaded.mls.problemWith(group.state, one, trust())

  const taken: Addition[] = []
  const shut = new Map<string, SottoError>()
  for (const { user, devices } of wish.add) {
    const ofUser = await takeUseful(link, deps, user, devices, problem)
    taken.push(...ofUser.useful)
    if (ofUser.useful.length === 0 && ofUser.why !== undefined) shut.set(user, ofUser.why)
  }

  const make = async (now: Group): Promise<Pending | undefined> => {
    const named = wish.add.flatMap(({ user, devices }) =>
      (devices ?? []).map((device) => ({ user, device })),
    )
    const back = named.filter((ref) => taken.some((one) => equal(one.device, ref.device)))
    const removes = [...wish.remove, ...back].filter((ref) => isIn(ref, now) && !isMe(ref))
    const leaving = (ref: DeviceRef) => removes.some((one) => equal(one.device, ref.device))
    const adds = taken.filter((ref) => !isMe(ref) && (!isIn(ref, now) || leaving(ref)))
    if (adds.length + removes.length === 0) return undefined
    const commit = await loaded.mls.change(now.state, { add: adds, remove: removes }, trust())
    return toPending('commit', commit, now.generation, loaded)
  }
  return { make, shut }
}

/**
 * Packages that are of no use are passed over and the next are taken, until one comes again: the
 * last resort, which stays.
 */
async function takeUseful(
  link: Link,
  deps: RoomDeps,
  user: string,
  devices: readonly Bytes[] | undefined,
  problem: (one: Addition) => Promise<SottoError | undefined>,
): Promise<{ useful: Addition[]; why: SottoError | undefined }> {
  const useful: Addition[] = []
  const tried = new Set<string>()
  let why: SottoError | undefined
  let asked = devices && [...devices]
  for (let round = 0; round < MOST_ROUNDS && asked?.length !== 0; round++) {
    const ask = { op: 'take_key_packages', user, ...(asked && { devices: asked }) } as const
    const { packages } = await link.ask(ask)
    asked = []
    for (const one of packages) {
      const found = await problem({ user, ...one })
      const name = hex(one.package)
      if (found === undefined) useful.push({ user, ...one })
      // To a changed key nobody is let in, whatever the package.
      else if (!tried.has(name) && deps.trust.word(user) !== 'changed') asked.push(one.device)
      why = found ?? why
      tried.add(name)
    }
  }
  return { useful, why }
}
