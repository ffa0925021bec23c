import type { Identity } from '../protocol/identity.ts'

/**
 * The key that seals this device's store, as a browser keeps it. `working` is not extractable and
 * does the daily work. `backup` is the same key, extractable, and is used by the app lock alone,
 * which wraps it. As with the identity's two keys this keeps key bytes out of all other code; it is
 * no wall against a script in the page's origin.
 */
export interface VaultKeys {
  readonly working: CryptoKey
  readonly backup: CryptoKey
}

/** The two keys that everything else on this device hangs on. */
export interface ProfileKeys {
  readonly identity: Identity
  readonly vault: VaultKeys
}

export const VAULT_ALGORITHM = { name: 'AES-GCM', length: 256 } as const
export const VAULT_USAGES: KeyUsage[] = ['encrypt', 'decrypt']

export async function makeVaultKeys(): Promise<VaultKeys> {
  const backup = await crypto.subtle.generateKey(VAULT_ALGORITHM, true, VAULT_USAGES)
  const raw = await crypto.subtle.exportKey('raw', backup)
  const working = await crypto.subtle.importKey('raw', raw, VAULT_ALGORITHM, false, VAULT_USAGES)
  return { working, backup }
}

/** The keys of the vault as they were stored, or undefined when they are not whole. */
export function vaultKeysFrom(value: unknown): VaultKeys | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { working, backup } = value as Partial<Record<keyof VaultKeys, unknown>>
  return isVaultKey(working, false) && isVaultKey(backup, true) ? { working, backup } : undefined
}

function isVaultKey(key: unknown, extractable: boolean): key is CryptoKey {
  return (
    key instanceof CryptoKey &&
    key.algorithm.name === VAULT_ALGORITHM.name &&
    key.extractable === extractable
  )
}
