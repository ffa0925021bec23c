/**
 * Welch's t of two samples of times, as dudect has it: beyond 4.5 either way, who can only measure
 * can tell the two apart. The slowest twentieth of each is left out: that is the machine's.
 */
export function welch(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [momentsOf(a), momentsOf(b)]
  return (x.mean - y.mean) / Math.sqrt(x.error + y.error)
}

/** What a t must stay under to count as no difference. */
export const TELLING = 4.5

function momentsOf(times: readonly number[]): { mean: number; error: number } {
  const kept = [...times].sort((p, q) => p - q).slice(0, Math.floor(times.length * 0.95))
  const mean = kept.reduce((sum, time) => sum + time, 0) / kept.length
  const spread = kept.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (kept.length - 1)
  return { mean, error: spread / kept.length }
}
