/** One measured figure. Ratios compare with a named peer that ran in the same process run. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** Ours against the peer, so that larger is better for us unless the goal says at most. */
  readonly ratio?: number
  /** The peer that the ratio is against. */
  readonly against?: string
  readonly goal?: Goal
}

/** What the ratio (or, without one, the value) has to reach. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number }

export function reached(figure: Figure): boolean | undefined {
  if (figure.goal === undefined) return undefined
  const measured = figure.ratio ?? figure.value
  return 'atLeast' in figure.goal ? measured >= figure.goal.atLeast : measured <= figure.goal.atMost
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The smallest value that at least `part` of all values do not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
}
