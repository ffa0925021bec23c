/**
 * What every member enforces on every leaf of its group's tree. ts-mls asks {@link Gate} about
 * each leaf that is new to it; {@link readRoster} then goes over the whole tree that came out.
 */
import type {
  AuthenticationService,
  Capabilities,
  ClientConfig,
  Credential,
  KeyPackage,
  LeafNode,
  RatchetTree,
} from 'ts-mls'
import { type Bytes, equal, hex } from './bytes.ts'
import { SottoError } from './errors.ts'
import type { DeviceRef } from './messages.ts'
import { type Binding, badMember, Expired, verifyBinding } from './mls_credential.ts'
import { KEPT_EPOCHS } from './mls_header.ts'
import { checkAllowed, type Policy } from './mls_policy.ts'
import { skeleton } from './names.ts'
import { leafCapabilities } from './room_keys.ts'
import { isXWingKey } from './sound_keys.ts'

/** The conversation's own judgement of a device (its pins). Throws SottoError `bad_member`. */
export type Verify = (binding: Binding) => Promise<void>

/** What a member judges by at the moment of an operation. */
export interface Trust {
  readonly verify: Verify
  /** Milliseconds since 1970. */
  readonly now: number
}

/** A leaf of the tree and whose it is. */
export interface Member {
  readonly leaf: number
  readonly binding: Binding
}

const EXPECTED_CAPABILITIES = JSON.stringify(leafCapabilities())
/** Messages of one sender that may be missing before one that can still be opened. */
const MAX_SKIPPED = 200
/** Keys of skipped messages that are kept, per sender. */
const KEPT_SKIPPED = 32

/**
 * Lets leaves into a group, or throws SottoError `bad_member`; remembers whom it let in, for the
 * people's own judgement in the end.
 */
export class Gate implements AuthenticationService {
  readonly #policy: Policy
  readonly #trust: Trust
  readonly #known: ReadonlyMap<string, Binding>
  readonly #vetted = new Map<string, Binding>()

  /** `known` are the group's members so far: their own leaves need no second look. */
  constructor(policy: Policy, trust: Trust, known: readonly Member[]) {
    this.#policy = policy
    this.#trust = trust
    this.#known = new Map(
      known.map(({ binding }) => [leafKey(binding.encoded, binding.signatureKey), binding]),
    )
  }

  async validateCredential(credential: Credential, signatureKey: Uint8Array): Promise<boolean> {
    const identity = identityOf(credential)
    const key = leafKey(identity, signatureKey)
    if (!this.#known.has(key) && !this.#vetted.has(key))
      this.#vetted.set(key, await this.#vet(identity, signatureKey))
    return true
  }

  /** Who was let in with exactly this leaf credential and key. */
  find(leaf: LeafNode): Binding {
    const key = leafKey(identityOf(leaf.credential), leaf.signaturePublicKey)
    const binding = this.#vetted.get(key) ?? this.#known.get(key)
    if (!binding) throw badMember('A device is in the room that nobody let in.')
    return binding
  }

  async #vet(identity: Uint8Array, signatureKey: Uint8Array): Promise<Binding> {
    const { host } = this.#policy
    const binding = await verifyBinding(identity, signatureKey, host, this.#trust.now)
    checkAllowed(this.#policy, binding)
    return binding
  }

  /**
   * Asks about all who were let in, once everything else has been verified: until then anybody may
   * have said any name. What is refused tells nothing of anybody's key.
   */
  async judge(): Promise<void> {
    for (const binding of this.#vetted.values()) await this.#judge(binding)
  }

  async #judge(binding: Binding): Promise<void> {
    try {
      await this.#trust.verify(binding)
    } catch (cause) {
      if (cause instanceof SottoError) throw cause
      throw badMember(`A device of ${binding.user} could not be verified.`, cause)
    }
  }
}

/**
 * The members by the tree, after checking all of it: each leaf is one that `before` had at the
 * same place or that the gate let in, each device stands once, and nobody is in under two keys,
 * however the name is spelt. Throws SottoError `bad_member`, and `crypto_failed` when nobody could
 * encrypt to some part of the tree.
 */
export function readRoster(tree: RatchetTree, before: readonly Member[], gate: Gate): Member[] {
  checkKeys(tree)
  const old = new Map(before.map((member) => [member.leaf, member]))
  const roster = leaves(tree).map(({ leaf, node }) => {
    checkLeafForm(node)
    const same = old.get(leaf)
    return same && holds(node, same.binding) ? same : { leaf, binding: gate.find(node) }
  })
  checkDistinct(roster)
  return roster
}

/** Runs ts-mls: what it throws becomes one SottoError `crypto_failed`, ours pass. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof SottoError) throw cause
    throw new SottoError('crypto_failed', 'A message of the room could not be opened.', { cause })
  }
}

/** Leaf nodes that are not blank, with their leaf index. */
export function leaves(tree: RatchetTree): { leaf: number; node: LeafNode }[] {
  return tree.flatMap((node, i) =>
    node?.nodeType === 'leaf' ? [{ leaf: i / 2, node: node.leaf }] : [],
  )
}

/** ts-mls's settings for one operation of one member. `padTo`: see PROTOCOL.md, "Padding". */
export function clientConfig(
  gate: AuthenticationService,
  padTo: number,
  rejoins = false,
): ClientConfig {
  return {
    authService: gate,
    // That each device stands once is `checkDistinct`'s to see; here it finds a joiner's old leaf.
    keyPackageEqualityConfig: {
      compareKeyPackages: () => false,
      compareKeyPackageToLeafNode: ({ leafNode }, leaf) => rejoins && sameDevice(leafNode, leaf),
    },
    keyRetentionConfig: {
      retainKeysForEpochs: KEPT_EPOCHS,
      retainKeysForGenerations: KEPT_SKIPPED,
      maximumForwardRatchetSteps: MAX_SKIPPED,
    },
    // Lifetimes are checked by `checkPackage`, against the time that is passed in.
    lifetimeConfig: { maximumTotalLifetime: 0n, validateLifetimeOnReceive: false },
    paddingConfig: { kind: 'padUntilLength', padUntilLength: padTo },
  }
}

/** Throws SottoError `bad_member` unless a package can be added now. `now` in milliseconds. */
export function checkPackage({ leafNode, initKey, cipherSuite }: KeyPackage, now: number): void {
  const seconds = BigInt(Math.floor(now / 1000))
  checkLeafForm(leafNode)
  if (!isXWingKey(initKey) || !isXWingKey(leafNode.hpkePublicKey))
    throw badMember('The keys by which a device is added are no keys.')
  if (cipherSuite !== leafCapabilities().ciphersuites[0])
    throw badMember('The keys of a device are for other cryptography.')
  if (leafNode.lifetime.notAfter < seconds)
    throw new Expired('The keys by which a device is added have expired.')
  if (leafNode.lifetime.notBefore > seconds)
    throw badMember('The keys by which a device is added are for the future only.')
}

export function isDevice(ref: DeviceRef, binding: Binding): boolean {
  return ref.user === binding.user && equal(ref.device, binding.device)
}

/** A device of the same person, by name and key, and with the same device number. */
export function isSameDevice(a: Binding, b: Binding): boolean {
  return isDevice(a, b) && equal(a.fingerprint, b.fingerprint)
}

/** Throws SottoError `bad_member` unless each device stands once and each name has one key. */
export function checkDistinct(roster: readonly Member[]): void {
  const devices = new Set<string>()
  const keys = new Map<string, Bytes>()
  for (const { binding } of roster) {
    const { user, fingerprint } = binding
    const name = skeleton(user)
    const device = `${name}/${hex(binding.device)}`
    if (devices.has(device)) throw badMember(`A device of ${user} is in the room twice.`)
    devices.add(device)
    const key = keys.get(name)
    if (key && !equal(key, fingerprint))
      throw badMember(`Devices with different keys claim to be ${user}'s.`)
    keys.set(name, fingerprint)
  }
}

/** Or one member could keep all others from ever changing the group, and anybody from joining. */
function checkKeys(tree: RatchetTree): void {
  const usable = tree.every((node) => {
    if (node === undefined) return true
    return isXWingKey(
      node.nodeType === 'leaf' ? node.leaf.hpkePublicKey : node.parent.hpkePublicKey,
    )
  })
  if (!usable)
    throw new SottoError('crypto_failed', 'Nobody could encrypt to a member of the room.')
}

function checkLeafForm(node: LeafNode): void {
  const asExpected =
    node.extensions.length === 0 && sameCapabilities(node.capabilities) && isBasic(node.credential)
  if (!asExpected) throw badMember('A device in the room is not of the form that Sotto uses.')
}

function sameCapabilities(c: Capabilities): boolean {
  const { versions, ciphersuites, extensions, proposals, credentials } = c
  const ordered = { versions, ciphersuites, extensions, proposals, credentials }
  return JSON.stringify(ordered) === EXPECTED_CAPABILITIES
}

function isBasic(credential: Credential): boolean {
  return credential.credentialType === 'basic'
}

function identityOf(credential: Credential): Uint8Array {
  if (credential.credentialType !== 'basic')
    throw badMember('A device in the room does not say whose it is.')
  return credential.identity
}

function holds(node: LeafNode, { encoded, signatureKey }: Binding): boolean {
  return equal(identityOf(node.credential), encoded) && equal(node.signaturePublicKey, signatureKey)
}

function sameDevice(a: LeafNode, b: LeafNode): boolean {
  return deviceName(identityOf(a.credential)) === deviceName(identityOf(b.credential))
}

/** Host, user and device of a binding's bytes: the fields at its front, whatever else it says. */
function deviceName(identity: Uint8Array): string {
  const user = identity[33] ?? 0
  return hex(identity.subarray(1, 34 + user + 16))
}

function leafKey(identity: Uint8Array, signatureKey: Uint8Array): string {
  return `${hex(signatureKey)} ${hex(identity)}`
}
