import { generate } from 'lean-qr/nano'

/** Light around it, in modules: readers need that (ISO 18004, 4 on each side). */
const QUIET = 4

/** A QR code for an SVG that is `side` wide and high: the `path` of its dark modules. */
export interface QrCode {
  readonly side: number
  readonly path: string
}

/** A text as a QR code. Loaded when somebody wants to see one. */
export function qrCode(text: string): QrCode {
  const { size, get } = generate(text)
  let path = ''
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) if (get(x, y)) path += `M${x + QUIET} ${y + QUIET}h1v1h-1z`
  return { side: size + 2 * QUIET, path }
}
