import type { Bytes } from './bytes.ts'
import { SottoError } from './errors.ts'
import { readKeyFile } from './key_file.ts'
import { writePem } from './pem.ts'
import { readPkcs8 } from './pkcs8.ts'
import { checkSpki, LEAST_ENDPOINT_BITS, RSA_OAEP } from './spki.ts'

/** An endpoint's key: an RSA key that decrypts OAEP (SHA-256) and does nothing else. */
export interface EndpointKey {
  /** The public key: DER of the SPKI template, 3072 or 4096 bits. */
  readonly spki: Bytes
  /** Throws SottoError `crypto_failed`, whatever the reason. */
  decrypt(ciphertext: Bytes, label: Bytes): Promise<Bytes>
}

const GENERATE = {
  ...RSA_OAEP,
  modulusLength: 3072,
  publicExponent: Uint8Array.of(1, 0, 1),
} as const

/**
 * Makes an RSA-3072 key. `pem` (PKCS#8 in clear) is the only copy that can be saved, for a file of
 * mode 600: `key` itself is not extractable.
 */
export async function generateEndpointKey(): Promise<{ key: EndpointKey; pem: string }> {
  const pair = await crypto.subtle.generateKey(GENERATE, true, ['encrypt', 'decrypt'])
  const exported = await crypto.subtle.exportKey('pkcs8', pair.privateKey)
  const pem = writePem('PRIVATE KEY', readPkcs8(new Uint8Array(exported)).pkcs8)
  return { key: await importEndpointKeyPem(pem), pem }
}

/** The key in an unencrypted PEM file, 3072 or 4096 bits. Throws SottoError `bad_key` otherwise. */
export async function importEndpointKeyPem(pem: string): Promise<EndpointKey> {
  const { pkcs8, spki } = await readKeyFile(pem)
  checkSpki(spki, { least: LEAST_ENDPOINT_BITS })
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, RSA_OAEP, false, ['decrypt'])
  const decrypt = async (ciphertext: Bytes, label: Bytes): Promise<Bytes> => {
    try {
      return new Uint8Array(
        await crypto.subtle.decrypt({ name: 'RSA-OAEP', label }, key, ciphertext),
      )
    } catch {
      // No cause: why OAEP failed must not be learnt anywhere (Manger's attack).
      throw new SottoError('crypto_failed', 'Decryption failed.')
    }
  }
  return { spki, decrypt }
}
