/**
 * Every cryptographic operation the protocol needs, and nothing else, so that the page runs it on
 * WebCrypto and the endpoint on node:crypto (one AES-GCM call costs 50 µs through the former in
 * Node, 4 µs through the latter). Both pass one contract suite and interoperate.
 */
import type { Bytes } from './bytes.ts'

/** Node answers at once, WebCrypto later: callers `await` either. */
export type Awaitable<T> = T | Promise<T>

/**
 * A secret as a key for HMAC-SHA-256: what the key schedule hands on instead of bytes. In the
 * page a non-extractable CryptoKey (it can be stored in IndexedDB), in Node bytes in a private
 * field.
 */
export interface HmacKey {
  readonly type: string
}

/** One ephemeral X25519 key pair (RFC 7748). */
export interface X25519Pair {
  /** 32 bytes. */
  readonly publicKey: Bytes
  /**
   * The shared secret, 32 bytes. Throws SottoError `illegal_parameter` when the engine refuses
   * the share or when the result is all zero (a share of small order).
   */
  agree(peer: Bytes): Awaitable<Bytes>
}

/** AES-256-GCM under one key, tag of 16 bytes at the end (NIST SP 800-38D). */
export interface Aead {
  /** `nonce` is 12 bytes and never used twice with this key. */
  seal(nonce: Bytes, aad: Bytes, plaintext: Bytes): Awaitable<Bytes>
  /** Throws SottoError `crypto_failed` on any change of nonce, aad or ciphertext. */
  open(nonce: Bytes, aad: Bytes, sealed: Bytes): Awaitable<Bytes>
}

/** True when the signature is good. Never throws for a bad one. */
export type Verify = (signature: Bytes, data: Bytes) => Awaitable<boolean>

/** An Ed25519 key pair (RFC 8032), the endpoint's log key. */
export interface SigningPair {
  /** 32 bytes. */
  readonly publicKey: Bytes
  /** 64 bytes. */
  sign(data: Bytes): Awaitable<Bytes>
}

export interface Primitives {
  /** 32 bytes. */
  sha256(data: Bytes): Awaitable<Bytes>
  /** The key is a copy: `raw` may be wiped afterwards. */
  hmacKey(raw: Bytes): Awaitable<HmacKey>
  /** HMAC-SHA-256, 32 bytes. */
  hmac(key: HmacKey, data: Bytes): Awaitable<Bytes>
  x25519(): Awaitable<X25519Pair>
  /** `raw` is 32 bytes and may be wiped afterwards. */
  aead(raw: Bytes): Awaitable<Aead>
  /** From the system's generator. */
  random(length: number): Bytes
  /**
   * RSA-PSS, SHA-256, salt of 32 bytes (RFC 8017, 8.1.2). `spki` has passed `checkSpki`. False
   * for every bad signature, one of a wrong length included.
   */
  rsaVerify(spki: Bytes, signature: Bytes, data: Bytes): Awaitable<boolean>
  /** RSA-OAEP, SHA-256 for hash and MGF1 (RFC 8017, 7.1.1). `spki` has passed `checkSpki`. */
  rsaEncrypt(spki: Bytes, label: Bytes, message: Bytes): Awaitable<Bytes>
  ed25519(): Awaitable<SigningPair>
  /** Throws SottoError `bad_key` when `publicKey` is not one. */
  ed25519Verifier(publicKey: Bytes): Awaitable<Verify>
}
