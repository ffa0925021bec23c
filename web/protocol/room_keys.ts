/** A device's keys for its rooms, and the key packages by which others add it. */
import type { Capabilities, KeyPackage, PrivateKeyPackage } from 'ts-mls'
import { generateKeyPackageWithKey } from 'ts-mls/keyPackage.js'
import { decodeMlsMessage, encodeMlsMessage } from 'ts-mls/message.js'
import { type Bytes, concat, lp16, Reader, u8 } from './bytes.ts'
import { SottoError } from './errors.ts'
import type { Signer } from './identity.ts'
import { type Binding, CLOCKS_APART, endsSoon, makeBinding, readBinding } from './mls_credential.ts'
import { POLICY_EXTENSION } from './mls_policy.ts'
import { SUITE_NAME, type Suite } from './mls_provider.ts'
import { SEED_SIZE } from './mls_xwing.ts'

const KEYS_VERSION = 1
const DAY = 86_400
/** A key package can be used for so many days at most. */
export const KEY_PACKAGE_DAYS = 90
/** The longest key package, as the endpoint takes them. */
export const MAX_KEY_PACKAGE = 8192

/** What one device needs to be in rooms. Keep the encoded form as secret as the identity key. */
export interface DeviceKeys {
  readonly suite: Suite
  readonly binding: Binding
  /** PKCS#8 of the Ed25519 key: part of MLS's group state, so it exists as bytes. */
  readonly signKey: Bytes
}

export interface KeyPackagePair {
  /** For the endpoint: an MLSMessage of wire format mls_key_package. */
  readonly package: Bytes
  /** To be stored, and deleted once a Welcome has used it: 64 bytes, both seeds. */
  readonly private: Bytes
}

/** New keys for a device, vouched for by its person; `now` in milliseconds since 1970. */
export async function makeDeviceKeys(o: {
  readonly suite: Suite
  readonly identity: Signer
  readonly user: string
  /** 16 bytes. */
  readonly device: Bytes
  /** SHA-256 of the endpoint's SPKI. */
  readonly hostKeyHash: Bytes
  readonly now: number
}): Promise<DeviceKeys> {
  const { suite, identity, user, device, hostKeyHash } = o
  const { signKey, publicKey } = await suite.signature.keygen()
  const claim = { user, device, hostKeyHash, signatureKey: publicKey as Bytes }
  return { suite, binding: await makeBinding(identity, claim, o.now), signKey: signKey as Bytes }
}

/** Whether it is time for new keys, and for joining every room anew with them. */
export function renewalDue({ binding }: DeviceKeys, now: number): boolean {
  return endsSoon(binding, now)
}

export function encodeDeviceKeys({ binding, signKey }: DeviceKeys): Bytes {
  return concat(u8(KEYS_VERSION), lp16(signKey), binding.signatureKey, lp16(binding.encoded))
}

/** Throws SottoError `decode_error`. */
export async function decodeDeviceKeys(suite: Suite, bytes: Uint8Array): Promise<DeviceKeys> {
  try {
    const reader = new Reader(bytes)
    if (reader.u8() !== KEYS_VERSION) throw new RangeError('unknown version')
    const signKey = reader.lp16()
    const signatureKey = reader.take(32)
    const identity = reader.lp16()
    reader.end()
    return { suite, signKey, binding: await readBinding(identity, signatureKey) }
  } catch (cause) {
    throw new SottoError('decode_error', "This device's keys could not be read.", { cause })
  }
}

/** `count` fresh key packages, each for one use; `now` in milliseconds since 1970. */
export async function makeKeyPackages(
  keys: DeviceKeys,
  count: number,
  now: number,
): Promise<KeyPackagePair[]> {
  const made = Array.from({ length: count }, () => makeKeyPackage(keys, now))
  return (await Promise.all(made)).map(({ publicPackage, privatePackage }) => ({
    package: encodeKeyPackage(publicPackage),
    private: concat(privatePackage.initPrivateKey, privatePackage.hpkePrivateKey),
  }))
}

export function makeKeyPackage({ suite, binding, signKey }: DeviceKeys, now: number) {
  const seconds = Math.floor(now / 1000)
  // Clocks may be days apart, and whoever adds the device is not lenient.
  const notBefore = Math.max(0, seconds - CLOCKS_APART)
  const notAfter = Math.min(seconds + KEY_PACKAGE_DAYS * DAY, binding.notAfter)
  return generateKeyPackageWithKey(
    { credentialType: 'basic', identity: binding.encoded },
    leafCapabilities(),
    { notBefore: BigInt(notBefore), notAfter: BigInt(notAfter) },
    [],
    { signKey, publicKey: binding.signatureKey },
    suite,
    [],
  )
}

/** What every leaf of a room says it can do: no more and no less. */
export function leafCapabilities(): Capabilities {
  return {
    versions: ['mls10'],
    ciphersuites: [SUITE_NAME],
    extensions: [POLICY_EXTENSION],
    proposals: [],
    credentials: ['basic'],
  }
}

export function encodeKeyPackage(keyPackage: KeyPackage): Bytes {
  const message = { version: 'mls10', wireformat: 'mls_key_package', keyPackage } as const
  return encodeMlsMessage(message) as Bytes
}

/** Throws SottoError `decode_error` on anything but exactly one key package. */
export function decodeKeyPackage(bytes: Uint8Array): KeyPackage {
  try {
    if (bytes.length > MAX_KEY_PACKAGE) throw new RangeError('too long')
    const [message, length] = decodeMlsMessage(new Uint8Array(bytes), 0) ?? []
    if (message?.wireformat !== 'mls_key_package' || length !== bytes.length)
      throw new RangeError('not a key package')
    return message.keyPackage
  } catch (cause) {
    throw new SottoError('decode_error', 'The keys of a device could not be read.', { cause })
  }
}

/** The private half as ts-mls takes it. Throws SottoError `decode_error`. */
export function decodePrivate({ signKey }: DeviceKeys, seeds: Uint8Array): PrivateKeyPackage {
  if (seeds.length !== 2 * SEED_SIZE)
    throw new SottoError('decode_error', "This device's stored keys are damaged.")
  return {
    initPrivateKey: seeds.slice(0, SEED_SIZE),
    hpkePrivateKey: seeds.slice(SEED_SIZE),
    signaturePrivateKey: signKey,
  }
}
