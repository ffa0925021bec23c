/** What those who join are told of a group, and whether it is the group that they want. */
import type { ClientState, GroupInfo } from 'ts-mls'
import { createGroupInfoWithExternalPubAndRatchetTree } from 'ts-mls/createCommit.js'
import { ratchetTreeFromExtension } from 'ts-mls/groupInfo.js'
import { decodeMlsMessage, encodeMlsMessage } from 'ts-mls/message.js'
import { type Bytes, EMPTY, equal } from './bytes.ts'
import { SottoError } from './errors.ts'
import { checkValidity } from './mls_credential.ts'
import { checkAllowed, type Policy, readPolicy, samePolicy } from './mls_policy.ts'
import type { DeviceKeys } from './room_keys.ts'
import { type Gate, leaves, type Member, readRoster } from './room_rules.ts'

/** The longest GroupInfo or Welcome, as the endpoint takes them. */
export const MAX_GROUP_INFO = 2 ** 21

/** What a joiner was told to find: any other group is refused. */
export interface Expected {
  /** `room[16] ‖ u32 generation`. */
  readonly groupId: Bytes
  readonly policy: Policy
  /** The room's by its log, where that is known. */
  readonly epoch?: number
}

/** A group that is not the room's, whoever looks at it. */
export class OtherGroup extends SottoError {
  constructor(text: string) {
    super('bad_member', text)
  }
}

/** Throws OtherGroup, or SottoError `bad_member` or `crypto_failed`, unless it is the group that was expected. */
export function checkExpected(
  { groupContext }: GroupInfo,
  { groupId, policy, epoch }: Expected,
): void {
  if (!equal(groupContext.groupId, groupId))
    throw new OtherGroup('This is the group of another room.')
  if (epoch !== undefined && groupContext.epoch !== BigInt(epoch))
    throw new SottoError('crypto_failed', 'What is there to join the room by is out of date.')
  if (!samePolicy(readPolicy(groupContext.extensions), policy))
    throw new OtherGroup('The room is not for the people that it should be for.')
}

/** Throws SottoError `bad_member` when this device itself has no place in such a room. */
export function checkOwn({ binding }: DeviceKeys, policy: Policy, now: number): void {
  checkAllowed(policy, binding)
  checkValidity(binding, now)
}

/** Vets every leaf of a GroupInfo's tree; ts-mls goes over the rest of the tree. */
export async function vetTree(info: GroupInfo, gate: Gate): Promise<Member[]> {
  const tree = ratchetTreeFromExtension(info)
  if (!tree) throw new SottoError('decode_error', 'The group of the room has no members.')
  for (const { node } of leaves(tree))
    await gate.validateCredential(node.credential, node.signaturePublicKey)
  return readRoster(tree, [], gate)
}

/** Throws SottoError `decode_error`. */
export function decodeGroupInfo(bytes: Uint8Array): GroupInfo {
  try {
    if (bytes.length > MAX_GROUP_INFO) throw new RangeError('too long')
    const [message, length] = decodeMlsMessage(new Uint8Array(bytes), 0) ?? []
    if (message?.wireformat !== 'mls_group_info' || length !== bytes.length)
      throw new RangeError('not a GroupInfo')
    return message.groupInfo
  } catch (cause) {
    throw new SottoError('decode_error', 'The group of the room could not be read.', { cause })
  }
}

/** For the endpoint to hand out; empty unless the room is open. */
export async function publicGroupInfo(
  state: ClientState,
  policy: Policy,
  { suite }: DeviceKeys,
): Promise<Bytes> {
  if (policy.kind !== 'open') return EMPTY
  const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(state, [], suite)
  const message = { version: 'mls10', wireformat: 'mls_group_info', groupInfo } as const
  return encodeMlsMessage(message) as Bytes
}
