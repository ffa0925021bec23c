/**
 * Primitives that note every (key, nonce) under which something is sealed, and throw at the second
 * use of one (THREATS I4, R18). Several recorders over one {@link NonceLog} watch several parties.
 */
import { hex } from '../../web/protocol/bytes.ts'
import type { Aead, Primitives } from '../../web/protocol/primitives.ts'

export class NonceLog {
  readonly #used = new Set<string>()
  /** The first pair that was used twice. */
  reused: string | undefined

  get count(): number {
    return this.#used.size
  }

  note(key: string, nonce: string): void {
    const pair = `${key} ${nonce}`
    if (this.#used.has(pair)) {
      this.reused ??= pair
      throw new Error(`a nonce was used twice: ${pair}`)
    }
    this.#used.add(pair)
  }
}

export function recordNonces(p: Primitives, log: NonceLog): Primitives {
  return {
    ...p,
    async aead(raw): Promise<Aead> {
      const id = hex(await p.sha256(new Uint8Array(raw)))
      const aead = await p.aead(raw)
      return {
        seal(nonce, aad, plaintext) {
          log.note(id, hex(nonce))
          return aead.seal(nonce, aad, plaintext)
        },
        open: aead.open.bind(aead),
      }
    },
  }
}
