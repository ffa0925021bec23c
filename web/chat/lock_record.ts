import { type Bytes, concat, lp16, utf8 } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import { Identity } from '../protocol/identity.ts'
import { RSA_PSS } from '../protocol/spki.ts'
import { type ProfileKeys, VAULT_ALGORITHM, VAULT_USAGES, type VaultKeys } from './profile_keys.ts'

/** Rounds of PBKDF2-HMAC-SHA-256 for new locks, and the most that a stored one may ask for. */
const ITERATIONS = 600_000
const MOST_ITERATIONS = 10_000_000
const SALT = 16
const NONCE = 12
/** Characters of a passphrase, at least. */
const LEAST = 8

/** What rests in the place of the keys while the app lock is set. Nothing in it is secret. */
export interface LockRecord {
  readonly version: 1
  /** 16 random bytes, and the rounds: what the passphrase's key is derived with. */
  readonly salt: Bytes
  readonly iterations: number
  /** The identity's public key. */
  readonly spki: Bytes
  /** `nonce[12] ‖ AES-256-GCM`: the vault's key, raw; the identity's, PKCS#8. */
  readonly vault: Bytes
  readonly identity: Bytes
}

/** Wraps the keys under a passphrase. Throws SottoError `bad_passphrase` for one that won't do. */
export async function wrapKeys(keys: ProfileKeys, passphrase: string): Promise<LockRecord> {
  checkPassphrase(passphrase)
  const { spki, backup } = keys.identity.stored()
  const salt = crypto.getRandomValues(new Uint8Array(SALT))
  const base = { version: 1, salt, iterations: ITERATIONS, spki } as const
  const wrapping = await wrappingKey(base, passphrase)
  const wrap = async (name: Part, format: 'raw' | 'pkcs8', key: CryptoKey) => {
    const iv = crypto.getRandomValues(new Uint8Array(NONCE))
    const algorithm = { name: 'AES-GCM', iv, additionalData: context(name, base) }
    const wrapped = await crypto.subtle.wrapKey(format, key, wrapping, algorithm)
    return concat(iv, new Uint8Array(wrapped))
  }
  const record = {
    ...base,
    vault: await wrap('vault', 'raw', keys.vault.backup),
    identity: await wrap('identity', 'pkcs8', backup),
  }
  // The only other copy is about to be deleted: try before.
  await unwrapWith(wrapping, record)
  return record
}

/**
 * The keys in a record. Throws SottoError `bad_passphrase` when the passphrase is wrong (or the
 * record damaged: the two can't be told apart), having changed nothing.
 */
export async function unwrapKeys(record: LockRecord, passphrase: string): Promise<ProfileKeys> {
  const wrapping = await wrappingKey(record, passphrase)
  try {
    return await unwrapWith(wrapping, record)
  } catch (cause) {
    const text =
      'The passphrase is wrong. Check capitals and keyboard layout and try again; nothing was changed.'
    throw new SottoError('bad_passphrase', text, { cause })
  }
}

/** A lock record as it was stored, or undefined when it is damaged. */
export function lockRecordFrom(value: unknown): LockRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { version, salt, iterations, ...keys } = value as Partial<Record<keyof LockRecord, unknown>>
  const whole =
    version === 1 &&
    salt instanceof Uint8Array &&
    salt.length === SALT &&
    typeof iterations === 'number' &&
    iterations >= ITERATIONS &&
    iterations <= MOST_ITERATIONS &&
    [keys.spki, keys.vault, keys.identity].every((one) => one instanceof Uint8Array)
  return whole ? (value as LockRecord) : undefined
}

type Part = 'vault' | 'identity'
type Base = Pick<LockRecord, 'salt' | 'iterations' | 'spki'>

/** Neither part opens in the place of the other, nor beside another public key. */
function context(part: Part, { spki }: Base): Bytes {
  return concat(utf8(`sotto1 lock ${part}`), lp16(spki))
}

async function wrappingKey({ salt, iterations }: Base, passphrase: string): Promise<CryptoKey> {
  const secret = utf8(passphrase.normalize('NFKC'))
  const base = await crypto.subtle.importKey('raw', secret, 'PBKDF2', false, ['deriveKey'])
  const derivation = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations }
  const usages: KeyUsage[] = ['wrapKey', 'unwrapKey']
  return crypto.subtle.deriveKey(derivation, base, VAULT_ALGORITHM, false, usages)
}

async function unwrapWith(wrapping: CryptoKey, record: LockRecord): Promise<ProfileKeys> {
  const unwrap = (part: Part, extractable: boolean) => {
    const sealed = record[part]
    const iv = sealed.slice(0, NONCE)
    const unwrapping = { name: 'AES-GCM', iv, additionalData: context(part, record) }
    const [format, algorithm, usages] = PARTS[part]
    const bytes = sealed.slice(NONCE)
    return crypto.subtle.unwrapKey(
      format,
      bytes,
      wrapping,
      unwrapping,
      algorithm,
      extractable,
      usages,
    )
  }
  const [working, vaultBackup, signing, backup] = await Promise.all([
    unwrap('vault', false),
    unwrap('vault', true),
    unwrap('identity', false),
    unwrap('identity', true),
  ])
  const vault: VaultKeys = { working, backup: vaultBackup }
  return { vault, identity: await Identity.open({ spki: record.spki, signing, backup }) }
}

const PARTS: Record<Part, readonly ['raw' | 'pkcs8', Algorithm, KeyUsage[]]> = {
  vault: ['raw', VAULT_ALGORITHM, VAULT_USAGES],
  identity: ['pkcs8', RSA_PSS, ['sign']],
}

function checkPassphrase(passphrase: string): void {
  if ([...passphrase].length < LEAST)
    throw new SottoError(
      'bad_passphrase',
      `A passphrase for the app lock has at least ${LEAST} characters. Several words are good.`,
    )
}
