import { type Bytes, concat, utf8 } from '../protocol/bytes.ts'
import { decode, encode } from '../protocol/cbor.ts'
import { SottoError } from '../protocol/errors.ts'

const NONCE = 12

/**
 * Seals what rests on this device: group states, messages, the outbox. With a key that can't be
 * exported this keeps them from whoever copies the browser's files without running code in it.
 */
export interface Vault {
  /** CBOR of `value` under AES-256-GCM, `nonce[12] ‖ ciphertext`; opens under the same `key` only. */
  seal(key: string, value: unknown): Promise<Bytes>
  /** Throws SottoError `crypto_failed` when what is stored is damaged or stands under another key. */
  open(key: string, sealed: unknown): Promise<unknown>
}

/** A vault under a CryptoKey for AES-GCM, 256 bits. Random nonces: good for 2^32 writes. */
export function openVault(aes: CryptoKey): Vault {
  return {
    async seal(key, value) {
      const iv = crypto.getRandomValues(new Uint8Array(NONCE))
      const algorithm = { name: 'AES-GCM', iv, additionalData: utf8(key) }
      const sealed = await crypto.subtle.encrypt(algorithm, aes, encode(value))
      return concat(iv, new Uint8Array(sealed))
    },
    async open(key, sealed) {
      try {
        if (!(sealed instanceof Uint8Array)) throw new TypeError('not sealed')
        const iv = sealed.slice(0, NONCE)
        const algorithm = { name: 'AES-GCM', iv, additionalData: utf8(key) }
        const opened = await crypto.subtle.decrypt(algorithm, aes, sealed.slice(NONCE))
        // Of any number of values: nobody else can have sealed it.
        return decode(new Uint8Array(opened))
      } catch (cause) {
        throw new SottoError('crypto_failed', 'What is stored on this device is damaged.', {
          cause,
        })
      }
    },
  }
}
