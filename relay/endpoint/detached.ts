/**
 * Arguments as they go to another thread: each piece of bytes over a buffer of its own, since a
 * view takes the whole buffer that it looks at along with it.
 */
export function detached<T>(value: T): T {
  if (value instanceof Uint8Array)
    return value.byteLength === value.buffer.byteLength ? value : (value.slice() as T)
  if (Array.isArray(value)) return value.map(detached) as T
  if (typeof value !== 'object' || value === null) return value
  const copy: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(value)) copy[key] = detached(field)
  return copy as T
}

/** About how many bytes the arguments take while they wait. */
export function sizeOf(value: unknown): number {
  if (value instanceof Uint8Array) return value.length + 64
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + sizeOf(one), 32)
  if (typeof value !== 'object' || value === null) return 16
  return Object.values(value).reduce<number>((sum, field) => sum + sizeOf(field), 64)
}
