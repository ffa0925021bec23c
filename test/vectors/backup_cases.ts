import {
  type Bytes,
  concat,
  EMPTY,
  equal,
  fromHex,
  hex,
  u8,
  utf8,
} from '../../web/protocol/bytes.ts'
import { importIdentityPem } from '../../web/protocol/identity.ts'
import { encryptKey } from '../../web/protocol/pbes2.ts'
import { readPem, writePem } from '../../web/protocol/pem.ts'
import { tlv } from './spki_cases.ts'

/** A key file and what comes of importing it. Files `sealed` by us can be made again from it. */
export interface BackupCase {
  readonly name: string
  readonly pem: string
  readonly passphrase?: string
  readonly outcome: 'accept' | 'bad_key' | 'bad_passphrase'
  /** Which of identity_keys.json is inside. */
  readonly key?: string
  /** For `accept`: hex SHA-256 of the SPKI. */
  readonly fingerprint?: string
  readonly sealed?: { readonly salt: string; readonly iv: string; readonly iterations: number }
  /** The command that made it, for files of OpenSSL. */
  readonly command?: string
  readonly engine?: string
}

export interface KeyFiles {
  readonly keys: Record<'rsa2048' | 'rsa3072' | 'rsa4096', string>
  readonly files: readonly BackupCase[]
}

const PASSPHRASE = 'correct horse battery staple'
const ENCRYPTED = 'ENCRYPTED PRIVATE KEY'

/** The family "encrypted key backup" of THREATS C.4, and all that import must refuse. */
export async function backupCases({ keys, files }: KeyFiles): Promise<BackupCase[]> {
  const key = keys.rsa3072
  const opensslFile = files[0]?.pem ?? ''
  const encrypted = derOf(opensslFile)
  const inClear = derOf(key)
  const bad = (name: string, pem: string, passphrase?: string): BackupCase => ({
    name,
    pem,
    ...(passphrase === undefined ? {} : { passphrase }),
    outcome: 'bad_key',
  })
  const opens = (name: string, pem: string): BackupCase => ({
    name,
    pem,
    outcome: 'accept',
    key: 'rsa3072',
  })
  /** The OpenSSL file with some of its bytes replaced by others. */
  const sealedWith = (name: string, from: string, to: string): BackupCase =>
    bad(name, writePem(ENCRYPTED, replaced(encrypted, from, to)), PASSPHRASE)
  const plainWith = (name: string, from: string, to: string): BackupCase =>
    bad(name, writePem('PRIVATE KEY', replaced(inClear, from, to)))
  const lines = key.trimEnd().split('\n')
  const body = lines.slice(1, -1)

  return [
    await ours('rsa3072', keys, PASSPHRASE),
    await ours('rsa2048', keys, 'パスワード — ünïcödé'),
    await ours('rsa4096', keys, 'x'),
    ...files,

    opens('CRLF line ends', key.replaceAll('\n', '\r\n')),
    opens('no newline at the end', key.trimEnd()),
    opens('one line of base64', [lines[0], body.join(''), lines.at(-1)].join('\n')),
    opens(
      'text and a public key around it',
      `Bag Attributes\n${files.find((f) => f.name === 'public key')?.pem}${key}end\n`,
    ),
    opens('byte order mark', `\ufeff${key}`),
    opens(
      'with attributes',
      writePem('PRIVATE KEY', tlv(0x30, concat(contents(inClear), fromHex('a000')))),
    ),

    // Two ways to be wrong about a passphrase.
    {
      name: 'wrong passphrase',
      pem: opensslFile,
      passphrase: 'correct horse battery stapler',
      outcome: 'bad_passphrase',
    },
    { name: 'no passphrase', pem: opensslFile, outcome: 'bad_passphrase' },
    { name: 'empty passphrase', pem: opensslFile, passphrase: '', outcome: 'bad_passphrase' },
    {
      name: 'ciphertext changed at its end: CBC cannot tell why',
      pem: writePem(ENCRYPTED, flipped(encrypted, -1)),
      passphrase: PASSPHRASE,
      outcome: 'bad_passphrase',
    },

    // Numbers inside the encrypted file: 2048 rounds, a 16-byte IV.
    sealedWith('no rounds given', '02020800', ''),
    sealedWith('0 rounds', '02020800', '020100'),
    sealedWith('-1 rounds', '02020800', '0201ff'),
    sealedWith('10,000,001 rounds', '02020800', '020400989681'),
    sealedWith('2^32 rounds', '02020800', '02050100000000'),
    sealedWith('key length 16 for AES-256', '02020800', '02020800020110'),
    sealedWith('key length 2^31', '02020800', '0202080002047fffffff'),
    sealedWith('rounds spelled with a zero too many', '02020800', '0203000800'),
    sealedWith('another KDF', '2a864886f70d01050c', '2a864886f70d01050b'),
    sealedWith('another scheme', '2a864886f70d01050d', '2a864886f70d01050e'),
    sealedWith('AES-256-GCM', '60864801650304012a', '60864801650304012e'),
    sealedWith('AES-256-ECB', '60864801650304012a', '608648016503040129'),
    bad('ciphertext without its last byte', writePem(ENCRYPTED, shortened(encrypted)), PASSPHRASE),
    bad(
      'encrypted file cut in half',
      writePem(ENCRYPTED, encrypted.slice(0, encrypted.length / 2)),
      PASSPHRASE,
    ),
    bad(
      'encrypted file with a byte behind it',
      writePem(ENCRYPTED, concat(encrypted, u8(0))),
      PASSPHRASE,
    ),
    bad('encrypted key labelled as in clear', writePem('PRIVATE KEY', encrypted), PASSPHRASE),
    bad('key in clear labelled as encrypted', writePem(ENCRYPTED, inClear), PASSPHRASE),

    // Damage to the text.
    bad('empty file', ''),
    bad('not a key file', 'Dear diary,\n'),
    bad('cut off: no end line', lines.slice(0, 20).join('\n')),
    bad('cut off: first half of the begin line', '-----BEGIN PRIV'),
    bad('cut off: only the end line', lines.slice(5).join('\n')),
    bad('a line is missing', lines.filter((_, i) => i !== 10).join('\n')),
    bad(
      'a character is missing',
      key.replace(body[3] ?? '', (line) => line.slice(1)),
    ),
    bad(
      'a character is wrong',
      key.replace(body[3] ?? '', (line) => `${line.slice(1)}*`),
    ),
    bad('no body', `${lines[0]}\n${lines.at(-1)}\n`),
    bad('labels do not fit', key.replace('END PRIVATE', 'END PUBLIC')),
    bad('two keys', key + keys.rsa2048),
    bad('empty encrypted block', writePem(ENCRYPTED, new Uint8Array(0)), PASSPHRASE),
    bad('17 blocks', writePem('CERTIFICATE', utf8('x')).repeat(17)),

    // Damage inside a key in clear.
    bad('a byte behind the key', writePem('PRIVATE KEY', concat(inClear, u8(0)))),
    bad('key without its last byte', writePem('PRIVATE KEY', inClear.slice(0, -1))),
    bad('version 2 of PKCS#8', writePem('PRIVATE KEY', changed(inClear, 6, 2))),
    plainWith('no NULL behind the OID', '2a864886f70d0101010500', '2a864886f70d010101'),
    plainWith('RSA-OAEP key', '2a864886f70d010101', '2a864886f70d010107'),
    plainWith('unknown algorithm', '2a864886f70d010101', '2a864886f70d0101ff'),
    plainWith('exponent 3', '0203010001', '020103'),
    plainWith('exponent padded', '0203010001', '020400010001'),
    bad('one bit of n wrong', writePem('PRIVATE KEY', flipped(inClear, 100))),
    bad('one bit of d wrong', writePem('PRIVATE KEY', flipped(inClear, 500))),
    bad('one bit of p wrong', writePem('PRIVATE KEY', flipped(inClear, 900))),
    bad('one bit of q wrong', writePem('PRIVATE KEY', flipped(inClear, 1100))),
    bad('one bit of dp wrong', writePem('PRIVATE KEY', flipped(inClear, 1300))),
    bad('one bit of dq wrong', writePem('PRIVATE KEY', flipped(inClear, 1500))),
    bad('one bit of qi wrong', writePem('PRIVATE KEY', flipped(inClear, -1))),
  ]
}

/** A backup as the page makes it, with a salt and IV that can be told. */
async function ours(
  key: keyof KeyFiles['keys'],
  keys: KeyFiles['keys'],
  passphrase: string,
): Promise<BackupCase> {
  const salt = Uint8Array.from({ length: 16 }, (_, i) => i + passphrase.length)
  const iv = Uint8Array.from({ length: 16 }, (_, i) => 0xf0 - 3 * i)
  const pkcs8 = await (await importIdentityPem(keys[key])).exportPkcs8()
  const pem = writePem(ENCRYPTED, await encryptKey(pkcs8, passphrase, salt, iv))
  const sealed = { salt: hex(salt), iv: hex(iv), iterations: 600_000 }
  return { name: `a backup of ${key}`, pem, passphrase, outcome: 'accept', key, sealed }
}

function derOf(pem: string): Bytes {
  return readPem(pem)[0]?.der ?? new Uint8Array(0)
}

function changed(bytes: Uint8Array, at: number, to: number): Bytes {
  const copy = new Uint8Array(bytes)
  copy[at < 0 ? copy.length + at : at] = to
  return copy
}

function flipped(bytes: Uint8Array, at: number): Bytes {
  return changed(bytes, at, (bytes.at(at) as number) ^ 1)
}

/** The ciphertext without its last byte, the lengths fitted. */
function shortened(der: Bytes): Bytes {
  const [algorithm = EMPTY, ciphertext = EMPTY] = values(contents(der))
  return tlv(0x30, concat(algorithm, tlv(0x04, contents(ciphertext).slice(0, -1))))
}

/** `from` (hex) replaced where it stands deepest; the lengths of all that is around it are fitted. */
function replaced(der: Bytes, from: string, to: string): Bytes {
  const [out] = rewritten(der, from, to)
  if (out === undefined || equal(out, der)) throw new Error(`nothing to replace: ${from}`)
  return out
}

/** Each value of a DER body, rewritten. */
function rewritten(body: Bytes, from: string, to: string): Bytes[] {
  return values(body).map((value) => {
    const tag = value[0] as number
    const inside = contents(value)
    if (tag !== 0x30 && !(tag === 0x04 && inside[0] === 0x30 && inside[1] === 0x82)) return value
    const children = concat(...rewritten(inside, from, to))
    if (!equal(children, inside)) return tlv(tag, children)
    return tlv(tag, fromHex(hex(inside).replace(from, to)))
  })
}

function values(body: Bytes): Bytes[] {
  const all: Bytes[] = []
  for (let at = 0; at < body.length; ) {
    const end = at + headOf(body.subarray(at)) + lengthOf(body.subarray(at))
    all.push(body.slice(at, end))
    at = end
  }
  return all
}

function contents(value: Bytes): Bytes {
  return value.slice(headOf(value))
}

function headOf(value: Uint8Array): number {
  const first = value[1] as number
  return first < 0x80 ? 2 : first - 0x80 + 2
}

function lengthOf(value: Uint8Array): number {
  const first = value[1] as number
  if (first < 0x80) return first
  return value.subarray(2, headOf(value)).reduce((sum, byte) => sum * 256 + byte, 0)
}
