/**
 * A room's group from the inside: making it, joining it, changing who is in it, and sealing
 * messages (PROTOCOL.md, "Rooms"). Every function returns a new state and leaves the old one as it
 * was. Opening is in room_open.ts.
 */
import type { Proposal } from 'ts-mls'
import { createGroup } from 'ts-mls/clientState.js'
import { createCommit, joinGroupExternal } from 'ts-mls/createCommit.js'
import { createApplicationMessage } from 'ts-mls/createMessage.js'
import { verifyKeyPackage } from 'ts-mls/keyPackage.js'
import { encodeMlsMessage } from 'ts-mls/message.js'
import { emptyPskIndex } from 'ts-mls/pskIndex.js'
import { type Bytes, EMPTY, equal } from './bytes.ts'
import { SottoError } from './errors.ts'
import type { DeviceRef } from './messages.ts'
import { type Binding, badMember, Expired, endsSoon } from './mls_credential.ts'
import { MAX_MLS } from './mls_header.ts'
import { checkAllowed, type Policy, policyExtension } from './mls_policy.ts'
import {
  checkExpected,
  checkOwn,
  decodeGroupInfo,
  type Expected,
  publicGroupInfo,
  vetTree,
} from './room_group_info.ts'
import { type DeviceKeys, decodeKeyPackage, makeKeyPackage } from './room_keys.ts'
import {
  checkPackage,
  clientConfig,
  Gate,
  guarded,
  isDevice,
  isSameDevice,
  type Member,
  readRoster,
  type Trust,
} from './room_rules.ts'
import { clientState, epoch, groupState, isRemoved, type RoomState } from './room_state.ts'

/** Ed25519's signature and the length fields around it and the body. */
const CONTENT_OVERHEAD = 4 + 2 + 64
/** Commits: their length is by how many they are for, which the endpoint knows. */
const PAD_COMMIT = 256

/**
 * A commit that nobody has taken yet. Accepted: `state` is the room's from then on. Refused as
 * stale: open the winner's commit on the old state and make the change again.
 */
export interface Pending {
  readonly mls: Bytes
  readonly state: RoomState
  /** For the endpoint to hand to those who join from outside; empty unless the room is open. */
  readonly groupInfo: Bytes
  /** One for all who are added. */
  readonly welcome: Bytes | undefined
  readonly added: readonly Binding[]
  readonly removed: readonly Binding[]
  /** The epoch that it ends. */
  readonly epoch: number
}

/** A new group with this device alone, for others to join. */
export async function createRoom(
  keys: DeviceKeys,
  groupId: Bytes,
  policy: Policy,
  now: number,
): Promise<{ state: RoomState; groupInfo: Bytes }> {
  checkAllowed(policy, keys.binding)
  const { publicPackage, privatePackage } = await makeKeyPackage(keys, now)
  const gate = new Gate(policy, trusting(now), [])
  const made = await createGroup(
    groupId,
    publicPackage,
    privatePackage,
    [policyExtension(policy)],
    keys.suite,
    clientConfig(gate, PAD_COMMIT),
  )
  const roster = [{ leaf: 0, binding: keys.binding }]
  const state = { keys, policy, roster, group: groupState(made) }
  return { state, groupInfo: await publicGroupInfo(made, policy, keys) }
}

/**
 * Joins an open room from outside. A leaf that this device had before gives way to the new one.
 * Throws SottoError `bad_member` when the group is not the expected one or anyone in it may not be
 * there, `decode_error` or `crypto_failed` when `groupInfo` is no good.
 */
export async function joinExternal(
  keys: DeviceKeys,
  groupInfo: Uint8Array,
  expected: Expected,
  trust: Trust,
  aad: Bytes = EMPTY,
): Promise<Pending> {
  const info = decodeGroupInfo(groupInfo)
  checkExpected(info, expected)
  if (expected.policy.kind !== 'open')
    throw badMember('Nobody joins this room from outside: a member has to add this device.')
  checkOwn(keys, expected.policy, trust.now)
  const gate = new Gate(expected.policy, trust, [])
  return guarded(async () => {
    const before = await vetTree(info, gate)
    const old = before.find(({ binding }) => isSameDevice(binding, keys.binding))
    const { publicPackage, privatePackage } = await makeKeyPackage(keys, trust.now)
    const { publicMessage, newState } = await joinGroupExternal(
      info,
      publicPackage,
      privatePackage,
      old !== undefined,
      keys.suite,
      undefined,
      clientConfig(gate, PAD_COMMIT, old !== undefined),
      aad,
    )
    await gate.validateCredential(publicPackage.leafNode.credential, keys.binding.signatureKey)
    const roster = readRoster(newState.ratchetTree, without(before, old ? [old] : []), gate)
    await gate.judge()
    const wrapped = { version: 'mls10', wireformat: 'mls_public_message', publicMessage } as const
    return {
      mls: checkSize(encodeMlsMessage(wrapped) as Bytes),
      state: { keys, policy: expected.policy, roster, group: groupState(newState) },
      groupInfo: await publicGroupInfo(newState, expected.policy, keys),
      welcome: undefined,
      added: [keys.binding],
      removed: old ? [old.binding] : [],
      epoch: Number(info.groupContext.epoch),
    }
  })
}

/** A key package, and the device that it was asked for. */
export interface Addition extends DeviceRef {
  readonly package: Uint8Array
}

/**
 * One commit that adds devices by their key packages, removes devices, or (with neither) renews
 * this device's keys. Devices whose binding has ended are removed along with it. A device that is
 * in already gives way to its new package; with the same signature key it can only be removed now
 * and added by the next commit: `added` says what was done. In an open room nobody is added.
 * Devices to remove that are not in are passed over.
 */
export async function change(
  state: RoomState,
  { add = [], remove = [] }: { add?: readonly Addition[]; remove?: readonly DeviceRef[] },
  trust: Trust,
  aad: Bytes = EMPTY,
): Promise<Pending> {
  checkActive(state)
  const { keys, policy } = state
  if (add.length > 0 && policy.kind === 'open')
    throw badMember('Nobody is added to this room: each device joins by itself.')
  const gate = new Gate(policy, trust, state.roster)
  return guarded(async () => {
    const plan = await makePlan(state, gate, add, remove, trust.now)
    const { newState, commit, welcome } = await createCommit(
      {
        state: clientState(state, gate, PAD_COMMIT),
        cipherSuite: keys.suite,
        pskIndex: emptyPskIndex,
      },
      { extraProposals: plan.proposals, ratchetTreeExtension: true, authenticatedData: aad },
    )
    const roster = readRoster(newState.ratchetTree, without(state.roster, plan.removed), gate)
    await gate.judge()
    return {
      mls: checkSize(encodeMlsMessage(commit) as Bytes),
      state: { ...state, roster, group: groupState(newState) },
      groupInfo: await publicGroupInfo(newState, policy, keys),
      welcome:
        welcome &&
        (encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome }) as Bytes),
      added: plan.added,
      removed: plan.removed.map(({ binding }) => binding),
      epoch: epoch(state),
    }
  })
}

/**
 * Why a device can't be added by this package, as `change` would find out. A commit made only to
 * see that would use keys of the state which the real one uses again.
 */
export async function problemWith(
  { policy, roster, keys }: RoomState,
  addition: Addition,
  trust: Trust,
): Promise<SottoError | undefined> {
  try {
    const gate = new Gate(policy, trust, roster)
    const { keyPackage } = await vet(gate, addition, trust.now)
    if (!(await verifyKeyPackage(keyPackage, keys.suite.signature)))
      return badMember(`The keys of a device of ${addition.user} are not signed by it.`)
    await gate.judge()
    return undefined
  } catch (error) {
    if (error instanceof SottoError && error.code !== 'unavailable') return error
    throw error
  }
}

/** Seals one application message; `aad` (the sender's view) travels in clear, authenticated. */
export async function seal(
  state: RoomState,
  body: Uint8Array,
  aad: Bytes,
): Promise<{ state: RoomState; mls: Bytes }> {
  checkActive(state)
  // Sealing meets no leaf that is new: a gate that knows nobody lets nobody in.
  const gate = new Gate(state.policy, trusting(0), [])
  const padded = clientState(state, gate, padTo(body.length + CONTENT_OVERHEAD))
  const made = await createApplicationMessage(padded, body, state.keys.suite, aad)
  const { privateMessage } = made
  const message = { version: 'mls10', wireformat: 'mls_private_message', privateMessage } as const
  const mls = checkSize(encodeMlsMessage(message) as Bytes)
  return { state: { ...state, group: groupState(made.newState) }, mls }
}

/** Steps of 256 bytes up to 4 KiB, then of 1 KiB: the steps of records. */
export function padTo(length: number): number {
  const step = length <= 4096 ? 256 : 1024
  return Math.ceil(length / step) * step
}

interface Plan {
  readonly proposals: Proposal[]
  readonly added: Binding[]
  readonly removed: Member[]
}

async function makePlan(
  state: RoomState,
  gate: Gate,
  add: readonly Addition[],
  remove: readonly DeviceRef[],
  now: number,
): Promise<Plan> {
  const added: Binding[] = []
  const proposals: Proposal[] = []
  const removed = state.roster.filter(({ leaf, binding }) => {
    const asked = remove.some((device) => isDevice(device, binding))
    if (isMe(state, leaf) && asked) throw badMember('A device can only be removed by another one.')
    return !isMe(state, leaf) && (asked || binding.notAfter < now / 1000)
  })
  for (const addition of add) {
    const { keyPackage, binding } = await vet(gate, addition, now)
    const before = state.roster.find((member) => isSameDevice(member.binding, binding))
    if (before && isMe(state, before.leaf)) throw badMember('This device is in the room already.')
    if (before && !removed.includes(before)) removed.push(before)
    if (before && equal(before.binding.signatureKey, binding.signatureKey)) continue
    added.push(binding)
    proposals.push({ proposalType: 'add', add: { keyPackage } })
  }
  const removals = removed.map(
    ({ leaf }): Proposal => ({ proposalType: 'remove', remove: { removed: leaf } }),
  )
  return { proposals: [...removals, ...proposals], added, removed }
}

/** Throws SottoError `bad_member`, `Expired` among them, or `decode_error` for what can't be added. */
async function vet(gate: Gate, addition: Addition, now: number) {
  const keyPackage = decodeKeyPackage(addition.package)
  checkPackage(keyPackage, now)
  const { credential, signaturePublicKey } = keyPackage.leafNode
  await gate.validateCredential(credential, signaturePublicKey)
  const binding = gate.find(keyPackage.leafNode)
  if (!isDevice(addition, binding))
    throw badMember(`For a device of ${addition.user} the server gave the keys of another.`)
  if (endsSoon(binding, now))
    throw new Expired(`A device of ${binding.user} has to renew its keys.`)
  return { keyPackage, binding }
}

function isMe({ group }: RoomState, leaf: number): boolean {
  return group.privatePath.leafIndex === leaf
}

function without(roster: readonly Member[], removed: readonly Member[]): Member[] {
  return roster.filter((member) => !removed.includes(member))
}

function checkActive(state: RoomState): void {
  if (isRemoved(state)) throw new SottoError('refused', 'This device is not in the room any more.')
}

function checkSize(mls: Bytes): Bytes {
  if (mls.length > MAX_MLS) throw new SottoError('limit', 'This is too long to be sent to a room.')
  return mls
}

function trusting(now: number): Trust {
  return { now, verify: async () => {} }
}
