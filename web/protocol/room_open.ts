/**
 * Opening what the room's log has, in its order: messages, and commits with all that a member
 * checks before it follows them (PROTOCOL.md, "Rooms", "Commits").
 */
import type { IncomingMessageCallback, MlsPrivateMessage, MlsPublicMessage } from 'ts-mls'
import { decodeMlsMessage } from 'ts-mls/message.js'
import { decryptSenderData } from 'ts-mls/privateMessage.js'
import { processMessage } from 'ts-mls/processMessages.js'
import { emptyPskIndex } from 'ts-mls/pskIndex.js'
import { type Bytes, equal } from './bytes.ts'
import { SottoError } from './errors.ts'
import { type Binding, badMember, readBinding } from './mls_credential.ts'
import { KEPT_EPOCHS, type MlsHeader, readMlsHeader } from './mls_header.ts'
import { readPolicy, samePolicy } from './mls_policy.ts'
import {
  Gate,
  guarded,
  isSameDevice,
  leaves,
  type Member,
  readRoster,
  type Trust,
} from './room_rules.ts'
import { clientState, epoch, groupId, groupState, isRemoved, type RoomState } from './room_state.ts'

export type Opened =
  | {
      readonly kind: 'message'
      readonly sender: Binding
      readonly body: Bytes
      /** The sender's view, authenticated. */
      readonly aad: Bytes
    }
  | {
      readonly kind: 'commit'
      readonly committer: Binding
      readonly added: readonly Binding[]
      readonly removed: readonly Binding[]
      /** The epoch that it begins. */
      readonly epoch: number
      readonly aad: Bytes
    }
  /** This device is out, and can read nothing from here on. */
  | { readonly kind: 'removed'; readonly committer: Binding; readonly aad: Bytes }
  /**
   * Sealed under this device's own place: its own message come back, which no sender can open.
   * Any member can make others believe so, thus it says nothing unless the bytes are known.
   */
  | { readonly kind: 'own'; readonly aad: Bytes }

type Opening = Promise<{ state: RoomState; opened: Opened }>

/**
 * Opens one message of the log. On any error `state` is as good as before: the caller keeps it and
 * goes on. Throws SottoError
 * - `bad_member`: somebody is being let in, or lets somebody in, who may not (an alarm);
 * - `refused`: a kind of message that rooms do not use, or the device is out;
 * - `stale_epoch`: of an epoch that is not there yet, or not kept any more;
 * - `decode_error`, `limit`: not an MLS message, or too long;
 * - `crypto_failed`: anything else, a message that was opened before included.
 */
export async function open(state: RoomState, mls: Uint8Array, trust: Trust): Opening {
  const header = readMlsHeader(mls)
  checkHeader(state, header)
  const message = decode(mls)
  return guarded(() =>
    message.wireformat === 'mls_private_message'
      ? openPrivate(state, header, message, trust)
      : openExternal(state, message, trust),
  )
}

function checkHeader(state: RoomState, header: MlsHeader): void {
  if (isRemoved(state)) throw new SottoError('refused', 'This device is not in the room any more.')
  if (!equal(header.groupId, groupId(state)))
    throw new SottoError('refused', 'A message is for another group than this room has now.')
  const isApplication = header.contentType === 'application'
  const isCommit = header.contentType === 'commit'
  const isExpectedForm = header.wireFormat === 'private' ? !header.external : header.external
  if (!isExpectedForm || !(isApplication || isCommit))
    throw new SottoError('refused', 'A message is of a kind that rooms do not use.')
  const now = epoch(state)
  const oldest = isApplication ? now - KEPT_EPOCHS : now
  if (header.epoch > now || header.epoch < oldest)
    throw new SottoError('stale_epoch', 'A message belongs to an epoch that is not open here.')
}

function decode(mls: Uint8Array): MlsPrivateMessage | MlsPublicMessage {
  try {
    const [message, length] = decodeMlsMessage(new Uint8Array(mls), 0) ?? []
    if (length !== mls.length) throw new RangeError('not the whole message')
    if (message?.wireformat === 'mls_private_message') return message
    if (message?.wireformat === 'mls_public_message') return message
    throw new RangeError('not a message')
  } catch (cause) {
    throw new SottoError('decode_error', 'A message of the room could not be read.', { cause })
  }
}

async function openPrivate(
  state: RoomState,
  { contentType, authenticatedData: aad }: MlsHeader,
  message: MlsPrivateMessage,
  trust: Trust,
): Opening {
  const { leaf, sender } = await findSender(state, message)
  if (leaf === state.group.privatePath.leafIndex) return { state, opened: { kind: 'own', aad } }
  if (contentType === 'commit') return openCommit(state, message, leaf, sender, aad, trust)
  const gate = new Gate(state.policy, trust, [])
  const { suite } = state.keys
  const done = await processMessage(
    message,
    clientState(state, gate, 0),
    emptyPskIndex,
    () => 'reject',
    suite,
  )
  if (done.kind !== 'applicationMessage') throw new RangeError('not an application message')
  return {
    state: { ...state, group: groupState(done.newState) },
    opened: { kind: 'message', sender, body: new Uint8Array(done.message), aad },
  }
}

/** Who sealed it, by the tree of its epoch. ts-mls checks their signature but does not say. */
async function findSender(
  { group, roster, keys }: RoomState,
  { privateMessage }: MlsPrivateMessage,
): Promise<{ leaf: number; sender: Binding }> {
  const past = group.historicalReceiverData.get(privateMessage.epoch)
  const secret = past?.senderDataSecret ?? group.keySchedule.senderDataSecret
  const data = await decryptSenderData(privateMessage, secret, keys.suite)
  if (!data) throw new RangeError('sender data')
  const leaf = data.leafIndex
  const sender = past ? await readLeaf(past.ratchetTree, leaf) : bindingAt(roster, leaf)
  return { leaf, sender }
}

/** What a commit does, as its proposals say. */
interface Doing {
  removed: readonly Member[]
  removesMe: boolean
}

async function openCommit(
  state: RoomState,
  message: MlsPrivateMessage,
  leaf: number,
  committer: Binding,
  aad: Bytes,
  trust: Trust,
): Opening {
  const doing: Doing = { removed: [], removesMe: false }
  const judge: IncomingMessageCallback = (incoming) => {
    if (incoming.kind !== 'commit' || incoming.senderLeafIndex !== leaf)
      throw badMember('A change of the room is not of the form that Sotto uses.')
    doing.removed = incoming.proposals.flatMap(({ proposal }) => {
      if (proposal.proposalType === 'remove') return memberAt(state.roster, proposal.remove.removed)
      if (proposal.proposalType === 'add' && state.policy.kind === 'members') return []
      throw badMember(`${committer.user} tried a change that is not allowed in this room.`)
    })
    doing.removesMe = doing.removed.some((member) => member.leaf === me(state))
    return doing.removesMe ? 'reject' : 'accept'
  }
  const gate = new Gate(state.policy, trust, state.roster)
  const next = await follow(state, message, gate, judge)
  // A removed device can't follow the commit, whose secrets are not for it. That its committer
  // signed it has been verified by then.
  if (doing.removesMe) return { state: leave(state), opened: { kind: 'removed', committer, aad } }
  return conclude(state, next, doing.removed, gate, { committer, aad })
}

async function openExternal(state: RoomState, message: MlsPublicMessage, trust: Trust): Opening {
  if (state.policy.kind !== 'open')
    throw badMember('Somebody tried to join from outside, which this room does not allow.')
  const { content } = message.publicMessage
  if (content.contentType !== 'commit' || !content.commit.path) throw new RangeError('no commit')
  const { leafNode } = content.commit.path
  const proposals = content.commit.proposals.map((entry) => {
    if (entry.proposalOrRefType !== 'proposal') throw unusual()
    return entry.proposal
  })
  const removed = proposals.flatMap((proposal) => {
    if (proposal.proposalType === 'external_init') return []
    if (proposal.proposalType !== 'remove') throw unusual()
    return memberAt(state.roster, proposal.remove.removed)
  })
  if (proposals.length - removed.length !== 1) throw unusual()
  // Who comes again is looked at again, even with the very leaf that is there already.
  const stayed = state.roster.filter((member) => !removed.includes(member))
  const gate = new Gate(state.policy, trust, stayed)
  await gate.validateCredential(leafNode.credential, leafNode.signaturePublicKey)
  const joiner = gate.find(leafNode)
  if (removed.length > 1 || removed.some(({ binding }) => !isSameDevice(binding, joiner)))
    throw badMember(`${joiner.user} tried to remove somebody else while joining.`)
  const aad = new Uint8Array(content.authenticatedData)
  const isMe = removed.some((member) => member.leaf === me(state))
  const judge: IncomingMessageCallback = ({ kind }) =>
    kind === 'commit' && !isMe ? 'accept' : 'reject'
  const next = await follow(state, message, gate, judge)
  if (isMe) return { state: leave(state), opened: { kind: 'removed', committer: joiner, aad } }
  return conclude(state, next, removed, gate, { committer: joiner, aad })
}

/** ts-mls's part: signature, proposals, path, key schedule, confirmation tag. */
async function follow(
  state: RoomState,
  message: MlsPrivateMessage | MlsPublicMessage,
  gate: Gate,
  judge: IncomingMessageCallback,
): Promise<RoomState['group']> {
  const { suite } = state.keys
  const before = clientState(state, gate, 0)
  const done = await processMessage(message, before, emptyPskIndex, judge, suite)
  if (done.kind !== 'newState') throw new RangeError('not a commit')
  return groupState(done.newState)
}

/**
 * Our part after ts-mls's: the group that came out, leaf by leaf, and that its rules stand; last,
 * what this person knows of those who are new.
 */
async function conclude(
  state: RoomState,
  group: RoomState['group'],
  removed: readonly Member[],
  gate: Gate,
  by: { readonly committer: Binding; readonly aad: Bytes },
): Opening {
  const { groupContext, groupActiveState } = group
  if (groupActiveState.kind !== 'active' || Number(groupContext.epoch) !== epoch(state) + 1)
    throw badMember('A change of the room is not of the form that Sotto uses.')
  if (!samePolicy(readPolicy(groupContext.extensions), state.policy))
    throw badMember('Somebody tried to change who may be in this room.')
  const stayed = state.roster.filter((member) => !removed.includes(member))
  const roster = readRoster(group.ratchetTree, stayed, gate)
  const added = roster.filter((member) => !stayed.includes(member)).map(({ binding }) => binding)
  const left = stayed.filter((member) => !roster.includes(member))
  if (left.length > 0) throw badMember('A device is gone from the room that nobody removed.')
  await gate.judge()
  const next = { ...state, group, roster }
  const gone = removed.map(({ binding }) => binding)
  return {
    state: next,
    opened: { kind: 'commit', ...by, added, removed: gone, epoch: epoch(next) },
  }
}

/** The state of a device that is out: it keeps what it could read, and sends no more. */
function leave(state: RoomState): RoomState {
  return { ...state, group: { ...state.group, groupActiveState: { kind: 'removedFromGroup' } } }
}

function me({ group }: RoomState): number {
  return group.privatePath.leafIndex
}

function bindingAt(roster: readonly Member[], leaf: number): Binding {
  return memberAt(roster, leaf).binding
}

function memberAt(roster: readonly Member[], leaf: number): Member {
  const member = roster.find((one) => one.leaf === leaf)
  if (!member) throw new RangeError('no such leaf')
  return member
}

function readLeaf(tree: RoomState['group']['ratchetTree'], leaf: number): Promise<Binding> {
  const node = leaves(tree).find((one) => one.leaf === leaf)?.node
  if (node?.credential.credentialType !== 'basic') throw new RangeError('no such leaf')
  return readBinding(node.credential.identity, node.signaturePublicKey)
}

function unusual(): SottoError {
  return badMember('Somebody tried to join in a way that this room does not allow.')
}
