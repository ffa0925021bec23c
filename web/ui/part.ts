import { SottoError } from '../protocol/errors.ts'

/** Loads a part of the page when it is needed. Rejects with SottoError `unavailable`. */
export async function part<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    throw new SottoError(
      'unavailable',
      'A part of this page did not load: the server can’t be reached, or has a newer version of it. Reload the page.',
      { cause },
    )
  }
}
