/** A room as one of its devices holds it: a value that no function changes. */
import type { ClientState, EpochReceiverData, GroupState, RatchetTree, SecretTree } from 'ts-mls'
import { decodeGroupState, encodeGroupState } from 'ts-mls/clientState.js'
import { decodeNode, encodeNode } from 'ts-mls/ratchetTree.js'
import { type Bytes, concat, lp32, Reader, u8, u32 } from './bytes.ts'
import { SottoError } from './errors.ts'
import { type Binding, readBinding } from './mls_credential.ts'
import { type Policy, readPolicy } from './mls_policy.ts'
import type { DeviceKeys } from './room_keys.ts'
import { clientConfig, type Gate, leaves, type Member } from './room_rules.ts'

export interface RoomState {
  readonly keys: DeviceKeys
  readonly policy: Policy
  /** By leaf index, ascending. */
  readonly roster: readonly Member[]
  /** ts-mls's own. */
  readonly group: GroupState
}

type Node = NonNullable<RatchetTree[number]>
type Trees = readonly RatchetTree[]

const STATE_VERSION = 1
/** Stands where ts-mls wants a tree; the trees themselves are written once, node by node. */
const NO_TREE: RatchetTree = [
  {
    nodeType: 'parent',
    parent: { hpkePublicKey: new Uint8Array(0), parentHash: new Uint8Array(0), unmergedLeaves: [] },
  },
]

const NO_RATCHET = { secret: new Uint8Array(0), generation: 0, unusedGenerations: {} }

/** The devices that can read what is written now, by the group's own tree. */
export function members(state: RoomState): Binding[] {
  return state.roster.map(({ binding }) => binding)
}

export function epoch({ group }: RoomState): number {
  return Number(group.groupContext.epoch)
}

/** Whether this device was in the group in that epoch, and still has the keys that it had then. */
export function wasIn({ group }: RoomState, epoch: number): boolean {
  const now = Number(group.groupContext.epoch)
  return epoch === now || group.historicalReceiverData.has(BigInt(epoch))
}

/** `room[16] ‖ u32 generation`. */
export function groupId({ group }: RoomState): Bytes {
  return new Uint8Array(group.groupContext.groupId)
}

/** Whether this device was removed: it can open nothing of any later epoch. */
export function isRemoved({ group }: RoomState): boolean {
  return group.groupActiveState.kind === 'removedFromGroup'
}

/** The state for ts-mls, with what this operation judges by. */
export function clientState({ group }: RoomState, gate: Gate, padTo: number): ClientState {
  return { ...group, clientConfig: clientConfig(gate, padTo) }
}

/** The other way: what ts-mls was configured with is no part of the state. */
export function groupState({ clientConfig: _, ...group }: ClientState): GroupState {
  return group
}

/**
 * Everything but the device's keys. Trees of neighbouring epochs share most of their nodes, so
 * each node is written once: `u8 version ‖ lp32 group ‖ u32 count ‖ count × lp32 node ‖ trees`,
 * each tree being `u32 length ‖ length × u32`, 0 for a blank node, else its number from 1; first
 * the current epoch's, then the kept ones'.
 */
export function encodeRoom({ group }: RoomState): Bytes {
  const history = [...group.historicalReceiverData]
  const trees = [group.ratchetTree, ...history.map(([, data]) => data.ratchetTree)]
  const numbers = numberNodes(trees)
  const bare: GroupState = {
    ...group,
    signaturePrivateKey: new Uint8Array(0),
    ratchetTree: NO_TREE,
    secretTree: withoutParents(group.secretTree),
    historicalReceiverData: new Map(
      history.map(([at, data]) => {
        const secretTree = withoutParents(data.secretTree)
        return [at, { ...data, secretTree, ratchetTree: NO_TREE }]
      }),
    ),
  }
  return concat(
    u8(STATE_VERSION),
    lp32(encodeGroupState(bare)),
    u32(numbers.size),
    ...[...numbers.keys()].map((node) => lp32(encodeNode(node))),
    ...trees.flatMap((tree) => [
      u32(tree.length),
      ...tree.map((node) => u32(node ? (numbers.get(node) ?? 0) : 0)),
    ]),
  )
}

/** Throws SottoError `decode_error` when `bytes` are not what {@link encodeRoom} made. */
export async function decodeRoom(keys: DeviceKeys, bytes: Uint8Array): Promise<RoomState> {
  try {
    const reader = new Reader(bytes)
    if (reader.u8() !== STATE_VERSION) throw new RangeError('unknown version')
    const [bare] = decodeGroupState(reader.lp32(), 0) ?? []
    if (!bare) throw new RangeError('not a group state')
    const group = restore(bare, keys, readTrees(reader, bare.historicalReceiverData.size + 1))
    reader.end()
    const policy = readPolicy(group.groupContext.extensions)
    return { keys, policy, group, roster: await storedRoster(group.ratchetTree) }
  } catch (cause) {
    throw new SottoError('decode_error', 'The stored state of a room is damaged.', { cause })
  }
}

/** Only leaves send: what ts-mls derives for the nodes above them is never used. */
function withoutParents(tree: SecretTree): SecretTree {
  return tree.map((node, i) =>
    i % 2 === 0 ? node : { handshake: NO_RATCHET, application: NO_RATCHET },
  )
}

function restore(bare: GroupState, keys: DeviceKeys, trees: Trees): GroupState {
  const [ratchetTree, ...past] = trees
  if (!ratchetTree) throw new RangeError('no tree')
  const history = new Map<bigint, EpochReceiverData>()
  for (const [at, data] of bare.historicalReceiverData) {
    const tree = past[history.size]
    if (tree) history.set(at, { ...data, ratchetTree: tree })
  }
  return {
    ...bare,
    ratchetTree,
    historicalReceiverData: history,
    signaturePrivateKey: keys.signKey,
  }
}

function numberNodes(trees: Trees): Map<Node, number> {
  const numbers = new Map<Node, number>()
  for (const tree of trees)
    for (const node of tree) if (node && !numbers.has(node)) numbers.set(node, numbers.size + 1)
  return numbers
}

function readTrees(reader: Reader, count: number): RatchetTree[] {
  const nodes = Array.from({ length: reader.u32() }, () => {
    const [node] = decodeNode(reader.lp32(), 0) ?? []
    if (!node) throw new RangeError('not a node')
    return node
  })
  return Array.from({ length: count }, () =>
    Array.from({ length: reader.u32() }, () => {
      const number = reader.u32()
      if (number > nodes.length) throw new RangeError('no such node')
      return nodes[number - 1]
    }),
  )
}

/** What is stored was verified before it was stored: it is only read. */
function storedRoster(tree: RatchetTree): Promise<Member[]> {
  return Promise.all(
    leaves(tree).map(async ({ leaf, node }) => {
      if (node.credential.credentialType !== 'basic') throw new RangeError('no binding')
      const binding = await readBinding(node.credential.identity, node.signaturePublicKey)
      return { leaf, binding }
    }),
  )
}
