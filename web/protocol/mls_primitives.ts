/** WebCrypto's primitives as MLS wants them: raw keys, because MLS derives them all itself. */
import { type Bytes, concat, u8 } from './bytes.ts'

const HASH = 'SHA-512'
const HASH_SIZE = 64
const HMAC = { name: 'HMAC', hash: HASH }
const ED25519 = { name: 'Ed25519' }

/**
 * Keys imported once per raw key. The memory is by the array's identity: MLS uses most secrets
 * several times in a row, and whoever drops the array drops the imported key with it.
 */
class Imported {
  readonly #keys = new WeakMap<Uint8Array, Promise<CryptoKey>>()
  readonly #load: (raw: Bytes) => Promise<CryptoKey>

  constructor(load: (raw: Bytes) => Promise<CryptoKey>) {
    this.#load = load
  }

  get(raw: Uint8Array): Promise<CryptoKey> {
    let key = this.#keys.get(raw)
    if (!key) {
      key = this.#load(raw as Bytes)
      this.#keys.set(raw, key)
    }
    return key
  }
}

/** HMAC-SHA-512 and SHA-512. */
export class Hashes {
  readonly size = HASH_SIZE
  readonly #keys = new Imported((raw) =>
    // HMAC pads its key with zeros (RFC 2104), and WebCrypto takes no empty one.
    crypto.subtle.importKey('raw', raw.length > 0 ? raw : new Uint8Array(HASH_SIZE), HMAC, false, [
      'sign',
      'verify',
    ]),
  )

  async digest(data: Uint8Array): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.digest(HASH, data as Bytes))
  }

  async mac(key: Uint8Array, data: Uint8Array): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.sign(HMAC, await this.#keys.get(key), data as Bytes))
  }

  async verifyMac(key: Uint8Array, mac: Uint8Array, data: Uint8Array): Promise<boolean> {
    return crypto.subtle.verify(HMAC, await this.#keys.get(key), mac as Bytes, data as Bytes)
  }
}

/** HKDF-SHA-512 (RFC 5869). */
export class Hkdf {
  readonly size = HASH_SIZE
  readonly #hashes: Hashes

  constructor(hashes: Hashes) {
    this.#hashes = hashes
  }

  extract(salt: Uint8Array, ikm: Uint8Array): Promise<Bytes> {
    return this.#hashes.mac(salt, ikm)
  }

  async expand(prk: Uint8Array, info: Uint8Array, length: number): Promise<Bytes> {
    let block: Bytes = new Uint8Array(0)
    let out: Bytes = block
    for (let i = 1; out.length < length; i++) {
      block = await this.#hashes.mac(prk, concat(block, info, u8(i)))
      out = concat(out, block)
    }
    return out.slice(0, length)
  }
}

/** AES-256-GCM. No key is kept: MLS uses each for one message. */
export class Aes {
  async seal(
    key: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
  ): Promise<Bytes> {
    const loaded = await crypto.subtle.importKey('raw', key as Bytes, 'AES-GCM', false, ['encrypt'])
    const how = { name: 'AES-GCM', iv: iv as Bytes, additionalData: aad as Bytes }
    return new Uint8Array(await crypto.subtle.encrypt(how, loaded, plaintext as Bytes))
  }

  async open(key: Uint8Array, iv: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Promise<Bytes> {
    const loaded = await crypto.subtle.importKey('raw', key as Bytes, 'AES-GCM', false, ['decrypt'])
    const how = { name: 'AES-GCM', iv: iv as Bytes, additionalData: aad as Bytes }
    return new Uint8Array(await crypto.subtle.decrypt(how, loaded, sealed as Bytes))
  }
}

/** Ed25519; private keys are PKCS#8 (RFC 8410), 48 bytes, as they have to be part of the state. */
export class Ed25519 {
  readonly #private = new Imported((pkcs8) =>
    crypto.subtle.importKey('pkcs8', pkcs8, ED25519, false, ['sign']),
  )
  readonly #public = new Imported((raw) =>
    crypto.subtle.importKey('raw', raw, ED25519, false, ['verify']),
  )

  async sign(key: Uint8Array, message: Uint8Array): Promise<Bytes> {
    const loaded = await this.#private.get(key)
    return new Uint8Array(await crypto.subtle.sign(ED25519, loaded, message as Bytes))
  }

  async verify(key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    const loaded = await this.#public.get(key)
    return crypto.subtle.verify(ED25519, loaded, signature as Bytes, message as Bytes)
  }

  async keygen(): Promise<{ signKey: Bytes; publicKey: Bytes }> {
    const pair = (await crypto.subtle.generateKey(ED25519, true, [
      'sign',
      'verify',
    ])) as CryptoKeyPair
    const signKey = new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey))
    return {
      signKey,
      publicKey: new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)),
    }
  }
}
