/** Primitives under a test's control: what is random comes from a script, what is made is noted. */
import { type Bytes, hex } from '../../web/protocol/bytes.ts'
import type { Primitives, X25519Pair } from '../../web/protocol/primitives.ts'

export interface Script {
  readonly x25519?: X25519Pair
  /** Handed out in this order, then real chance goes on. */
  readonly random?: readonly Bytes[]
  /** The ciphertext, in place of OAEP. */
  readonly ct?: Bytes
}

export interface Scripted extends Primitives {
  /** Hex of every HMAC key, hash and signature that went by. */
  readonly seen: { keys: string[]; hashes: string[]; signatures: string[] }
}

export function scripted(p: Primitives, script: Script = {}): Scripted {
  const seen = { keys: [] as string[], hashes: [] as string[], signatures: [] as string[] }
  const random = [...(script.random ?? [])]
  return {
    ...p,
    seen,
    async sha256(data) {
      const hash = await p.sha256(data)
      seen.hashes.push(hex(hash))
      return hash
    },
    hmacKey(raw) {
      seen.keys.push(hex(raw))
      return p.hmacKey(raw)
    },
    rsaVerify(spki, signature, data) {
      seen.signatures.push(hex(signature))
      return p.rsaVerify(spki, signature, data)
    },
    random: (length) => random.shift()?.slice() ?? p.random(length),
    x25519: () => script.x25519 ?? p.x25519(),
    rsaEncrypt: (spki, label, message) => script.ct ?? p.rsaEncrypt(spki, label, message),
  }
}
