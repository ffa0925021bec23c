import { constants, KeyObject, sign } from 'node:crypto'
import type { Bytes } from '../../web/protocol/bytes.ts'
import type { Identity, Signer } from '../../web/protocol/identity.ts'

/** RSA-PSS as `Identity` has it: SHA-256, MGF1 with SHA-256, 32 bytes of salt. */
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } as const

/**
 * The same identity, signing on this thread. A headless peer has nothing else to do until it has
 * signed, and the way to a thread of WebCrypto's and back costs a sixth of the signature. (The
 * endpoint's key stays with WebCrypto: there others wait.)
 */
export function signerOf(identity: Identity): Signer & { readonly fingerprint: Bytes } {
  const key = KeyObject.from(identity.stored().signing)
  return {
    spki: identity.spki,
    fingerprint: identity.fingerprint,
    sign: async (data) => new Uint8Array(sign('sha256', data, { key, ...PSS })),
  }
}
