/**
 * Reproducible chance. Every test that draws from it says its seed when it fails; `SOTTO_SEED`
 * repeats such a run. Not for keys.
 */
import type { Bytes } from '../../web/protocol/bytes.ts'

export interface Random {
  readonly seed: number
  /** 0 ≤ x < 2^32. */
  u32(): number
  /** 0 ≤ x < most, whole. */
  below(most: number): number
  bytes(length: number): Bytes
  pick<T>(from: readonly T[]): T
}

const environment = 'process' in globalThis ? process.env : {}
/** True when the full counts of the attack, fault and fuzz tables are asked for. */
export const full = environment.SOTTO_FULL === '1'
const baseSeed = Number(environment.SOTTO_SEED ?? 1)

/** xoshiro128** (Blackman and Vigna), its state filled by splitmix32. */
export function random(seed: number): Random {
  let mix = seed >>> 0
  const fill = (): number => {
    mix = (mix + 0x9e3779b9) >>> 0
    let z = mix
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
  let [a, b, c, d] = [fill(), fill(), fill(), fill()]
  const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by))
  const u32 = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = rotate(d, 11)
    return result
  }
  const below = (most: number): number => Math.floor((u32() / 2 ** 32) * most)
  return {
    seed,
    u32,
    below,
    bytes: (length) => Uint8Array.from({ length }, () => u32() >>> 24),
    pick: (from) => from[below(from.length)] as (typeof from)[number],
  }
}

/** Runs `work` with chance of its own; what it throws says how to have the same chance again. */
export async function seeded(work: (random: Random) => void | Promise<void>): Promise<void> {
  try {
    await work(random(baseSeed))
  } catch (error) {
    if (error instanceof Error) error.message += ` (repeat with SOTTO_SEED=${baseSeed})`
    throw error
  }
}
