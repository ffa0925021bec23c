import { type Bytes, utf8 } from './bytes.ts'
import { SottoError } from './errors.ts'
import { readKeyFile } from './key_file.ts'
import { encryptKey, IV_LENGTH, SALT_LENGTH } from './pbes2.ts'
import { writePem } from './pem.ts'
import { type RsaKeyFile, readPkcs8 } from './pkcs8.ts'
import {
  checkSpki,
  fingerprint,
  LEAST_IDENTITY_BITS,
  PSS,
  RSA_PSS,
  verifySignature,
} from './spki.ts'

const GENERATE = {
  ...RSA_PSS,
  modulusLength: 3072,
  publicExponent: Uint8Array.of(1, 0, 1),
} as const

/** What the handshake and rooms need of an identity. */
export interface Signer {
  /** The public key: DER of the SPKI template. */
  readonly spki: Bytes
  /** RSA-PSS over `data`: as many bytes as the modulus has. */
  sign(data: Bytes): Promise<Bytes>
}

/**
 * An identity as a browser stores it: structured clone takes it, IndexedDB too.
 *
 * `signing` is not extractable and does the daily work. `backup` is the same key, extractable, and
 * is used by export alone, so that a person can save the key at any time. This keeps key bytes out
 * of every code path but export; it is no wall against a script that runs in the page's origin,
 * which could read `backup` here just as the export does. No design that exports at any time
 * without asking for a secret could be.
 */
export interface StoredIdentity {
  readonly spki: Bytes
  readonly signing: CryptoKey
  readonly backup: CryptoKey
}

/** A person's key: an RSA key that signs and does nothing else. */
export class Identity implements Signer {
  readonly spki: Bytes
  /** SHA-256 of the SPKI, 32 bytes. */
  readonly fingerprint: Bytes
  readonly #stored: StoredIdentity

  private constructor(stored: StoredIdentity, print: Bytes) {
    this.spki = stored.spki
    this.fingerprint = print
    this.#stored = stored
  }

  /**
   * Takes a stored identity into use. Throws SottoError `bad_key` unless it is whole and its public
   * and private keys fit, tried with one signature: a half-wiped store shows here and not later.
   */
  static async open(stored: unknown): Promise<Identity> {
    if (!isStored(stored)) throw broken()
    checkSpki(stored.spki, { least: LEAST_IDENTITY_BITS })
    const identity = new Identity(stored, await fingerprint(webHash, stored.spki))
    const probe = utf8('sotto1 key check')
    for (const key of [stored.signing, stored.backup]) {
      const signature = await signWith(key, probe)
      if (!(await verifySignature(stored.spki, probe, signature))) throw broken()
    }
    return identity
  }

  sign(data: Bytes): Promise<Bytes> {
    return signWith(this.#stored.signing, data)
  }

  /** For the browser's store. Files take a PEM instead: a CryptoKey does not outlive a process. */
  stored(): StoredIdentity {
    return this.#stored
  }

  /** The private key in clear, PKCS#8 DER: for the functions that write key files only. */
  async exportPkcs8(): Promise<Bytes> {
    const exported = await crypto.subtle.exportKey('pkcs8', this.#stored.backup)
    return readPkcs8(new Uint8Array(exported)).pkcs8
  }
}

/** Makes an RSA-3072 key. Takes from a tenth of a second to some seconds, as luck has it. */
export async function generateIdentity(): Promise<Identity> {
  const pair = await crypto.subtle.generateKey(GENERATE, true, ['sign', 'verify'])
  const exported = await crypto.subtle.exportKey('pkcs8', pair.privateKey)
  return fromKeyFile(readPkcs8(new Uint8Array(exported)))
}

/**
 * The identity in a PEM file: PKCS#8, encrypted (PBES2) or not, or PKCS#1 in clear; RSA with 2048,
 * 3072 or 4096 bits. Throws SottoError `bad_passphrase` or `bad_key`, both with what to do.
 */
export async function importIdentityPem(pem: string, passphrase?: string): Promise<Identity> {
  return fromKeyFile(await readKeyFile(pem, passphrase))
}

/**
 * The key file for a person to keep: `ENCRYPTED PRIVATE KEY` as `openssl pkey -passin` reads it
 * (PBKDF2-HMAC-SHA-256 with 600,000 rounds, AES-256-CBC). Throws SottoError `bad_passphrase` for an
 * empty passphrase or one with control characters.
 */
export async function exportIdentityPem(identity: Identity, passphrase: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_LENGTH))
  const iv = crypto.getRandomValues(new Uint8Array(IV_LENGTH))
  const encrypted = await encryptKey(await identity.exportPkcs8(), passphrase, salt, iv)
  return writePem('ENCRYPTED PRIVATE KEY', encrypted)
}

/**
 * The private key in clear, `PRIVATE KEY`: only for a terminal's own store, a file of mode 600 that
 * nobody else can read. People get {@link exportIdentityPem}.
 */
export async function exportIdentityPlainPem(identity: Identity): Promise<string> {
  return writePem('PRIVATE KEY', await identity.exportPkcs8())
}

/** The public key, `PUBLIC KEY`, as `openssl pkey -pubin` reads it. */
export function exportPublicPem(identity: { readonly spki: Bytes }): string {
  return writePem('PUBLIC KEY', identity.spki)
}

async function fromKeyFile({ pkcs8, spki }: RsaKeyFile): Promise<Identity> {
  const load = (extractable: boolean) =>
    crypto.subtle.importKey('pkcs8', pkcs8, RSA_PSS, extractable, ['sign'])
  let keys: readonly [CryptoKey, CryptoKey]
  try {
    keys = await Promise.all([load(false), load(true)])
  } catch (cause) {
    throw new SottoError(
      'bad_key',
      'This RSA key is refused by the browser: the file is damaged.',
      { cause },
    )
  }
  return Identity.open({ spki, signing: keys[0], backup: keys[1] })
}

async function signWith(key: CryptoKey, data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign(PSS, key, data))
}

const webHash = {
  sha256: async (bytes: Bytes): Promise<Bytes> =>
    new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)),
}

function isStored(value: unknown): value is StoredIdentity {
  if (typeof value !== 'object' || value === null) return false
  const { spki, signing, backup } = value as Partial<Record<keyof StoredIdentity, unknown>>
  const signs = (key: unknown, extractable: boolean) =>
    key instanceof CryptoKey &&
    key.algorithm.name === 'RSA-PSS' &&
    key.usages.includes('sign') &&
    key.extractable === extractable
  return spki instanceof Uint8Array && signs(signing, false) && signs(backup, true)
}

function broken(): SottoError {
  return new SottoError(
    'bad_key',
    'The stored identity is damaged or incomplete: the browser may have wiped a part of it. Import your key file to go on as the same person.',
  )
}
