import { type Bytes, concat, fromHex, u8, utf8 } from '../../web/protocol/bytes.ts'

/** One DER, and whether a key of at least `least` bits may look like that. */
export interface SpkiCase {
  readonly name: string
  readonly least: 2048 | 3072
  readonly der: Bytes
  readonly accept: boolean
}

/** Any DER or BER value: `length` overrides how the length is spelled. */
export function tlv(tag: number, body: Uint8Array, length = shortest(body.length)): Bytes {
  return concat(u8(tag), length, body)
}

function shortest(length: number): Bytes {
  if (length < 0x80) return Uint8Array.of(length)
  if (length < 0x100) return Uint8Array.of(0x81, length)
  return Uint8Array.of(0x82, length >>> 8, length)
}

const seq = (...parts: Uint8Array[]) => tlv(0x30, concat(...parts))
const integer = (body: Uint8Array) => tlv(0x02, body)
const oid = (hex: string) => tlv(0x06, fromHex(hex))
const bits = (body: Uint8Array, unused = 0) => tlv(0x03, concat(u8(unused), body))
const NULL = fromHex('0500')
const E = fromHex('0203010001')
const ZERO = Uint8Array.of(0)
const RSA = '2a864886f70d010101'
const ALGORITHM = seq(oid(RSA), NULL)

const signed = (modulus: Uint8Array) => integer(concat(ZERO, modulus))
const rsa = (modulus: Uint8Array, exponent: Uint8Array = E) => seq(signed(modulus), exponent)
const spki = (key: Uint8Array, algorithm: Uint8Array = ALGORITHM) => seq(algorithm, bits(key))

/** A modulus of so many bits: top and bottom bit set, a fixed pattern between. */
function modulus(size: number): Bytes {
  const bytes = Uint8Array.from({ length: Math.ceil(size / 8) }, (_, i) => (i * 89 + 41) & 0xff)
  const top = (size - 1) % 8
  bytes[0] = ((bytes[0] as number) & ((2 << top) - 1)) | (1 << top)
  bytes[bytes.length - 1] = (bytes.at(-1) as number) | 1
  return bytes
}

/** An INTEGER's body, the sign byte only where it is needed. */
function magnitude(number: Bytes): Bytes {
  return (number[0] as number) >= 0x80 ? concat(ZERO, number) : number
}

function changed(bytes: Uint8Array, at: number, change: (byte: number) => number): Bytes {
  const copy = new Uint8Array(bytes)
  const index = at < 0 ? copy.length + at : at
  copy[index] = change(copy[index] as number)
  return copy
}

/** The list of THREATS R11. `keys` are moduli of real keys, by size in bits. */
export function spkiCases(keys: { 2048: Bytes; 3072: Bytes; 4096: Bytes }): SpkiCase[] {
  const n = keys[3072]
  const good = spki(rsa(n))
  const accept = (name: string, least: 2048 | 3072, der: Bytes) => ({
    name,
    least,
    der,
    accept: true,
  })
  const refuse = (name: string, der: Bytes) => ({
    name,
    least: 2048 as const,
    der,
    accept: false,
  })
  const ofSize = (size: number) => spki(seq(integer(magnitude(modulus(size))), E))
  const withExponent = (hex: string) => spki(rsa(n, integer(fromHex(hex))))
  const withAlgorithm = (...parts: Uint8Array[]) => spki(rsa(n), seq(...parts))
  const bare = concat(ALGORITHM, bits(rsa(n)))
  return [
    accept('3072 bits, as an identity', 2048, good),
    accept('3072 bits, as an endpoint', 3072, good),
    accept('4096 bits, as an identity', 2048, spki(rsa(keys[4096]))),
    accept('4096 bits, as an endpoint', 3072, spki(rsa(keys[4096]))),
    accept('2048 bits, as an identity', 2048, spki(rsa(keys[2048]))),
    { ...refuse('2048 bits, as an endpoint', spki(rsa(keys[2048]))), least: 3072 },
    ...[2048, 3072, 4096].flatMap((size) => [
      accept(
        `${size} bits, the least modulus`,
        2048,
        spki(
          rsa(Uint8Array.from({ length: size / 8 }, (_, i) => (i ? +(i === size / 8 - 1) : 128))),
        ),
      ),
      accept(
        `${size} bits, the greatest modulus`,
        2048,
        spki(rsa(new Uint8Array(size / 8).fill(255))),
      ),
    ]),

    ...[
      512, 768, 1024, 1536, 2040, 2047, 2049, 2056, 2560, 3064, 3071, 3073, 3080, 4095, 4097, 8192,
    ].map((size) => refuse(`${size} bits`, ofSize(size))),

    refuse('e = 1', withExponent('01')),
    refuse('e = 2', withExponent('02')),
    refuse('e = 3', withExponent('03')),
    refuse('e = 17', withExponent('11')),
    refuse('e = 65535', withExponent('00ffff')),
    refuse('e = 65536', withExponent('010000')),
    refuse('e = 65539', withExponent('010003')),
    refuse('e = 2^32 + 1', withExponent('0100000001')),
    refuse('e = 0', withExponent('00')),
    refuse('e = -65537', withExponent('feffff')),
    refuse('e with a leading zero', withExponent('00010001')),
    refuse('e without a byte', withExponent('')),
    refuse('e as large as n', spki(rsa(n, signed(n)))),
    refuse('e before n', spki(seq(E, signed(n)))),

    refuse('even modulus', spki(rsa(changed(n, -1, (byte) => byte & 0xfe)))),
    refuse('modulus without its top bit', spki(rsa(changed(n, 0, (byte) => byte & 0x7f)))),
    refuse('modulus zero', spki(rsa(new Uint8Array(384)))),
    refuse('modulus of one byte', spki(rsa(Uint8Array.of(0xff)))),
    refuse('negative modulus', spki(seq(integer(n), E))),
    refuse('modulus with two leading zeros', spki(seq(integer(concat(ZERO, ZERO, n)), E))),
    refuse('3064 bits spelled as 3072', spki(rsa(concat(ZERO, n.subarray(1))))),
    refuse('modulus as OCTET STRING', spki(seq(tlv(0x04, concat(ZERO, n)), E))),

    refuse('no NULL', withAlgorithm(oid(RSA))),
    refuse('NULL with contents', withAlgorithm(oid(RSA), fromHex('050100'))),
    refuse('NULL with a long length', withAlgorithm(oid(RSA), fromHex('058100'))),
    refuse('parameters an empty SEQUENCE', withAlgorithm(oid(RSA), seq())),
    refuse('two NULLs', withAlgorithm(oid(RSA), NULL, NULL)),
    refuse('NULL before the OID', withAlgorithm(NULL, oid(RSA))),
    refuse('RSASSA-PSS', withAlgorithm(oid('2a864886f70d01010a'))),
    refuse('RSASSA-PSS with NULL', withAlgorithm(oid('2a864886f70d01010a'), NULL)),
    refuse('RSASSA-PSS with parameters', withAlgorithm(oid('2a864886f70d01010a'), seq())),
    refuse('RSAES-OAEP', withAlgorithm(oid('2a864886f70d010107'), NULL)),
    refuse('sha256WithRSAEncryption', withAlgorithm(oid('2a864886f70d01010b'), NULL)),
    refuse('md5WithRSAEncryption', withAlgorithm(oid('2a864886f70d010104'), NULL)),
    refuse('X.500 rsa', withAlgorithm(oid('55080101'), NULL)),
    refuse('DSA', withAlgorithm(oid('2a8648ce380401'), NULL)),
    refuse('OID with a padded arc', withAlgorithm(oid('2a864886f70d01800101'), NULL)),
    refuse('RELATIVE-OID', withAlgorithm(tlv(0x0d, fromHex(RSA)), NULL)),
    refuse('algorithm without OID', withAlgorithm(NULL)),
    refuse(
      'P-256',
      fromHex(
        '3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
      ),
    ),
    refuse('Ed25519', concat(fromHex('302a300506032b6570032100'), new Uint8Array(32).fill(9))),
    refuse('X25519', concat(fromHex('302a300506032b656e032100'), new Uint8Array(32).fill(9))),

    refuse('BER: outer length in three bytes', tlv(0x30, bare, fromHex('830001a2'))),
    refuse('BER: outer length indefinite', concat(fromHex('3080'), bare, ZERO, ZERO)),
    refuse(
      'BER: algorithm with a long length',
      seq(tlv(0x30, ALGORITHM.subarray(2), fromHex('810d')), bits(rsa(n))),
    ),
    refuse(
      'BER: OID with a long length',
      withAlgorithm(tlv(0x06, fromHex(RSA), fromHex('8109')), NULL),
    ),
    refuse(
      'BER: BIT STRING with a padded length',
      seq(ALGORITHM, tlv(0x03, concat(ZERO, rsa(n)), fromHex('8300018f'))),
    ),
    refuse('BER: BIT STRING in pieces', seq(ALGORITHM, tlv(0x23, bits(rsa(n))))),
    refuse(
      'BER: key with an indefinite length',
      spki(concat(fromHex('3080'), signed(n), E, ZERO, ZERO)),
    ),
    refuse(
      'BER: modulus with a padded length',
      spki(seq(tlv(0x02, concat(ZERO, n), fromHex('83000181')), E)),
    ),
    refuse('BER: exponent with a long length', spki(rsa(n, fromHex('028103010001')))),

    refuse('BIT STRING with one unused bit', seq(ALGORITHM, bits(rsa(n), 1))),
    refuse('BIT STRING with 255 unused bits', seq(ALGORITHM, bits(rsa(n), 255))),
    refuse('BIT STRING without its first byte', seq(ALGORITHM, tlv(0x03, rsa(n)))),
    refuse('empty BIT STRING', seq(ALGORITHM, tlv(0x03, new Uint8Array(0)))),
    refuse('OCTET STRING for BIT STRING', seq(ALGORITHM, tlv(0x04, concat(ZERO, rsa(n))))),

    refuse('a byte behind it', concat(good, ZERO)),
    refuse('the same key behind it', concat(good, good)),
    refuse('NULL behind the BIT STRING', seq(ALGORITHM, bits(rsa(n)), NULL)),
    refuse('a byte behind the key', spki(concat(rsa(n), ZERO))),
    refuse('a third INTEGER', spki(seq(signed(n), E, E))),
    refuse('no exponent', spki(seq(signed(n)))),
    refuse('no key', seq(ALGORITHM)),
    refuse('no algorithm', seq(bits(rsa(n)))),

    refuse('empty', new Uint8Array(0)),
    refuse('its first byte', good.slice(0, 1)),
    refuse('its head', good.slice(0, 33)),
    refuse('its first half', good.slice(0, 211)),
    refuse('all but its last byte', good.slice(0, -1)),
    refuse('all but its first byte', good.slice(1)),
    refuse('zeros', new Uint8Array(good.length)),
    refuse(
      'SET for SEQUENCE',
      changed(good, 0, () => 0x31),
    ),
    refuse(
      'context tag for SEQUENCE',
      changed(good, 0, () => 0xa0),
    ),
    refuse('in one more SEQUENCE', seq(good)),
    refuse('PKCS#1', rsa(n)),
    refuse('raw modulus', n),
    refuse('PEM for DER', utf8('-----BEGIN PUBLIC KEY-----\nMIIBojANBgkqhkiG9w0BAQEFAAOCAY8A\n')),
  ]
}
