/** A member that follows MLS but none of our rules: what an attacker inside a room can make. */
import type {
  AuthenticationService,
  Capabilities,
  ClientConfig,
  ClientState,
  KeyPackage,
  PrivateKeyPackage,
  Proposal,
} from 'ts-mls'
import { createGroup } from 'ts-mls/clientState.js'
import {
  createCommit,
  createGroupInfoWithExternalPubAndRatchetTree,
  joinGroupExternal,
} from 'ts-mls/createCommit.js'
import { createProposal } from 'ts-mls/createMessage.js'
import { generateKeyPackageWithKey } from 'ts-mls/keyPackage.js'
import { decodeMlsMessage, encodeMlsMessage } from 'ts-mls/message.js'
import { emptyPskIndex } from 'ts-mls/pskIndex.js'
import { type Bytes, concat, EMPTY, u8 } from '../../web/protocol/bytes.ts'
import { type Policy, policyExtension } from '../../web/protocol/mls_policy.ts'
import type { Suite } from '../../web/protocol/mls_provider.ts'
import { XWingPublic } from '../../web/protocol/mls_xwing.ts'
import { type DeviceKeys, leafCapabilities } from '../../web/protocol/room_keys.ts'
import { clientConfig } from '../../web/protocol/room_rules.ts'
import { groupState, type RoomState } from '../../web/protocol/room_state.ts'
import { ML_KEM_PUBLIC } from '../../web/protocol/sound_keys.ts'
import { group, NOW } from '../protocol/room_people.ts'

const ANYONE: AuthenticationService = { validateCredential: async () => true }
const SECOND = 1000

/** Ways in which the 1,216 bytes of an X-Wing key are none. */
export const UNUSABLE: readonly (readonly [what: string, spoil: (key: Bytes) => Bytes])[] = [
  ['of small order in X25519', (key) => concat(key.slice(0, ML_KEM_PUBLIC), new Uint8Array(32))],
  ['beyond the modulus in ML-KEM', (key) => concat(u8(0x01), u8(0x0d), key.slice(2))],
  ['too short', (key) => key.slice(1)],
  ['missing', () => EMPTY],
]

/** Makes key pairs as `suite` does, but of the pair with this number the public half is spoilt. */
export function spoiling(suite: Suite, spoil: (key: Bytes) => Bytes, number = 0): Suite {
  let made = 0
  const spoilt = async (make: Promise<KeyPair>): Promise<KeyPair> => {
    const pair = await make
    if (made++ !== number) return pair
    const bytes = spoil((await suite.hpke.exportPublicKey(pair.publicKey)) as Bytes)
    return { ...pair, publicKey: new XWingPublic(async () => bytes) as unknown as PublicKey }
  }
  const { deriveKeyPair, generateKeyPair } = suite.hpke
  return {
    ...suite,
    hpke: {
      ...suite.hpke,
      deriveKeyPair: (ikm) => spoilt(deriveKeyPair(ikm)),
      generateKeyPair: () => spoilt(generateKeyPair()),
    },
  }
}

type KeyPair = Awaited<ReturnType<Suite['hpke']['generateKeyPair']>>
type PublicKey = KeyPair['publicKey']

export interface Forged {
  readonly publicPackage: KeyPackage
  readonly privatePackage: PrivateKeyPackage
}

export interface Evil {
  readonly mls: Bytes
  readonly welcome: Bytes
  readonly state: RoomState
}

function config(over: Partial<ClientConfig> = {}): ClientConfig {
  return { ...clientConfig(ANYONE, 0), ...over }
}

function evilState(state: RoomState): ClientState {
  return { ...state.group, clientConfig: config() }
}

/** A key package with any identity bytes, under the signature key of `keys`. */
export function forge(
  keys: DeviceKeys,
  identity: Uint8Array,
  over: { capabilities?: Capabilities; days?: number; extensions?: boolean } = {},
): Promise<Forged> {
  const now = BigInt(Math.floor(NOW / SECOND))
  const lifetime = { notBefore: now - 60n, notAfter: now + BigInt((over.days ?? 30) * 86_400) }
  const applicationId = {
    extensionType: 'application_id',
    extensionData: new Uint8Array(4),
  } as const
  return generateKeyPackageWithKey(
    { credentialType: 'basic', identity },
    over.capabilities ?? leafCapabilities(),
    lifetime,
    [],
    { signKey: keys.signKey, publicKey: keys.binding.signatureKey },
    keys.suite,
    over.extensions ? [applicationId] : [],
  )
}

export function addOf({ publicPackage }: Pick<Forged, 'publicPackage'>): Proposal {
  return { proposalType: 'add', add: { keyPackage: publicPackage } }
}

/** A commit of any proposals. */
export async function evilCommit(
  state: RoomState,
  proposals: Proposal[],
  isPublic = false,
): Promise<Evil> {
  const { newState, commit, welcome } = await createCommit(
    { state: evilState(state), cipherSuite: state.keys.suite, pskIndex: emptyPskIndex },
    { extraProposals: proposals, ratchetTreeExtension: true, wireAsPublicMessage: isPublic },
  )
  const wrapped =
    welcome && encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome })
  return {
    mls: encodeMlsMessage(commit) as Bytes,
    welcome: (wrapped ?? new Uint8Array(0)) as Bytes,
    state: { ...state, group: groupState(newState) },
  }
}

/** A commit by one whose own leaf says something else than the group has agreed on. */
export function commitAs(state: RoomState, identity: Uint8Array): Promise<Evil> {
  const place = state.group.privatePath.leafIndex * 2
  const ratchetTree = state.group.ratchetTree.map((node, i) =>
    i === place && node?.nodeType === 'leaf'
      ? {
          ...node,
          leaf: { ...node.leaf, credential: { credentialType: 'basic', identity } as const },
        }
      : node,
  )
  return evilCommit({ ...state, group: { ...state.group, ratchetTree } }, [])
}

/** A proposal that stands alone, for somebody's later commit. */
export async function evilProposal(
  state: RoomState,
  proposal: Proposal,
  isPublic: boolean,
): Promise<Evil> {
  const made = await createProposal(evilState(state), isPublic, proposal, state.keys.suite)
  return {
    mls: encodeMlsMessage(made.message) as Bytes,
    welcome: new Uint8Array(0),
    state: { ...state, group: groupState(made.newState) },
  }
}

/** The GroupInfo by which anybody could join from outside. */
export async function evilGroupInfo(state: RoomState): Promise<Bytes> {
  const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(
    evilState(state),
    [],
    state.keys.suite,
  )
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_group_info', groupInfo }) as Bytes
}

/** An external commit by a forged package; `instead` says whose leaf it takes. */
export async function evilJoin(
  keys: DeviceKeys,
  groupInfo: Bytes,
  { publicPackage, privatePackage }: Forged,
  instead?: Uint8Array,
): Promise<Bytes> {
  const decoded = decodeMlsMessage(groupInfo, 0)?.[0]
  if (decoded?.wireformat !== 'mls_group_info') throw new Error('not a GroupInfo')
  const { publicMessage } = await joinGroupExternal(
    decoded.groupInfo,
    publicPackage,
    privatePackage,
    instead !== undefined,
    keys.suite,
    undefined,
    config({
      keyPackageEqualityConfig: {
        compareKeyPackages: () => false,
        compareKeyPackageToLeafNode: (_, leaf) =>
          String(leaf.signaturePublicKey) === String(instead),
      },
    }),
  )
  const message = { version: 'mls10', wireformat: 'mls_public_message', publicMessage } as const
  return encodeMlsMessage(message) as Bytes
}

/** A group of any policy by one device alone, for luring others into it. */
export async function evilRoom(
  keys: DeviceKeys,
  policy: Policy,
  groupId: Bytes = group(),
): Promise<RoomState> {
  const { publicPackage, privatePackage } = await forge(keys, keys.binding.encoded)
  const extensions = [policyExtension(policy)]
  const made = await createGroup(
    groupId,
    publicPackage,
    privatePackage,
    extensions,
    keys.suite,
    config(),
  )
  const roster = [{ leaf: 0, binding: keys.binding }]
  return { keys, policy, roster, group: groupState(made) }
}
