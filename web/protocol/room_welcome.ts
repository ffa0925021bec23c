/** Joining by a Welcome: how a device comes into a room that nobody joins from outside. */
import type { GroupInfo, PrivateKeyPackage, Welcome } from 'ts-mls'
import {
  ratchetTreeFromExtension,
  verifyGroupInfoConfirmationTag,
  verifyGroupInfoSignature,
} from 'ts-mls/groupInfo.js'
import type { GroupSecrets } from 'ts-mls/groupSecrets.js'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { deriveKeySchedule } from 'ts-mls/keySchedule.js'
import { decodeMlsMessage } from 'ts-mls/message.js'
import { pathToRoot } from 'ts-mls/pathSecrets.js'
import {
  mergePrivateKeyPaths,
  type PrivateKeyPath,
  toPrivateKeyPath,
} from 'ts-mls/privateKeyPath.js'
import { findLeafIndex } from 'ts-mls/ratchetTree.js'
import { createSecretTree } from 'ts-mls/secretTree.js'
import { type LeafIndex, leafToNodeIndex, leafWidth, toLeafIndex } from 'ts-mls/treemath.js'
import { firstCommonAncestor } from 'ts-mls/updatePath.js'
import { decryptGroupInfo, decryptGroupSecrets } from 'ts-mls/welcome.js'
import { equal } from './bytes.ts'
import { SottoError } from './errors.ts'
import { badMember } from './mls_credential.ts'
import { SUITE_NAME, type Suite } from './mls_provider.ts'
import {
  checkExpected,
  checkOwn,
  type Expected,
  MAX_GROUP_INFO,
  vetTree,
} from './room_group_info.ts'
import {
  type DeviceKeys,
  decodeKeyPackage,
  decodePrivate,
  type KeyPackagePair,
} from './room_keys.ts'
import { Gate, guarded, leaves, type Trust } from './room_rules.ts'
import type { RoomState } from './room_state.ts'
import { verifyTree } from './room_tree.ts'

type Tree = NonNullable<ReturnType<typeof ratchetTreeFromExtension>>

/**
 * Joins by a Welcome to one of `packages` and says which, so that it is deleted: a key package is
 * for one use. Throws SottoError `bad_member` when the group is not the expected one or anyone in
 * it may not be there, `decode_error` or `crypto_failed` when the Welcome is no good, and
 * `refused` when it is for none of the packages.
 */
export async function joinWelcome(
  keys: DeviceKeys,
  welcome: Uint8Array,
  packages: readonly KeyPackagePair[],
  expected: Expected,
  trust: Trust,
): Promise<{ state: RoomState; used: KeyPackagePair }> {
  const decoded = decodeWelcome(welcome)
  checkOwn(keys, expected.policy, trust.now)
  const used = await findPackage(keys.suite, decoded, packages)
  const state = await guarded(async () => {
    const { secrets, info, leaf } = await openWelcome(keys, decoded, used)
    checkExpected(info, expected)
    const gate = new Gate(expected.policy, trust, [])
    const roster = await vetTree(info, gate)
    await verifyInfo(info, leaf.tree, secrets, keys.suite)
    const group = await startEpoch(keys, info, secrets, leaf)
    await gate.judge()
    return { keys, policy: expected.policy, roster, group }
  })
  return { state, used }
}

/** Where in the tree this device is, and with which private key. */
interface OwnLeaf {
  readonly tree: Tree
  readonly index: LeafIndex
  readonly privateKey: PrivateKeyPackage
}

/** RFC 9420, 12.4.3.1 up to the GroupInfo; nothing of it is believed yet. */
async function openWelcome(
  keys: DeviceKeys,
  welcome: Welcome,
  used: KeyPackagePair,
): Promise<{ secrets: GroupSecrets; info: GroupInfo; leaf: OwnLeaf }> {
  const { suite } = keys
  const keyPackage = decodeKeyPackage(used.package)
  const privateKey = decodePrivate(keys, used.private)
  const ref = await makeKeyPackageRef(keyPackage, suite.hash)
  const initKey = await suite.hpke.importPrivateKey(privateKey.initPrivateKey)
  const secrets = await decryptGroupSecrets(initKey, ref, welcome, suite.hpke)
  if (!secrets || secrets.psks.length > 0) throw new RangeError('group secrets')
  const info = await decryptGroupInfo(welcome, secrets.joinerSecret, noPsk(suite), suite)
  if (!info) throw new RangeError('group info')
  const tree = ratchetTreeFromExtension(info)
  const index = tree && findLeafIndex(tree, keyPackage.leafNode)
  if (!tree || index === undefined) throw badMember('This device was not added to the room.')
  return { secrets, info, leaf: { tree, index, privateKey } }
}

/** The tree is sound, and the GroupInfo is by one of its members and of this very epoch. */
async function verifyInfo(
  info: GroupInfo,
  tree: Tree,
  { joinerSecret }: GroupSecrets,
  suite: Suite,
): Promise<void> {
  const { version, cipherSuite } = info.groupContext
  if (version !== 'mls10' || cipherSuite !== SUITE_NAME) throw new RangeError('another suite')
  const signer = leaves(tree).find(({ leaf }) => leaf === info.signer)
  const signed =
    signer &&
    (await verifyGroupInfoSignature(info, signer.node.signaturePublicKey, suite.signature))
  if (!signed) throw new RangeError('signature of the group info')
  await verifyTree(tree, info.groupContext, suite)
  if (!(await verifyGroupInfoConfirmationTag(info, joinerSecret, noPsk(suite), suite)))
    throw new RangeError('confirmation tag')
}

async function startEpoch(
  keys: DeviceKeys,
  info: GroupInfo,
  { joinerSecret, pathSecret }: GroupSecrets,
  { tree, index, privateKey }: OwnLeaf,
): Promise<RoomState['group']> {
  const { kdf } = keys.suite
  const own: PrivateKeyPath = {
    leafIndex: index,
    privateKeys: { [leafToNodeIndex(index)]: privateKey.hpkePrivateKey },
  }
  const [keySchedule, encryptionSecret] = await deriveKeySchedule(
    joinerSecret,
    noPsk(keys.suite),
    info.groupContext,
    kdf,
  )
  return {
    groupContext: info.groupContext,
    ratchetTree: tree,
    privatePath: pathSecret
      ? mergePrivateKeyPaths(await sharedPath(info, tree, index, pathSecret, keys.suite), own)
      : own,
    signaturePrivateKey: keys.signKey,
    confirmationTag: info.confirmationTag,
    unappliedProposals: {},
    keySchedule,
    secretTree: await createSecretTree(leafWidth(tree.length), encryptionSecret, kdf),
    historicalReceiverData: new Map(),
    groupActiveState: { kind: 'active' },
  }
}

/** The private keys of the ancestors that this device shares with the committer. */
async function sharedPath(
  { signer }: GroupInfo,
  tree: Tree,
  index: LeafIndex,
  pathSecret: Uint8Array,
  suite: Suite,
): Promise<PrivateKeyPath> {
  const ancestor = firstCommonAncestor(tree, index, toLeafIndex(signer))
  return toPrivateKeyPath(await pathToRoot(tree, ancestor, pathSecret, suite.kdf), index, suite)
}

function noPsk({ kdf }: Suite): Uint8Array {
  return new Uint8Array(kdf.size)
}

async function findPackage(
  suite: Suite,
  { secrets }: Welcome,
  packages: readonly KeyPackagePair[],
): Promise<KeyPackagePair> {
  for (const pair of packages) {
    const ref = await makeKeyPackageRef(decodeKeyPackage(pair.package), suite.hash)
    if (secrets.some(({ newMember }) => equal(newMember, ref))) return pair
  }
  throw new SottoError('refused', 'The room was opened to this device by keys that it has not got.')
}

function decodeWelcome(bytes: Uint8Array): Welcome {
  try {
    if (bytes.length > MAX_GROUP_INFO) throw new RangeError('too long')
    const [message, length] = decodeMlsMessage(new Uint8Array(bytes), 0) ?? []
    if (message?.wireformat !== 'mls_welcome' || length !== bytes.length)
      throw new RangeError('not a Welcome')
    if (message.welcome.cipherSuite !== SUITE_NAME) throw new RangeError('another suite')
    return message.welcome
  } catch (cause) {
    throw new SottoError('decode_error', 'The way into a room could not be read.', { cause })
  }
}
