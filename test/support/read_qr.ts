import jsqr from 'jsqr'

/** Pixels of a module's side. */
const SCALE = 4

// It is a CommonJS module, whose default export Node puts one level deeper than its types say.
const decode = (jsqr as unknown as { default: typeof jsqr }).default

/**
 * What another implementation reads from a drawing of `side` modules each way, whose path has one
 * `M<x> <y>h1v1h-1z` for each dark module. Undefined when it is no QR code.
 */
export function readQr(path: string, side: number): string | undefined {
  const width = side * SCALE
  const pixels = new Uint8ClampedArray(width * width * 4).fill(255)
  for (const [, x, y] of path.matchAll(/M(\d+) (\d+)h1v1h-1z/g))
    for (let i = 0; i < SCALE * SCALE; i++) {
      const column = Number(x) * SCALE + (i % SCALE)
      const row = Number(y) * SCALE + Math.floor(i / SCALE)
      pixels.fill(0, (row * width + column) * 4, (row * width + column) * 4 + 3)
    }
  return decode(pixels, width, width)?.data
}
