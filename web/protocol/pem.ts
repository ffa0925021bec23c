import type { Bytes } from './bytes.ts'
import { SottoError } from './errors.ts'

/** One block of a PEM file (RFC 7468): its label and the DER inside. */
export interface PemBlock {
  readonly label: string
  readonly der: Bytes
  /** Old OpenSSL headers (RFC 1421) stand before the base64: the DER is encrypted by them. */
  readonly headers: boolean
}

/** No key file is larger: a 4096-bit key has about 3,300 characters. */
export const MAX_PEM_LENGTH = 65_536

const BEGIN = '-----BEGIN '
const DASHES = '-----'
const MAX_BLOCKS = 16

/**
 * All blocks of a PEM file, at most 16; text around them is skipped, line ends do not matter.
 * Throws SottoError `bad_key` that says what is wrong with the file. Takes linear time.
 */
export function readPem(text: string): PemBlock[] {
  if (text.length > MAX_PEM_LENGTH)
    throw damaged('This file is far too large for a key. Choose the PEM file of the key.')
  const blocks: PemBlock[] = []
  for (let at = text.indexOf(BEGIN); at >= 0; at = text.indexOf(BEGIN, at)) {
    if (blocks.length === MAX_BLOCKS)
      throw damaged('This file holds too many keys. Choose a file with one.')
    const bodyAt = text.indexOf(DASHES, at + BEGIN.length)
    const label = text.slice(at + BEGIN.length, bodyAt)
    const end = `-----END ${label}-----`
    const endAt = bodyAt < 0 ? -1 : text.indexOf(end, bodyAt)
    if (endAt < 0)
      throw damaged(
        'This key file is cut off or damaged: a "-----BEGIN" line has no "-----END" line that fits. Copy the whole file again.',
      )
    blocks.push({ label, ...decodeBody(text.slice(bodyAt + DASHES.length, endAt)) })
    at = endAt + end.length
  }
  if (blocks.length === 0)
    throw damaged(
      'This is not a PEM file: it has no line "-----BEGIN … KEY-----". If it holds a key in another form, convert it with: openssl pkey -in FILE -out key.pem',
    )
  return blocks
}

/** A PEM file of one block, lines of 64 characters, LF at each end. */
export function writePem(label: string, der: Uint8Array): string {
  const base64 = btoa(Array.from(der, (byte) => String.fromCharCode(byte)).join(''))
  const lines = base64.match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

function decodeBody(body: string): { der: Bytes; headers: boolean } {
  const headers = body.includes(':')
  // Headers end with an empty line; what they encrypt is not read here, only recognised.
  if (headers) return { der: new Uint8Array(0), headers }
  const base64 = body.replace(/[ \t\r\n]+/g, '')
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64))
    throw damaged('This key file is damaged: its base64 text has characters missing or wrong.')
  return { der: Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)), headers }
}

function damaged(message: string): SottoError {
  return new SottoError('bad_key', message)
}
