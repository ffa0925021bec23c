/** People for tests of rooms: real RSA identities, their devices, and judgements to judge by. */
import { type Bytes, u32, utf8 } from '../../web/protocol/bytes.ts'
import type { Signer } from '../../web/protocol/identity.ts'
import type { Policy } from '../../web/protocol/mls_policy.ts'
import { mlsSuite, type Suite } from '../../web/protocol/mls_provider.ts'
import type { Pending } from '../../web/protocol/room.ts'
import { type Addition, change, createRoom, joinExternal } from '../../web/protocol/room.ts'
import type { Expected } from '../../web/protocol/room_group_info.ts'
import { type DeviceKeys, makeDeviceKeys, makeKeyPackages } from '../../web/protocol/room_keys.ts'
import { type Opened, open } from '../../web/protocol/room_open.ts'
import type { Trust } from '../../web/protocol/room_rules.ts'
import type { RoomState } from '../../web/protocol/room_state.ts'
import { joinWelcome } from '../../web/protocol/room_welcome.ts'

export const NOW = Date.now()
export const DAY = 86_400_000
export const HOST = new Uint8Array(32).fill(7)
export const TRUST: Trust = { now: NOW, verify: async () => {} }

const identities = new Map<string, Promise<Signer>>()
let suite: Promise<Suite> | undefined

export function theSuite(): Promise<Suite> {
  suite ??= mlsSuite()
  return suite
}

/** The identity of `name`: the same one each time within a run. */
export function person(name: string): Promise<Signer> {
  let identity = identities.get(name)
  if (!identity) {
    identity = makeIdentity()
    identities.set(name, identity)
  }
  return identity
}

export async function fingerprintOf(name: string): Promise<Bytes> {
  const { spki } = await person(name)
  return new Uint8Array(await crypto.subtle.digest('SHA-256', spki))
}

/** Keys for the device of `name` that is numbered `number`. */
export async function device(
  name: string,
  number = 1,
  over: Partial<Parameters<typeof makeDeviceKeys>[0]> = {},
): Promise<DeviceKeys> {
  return makeDeviceKeys({
    suite: await theSuite(),
    identity: await person(name),
    user: name,
    device: deviceId(number),
    hostKeyHash: HOST,
    now: NOW,
    ...over,
  })
}

export function deviceId(number: number): Bytes {
  const id = new Uint8Array(16)
  id.set(u32(number))
  return id
}

export const OPEN: Policy = { kind: 'open', host: HOST }

export async function only(...names: string[]): Promise<Policy> {
  const members = names.map(async (user) => ({ user, fingerprint: await fingerprintOf(user) }))
  return { kind: 'members', host: HOST, members: await Promise.all(members) }
}

export function expected(policy: Policy, generation = 1): Expected {
  return { groupId: group(generation), policy }
}

export function group(generation = 1): Bytes {
  const id = new Uint8Array(20)
  id.set(utf8('a room for tests'))
  id.set(u32(generation), 16)
  return id
}

/** Takes one message of the log at each of `states`. */
export async function openAll(
  states: readonly RoomState[],
  mls: Bytes,
): Promise<{ states: RoomState[]; opened: Opened[] }> {
  const done = await Promise.all(states.map((state) => open(state, mls, TRUST)))
  return { states: done.map(({ state }) => state), opened: done.map(({ opened }) => opened) }
}

/** A room whose devices are all in the same epoch, one state each, in the order of `keys`. */
export async function roomOf(policy: Policy, keys: readonly DeviceKeys[]): Promise<RoomState[]> {
  const [first, ...others] = keys
  if (!first) return []
  const made = await createRoom(first, group(), policy, NOW)
  let states = [made.state]
  let { groupInfo } = made
  for (const next of others) {
    const [adder, ...rest] = states as [RoomState, ...RoomState[]]
    if (policy.kind === 'open') {
      const joined = await joinExternal(next, groupInfo, expected(policy), TRUST)
      states = [...(await openAll(states, joined.mls)).states, joined.state]
      groupInfo = joined.groupInfo
    } else {
      const { pending, state } = await welcomed(adder, next)
      states = [pending.state, ...(await openAll(rest, pending.mls)).states, state]
    }
  }
  return states
}

/** Has `adder` add a device, which then joins by the Welcome: `state` is the device's. */
export async function welcomed(
  adder: RoomState,
  keys: DeviceKeys,
): Promise<{ pending: Pending; state: RoomState }> {
  const packages = await makeKeyPackages(keys, 1, NOW)
  const pending = await change(adder, { add: packages.map((p) => adding(keys, p)) }, TRUST)
  const welcome = pending.welcome ?? new Uint8Array(0)
  const expect = expected(adder.policy)
  const { state } = await joinWelcome(keys, welcome, packages, expect, TRUST)
  return { pending, state }
}

/** What `change` takes to add this device by this key package. */
export function adding({ binding }: DeviceKeys, pair: { package: Bytes }): Addition {
  return { user: binding.user, device: binding.device, package: pair.package }
}

async function makeIdentity(): Promise<Signer> {
  const algorithm = { name: 'RSA-PSS', hash: 'SHA-256', modulusLength: 2048 }
  const publicExponent = Uint8Array.of(1, 0, 1)
  const pair = (await crypto.subtle.generateKey({ ...algorithm, publicExponent }, false, [
    'sign',
    'verify',
  ])) as CryptoKeyPair
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey))
  const pss = { name: 'RSA-PSS', saltLength: 32 }
  const sign = async (data: Bytes) =>
    new Uint8Array(await crypto.subtle.sign(pss, pair.privateKey, data))
  return { spki, sign }
}
