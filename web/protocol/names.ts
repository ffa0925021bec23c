import { utf8 } from './bytes.ts'
import { SottoError } from './errors.ts'

export const MAX_NAME_CHARACTERS = 32
export const MAX_NAME_BYTES = 64

/**
 * The display form of a user name: NFC, 1 to 32 characters, at most 64 bytes. Throws SottoError
 * `bad_name` with a text that says what to change.
 */
export function normaliseName(text: string): string {
  const name = text.normalize('NFC').trim()
  if (name === '') throw new SottoError('bad_name', 'Enter a name.')
  if (Array.from(name).length > MAX_NAME_CHARACTERS || utf8(name).length > MAX_NAME_BYTES)
    throw new SottoError('bad_name', 'This name is too long: take at most 32 letters.')
  if (!/^[\p{L}\p{Nd}](?:[ ._'-]?[\p{L}\p{M}\p{Nd}])*$/u.test(name))
    throw new SottoError('bad_name', 'Take letters and digits only.')
  return name
}

/** What two names that look alike have in common: the endpoint keeps it unique. */
export function skeleton(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{Mn}/gu, '')
    .replace(/[i1|]/g, 'l')
    .replaceAll('0', 'o')
    .replaceAll('rn', 'm')
}
