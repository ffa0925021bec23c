import { equal } from '../protocol/bytes.ts'
import type { DeviceRef } from '../protocol/messages.ts'
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

/**
 * Gets the key packages that a wish needs, and resolves to what makes the commit on the group as it
 * is then: undefined when there is nothing left to do.
 */
export async function proposeChange(
  link: Link,
  deps: RoomDeps,
  wish: Wish,
): Promise<(loaded: Loaded, group: Group) => Promise<Pending | undefined>> {
  const taken = await Promise.all(
    wish.add.map(async ({ user, devices }) => {
      const ask = { op: 'take_key_packages', user, ...(devices && { devices }) } as const
      const { packages } = await link.ask(ask)
      return packages.map((one) => ({ user, ...one }))
    }),
  )
  return async (loaded, group) => {
    const { mls } = loaded
    const members = mls.members(group.state)
    const isIn = (ref: DeviceRef) =>
      members.some(({ user, device }) => user === ref.user && equal(device, ref.device))
    const { me } = deps
    const isMe = (ref: DeviceRef) => ref.user === me.user && equal(ref.device, me.device)
    const named = wish.add.flatMap(({ user, devices }) =>
      (devices ?? []).map((device) => ({ user, device })),
    )
    const back = named.filter((ref) => taken.flat().some((one) => equal(one.device, ref.device)))
    const removes = [...wish.remove, ...back].filter((ref) => isIn(ref) && !isMe(ref))
    const leaving = (ref: DeviceRef) => removes.some((one) => equal(one.device, ref.device))
    const adds = taken.flat().filter((ref) => !isMe(ref) && (!isIn(ref) || leaving(ref)))
    if (adds.length + removes.length === 0) return undefined
    const trust = { verify: deps.verify, now: deps.clock.now() }
    const parts = { add: adds, remove: removes }
    const commit = await mls.change(group.state, parts, trust)
    return toPending('commit', commit, group.generation, loaded)
  }
}
