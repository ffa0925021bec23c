/**
 * Who may be in a room. The policy is an extension of the GroupContext, so every member has agreed
 * to the same one in each epoch's key; it never changes while the group lives (PROTOCOL.md,
 * "Rooms", "Policy").
 */
import type { Extension } from 'ts-mls'
import { type Bytes, concat, equal, fromUtf8, lp8, Reader, u8, utf8 } from './bytes.ts'
import { type Binding, badMember } from './mls_credential.ts'

/** In the range that RFC 9420, 17.3 leaves for private use. */
export const POLICY_EXTENSION = 0xf507
const POLICY_VERSION = 1
const KIND_OPEN = 1
const KIND_MEMBERS = 2
/** The most people a list can name. */
export const MAX_LISTED = 255

/** `host` is the SHA-256 of the endpoint's SPKI: bindings for any other are refused. */
export type Policy =
  /** Everyone with a valid binding may join from outside, and may remove devices. */
  | { readonly kind: 'open'; readonly host: Bytes }
  /** Only devices of these people, each added by a member; nobody joins from outside. */
  | { readonly kind: 'members'; readonly host: Bytes; readonly members: readonly Listed[] }

export interface Listed {
  readonly user: string
  /** SHA-256 of the person's SPKI. */
  readonly fingerprint: Bytes
}

/** Throws SottoError `bad_member` when the policy has no place for this device. */
export function checkAllowed(policy: Policy, binding: Binding): void {
  if (!equal(binding.hostKeyHash, policy.host))
    throw badMember(`A device of ${binding.user} belongs to another server.`)
  if (policy.kind === 'open') return
  const listed = policy.members.find(({ user }) => user === binding.user)
  if (!listed) throw badMember(`${binding.user} is not one of the people of this room.`)
  if (!equal(listed.fingerprint, binding.fingerprint))
    throw badMember(`A device claims to be ${binding.user}'s, but under another key.`)
}

/** The same bytes on every side: people stand in the order of their names' UTF-8 bytes. */
export function policyExtension(policy: Policy): Extension {
  return { extensionType: POLICY_EXTENSION, extensionData: encodePolicy(policy) }
}

export function encodePolicy(policy: Policy): Bytes {
  if (policy.kind === 'open') return concat(u8(POLICY_VERSION), u8(KIND_OPEN), policy.host)
  if (policy.members.length > MAX_LISTED) throw new RangeError('too many people for one policy')
  const people = policy.members.map(({ user, fingerprint }) => ({ user: utf8(user), fingerprint }))
  people.sort((a, b) => compare(a.user, b.user))
  const list = people.map(({ user, fingerprint }) => concat(lp8(user), fingerprint))
  return concat(u8(POLICY_VERSION), u8(KIND_MEMBERS), policy.host, u8(list.length), ...list)
}

/**
 * Reads the policy out of a GroupContext's extensions, among which nothing else may stand.
 * Throws SottoError `bad_member` when there is none or it is not in its one form.
 */
export function readPolicy(extensions: readonly Extension[]): Policy {
  const [extension, ...others] = extensions
  if (extension?.extensionType !== POLICY_EXTENSION || others.length > 0)
    throw badMember('The room does not say who may be in it.')
  try {
    const policy = decodePolicy(extension.extensionData)
    if (!equal(encodePolicy(policy), extension.extensionData)) throw new RangeError('another form')
    return policy
  } catch (cause) {
    throw badMember('The room does not say who may be in it.', cause)
  }
}

export function samePolicy(a: Policy, b: Policy): boolean {
  return equal(encodePolicy(a), encodePolicy(b))
}

function decodePolicy(data: Uint8Array): Policy {
  const reader = new Reader(data)
  if (reader.u8() !== POLICY_VERSION) throw new RangeError('unknown version')
  const kind = reader.u8()
  const host = reader.take(32)
  const members: Listed[] = []
  if (kind === KIND_MEMBERS)
    for (let left = reader.u8(); left > 0; left--)
      members.push({ user: fromUtf8(reader.lp8()), fingerprint: reader.take(32) })
  else if (kind !== KIND_OPEN) throw new RangeError('unknown kind')
  reader.end()
  if (new Set(members.map(({ user }) => user)).size < members.length)
    throw new RangeError('a person stands twice')
  return kind === KIND_OPEN ? { kind: 'open', host } : { kind: 'members', host, members }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
