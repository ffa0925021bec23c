/** Bytes that V8 keeps inside its heap, unless somebody asks for their buffer. */
const MOST_INLINE = 64

/**
 * Arguments as they go to another thread: each piece of bytes over a buffer of its own, since a
 * view takes the whole buffer that it looks at along with it. Small ones are copied unseen: on the
 * way they get a buffer outside the heap, which a session would then hold on to.
 */
export function detached<T>(value: T): T {
  if (value instanceof Uint8Array) return (ownsBuffer(value) ? value : value.slice()) as T
  if (Array.isArray(value)) return value.map(detached) as T
  if (typeof value !== 'object' || value === null) return value
  const copy: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(value)) copy[key] = detached(field)
  return copy as T
}

function ownsBuffer(bytes: Uint8Array): boolean {
  return bytes.length > MOST_INLINE && bytes.length === bytes.buffer.byteLength
}

/** About how many bytes the arguments take while they wait. */
export function sizeOf(value: unknown): number {
  if (value instanceof Uint8Array) return value.length + 64
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + sizeOf(one), 32)
  if (typeof value !== 'object' || value === null) return 16
  return Object.values(value).reduce<number>((sum, field) => sum + sizeOf(field), 64)
}
