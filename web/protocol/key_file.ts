import { SottoError } from './errors.ts'
import { decryptKey, readEncryptedKey, wrongPassphrase } from './pbes2.ts'
import { type PemBlock, readPem } from './pem.ts'
import { type RsaKeyFile, readPkcs1, readPkcs8 } from './pkcs8.ts'

/** Why a block of this label is not the private key that is wanted, and what to do. */
const OTHER_FILES: readonly (readonly [RegExp, string])[] = [
  [
    /^OPENSSH PRIVATE KEY$/,
    'This is a key in OpenSSH form. Convert a copy of it, if it is an RSA key, with: ssh-keygen -p -m PKCS8 -f COPY',
  ],
  [
    /^(EC|DSA) /,
    'This is not an RSA key. A key that fits is made by: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -aes256 -out key.pem',
  ],
  [
    /PUBLIC KEY$/,
    'This file holds only the public half of a key. Choose the file with the private key.',
  ],
  [/^PGP /, 'This is a PGP key, which Sotto cannot use. Choose an RSA key in a PEM file.'],
  [
    /CERTIFICATE/,
    'This file holds a certificate, not a private key. Choose the file of the key that belongs to it.',
  ],
]

const PRIVATE_KEYS = ['PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'RSA PRIVATE KEY']

/**
 * The RSA private key in a PEM file: PKCS#8 in clear or under a passphrase, or PKCS#1 in clear.
 * A passphrase that the file does not need is ignored. Throws SottoError `bad_passphrase` when it
 * is missing or wrong, `bad_key` with what to do for every other fault.
 */
export async function readKeyFile(pem: string, passphrase?: string): Promise<RsaKeyFile> {
  const block = privateKeyOf(readPem(pem))
  if (block.headers)
    throw new SottoError(
      'bad_key',
      'This key file is in an old form of OpenSSL. Convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out key.pem',
    )
  if (block.label === 'RSA PRIVATE KEY') return wellFormed(() => readPkcs1(block.der))
  if (block.label === 'PRIVATE KEY') return wellFormed(() => readPkcs8(block.der))
  const file = wellFormed(() => readEncryptedKey(block.der))
  if (passphrase === undefined || passphrase === '')
    throw new SottoError('bad_passphrase', 'This key file is encrypted: enter its passphrase.')
  // Ours are written with NFC; a file from elsewhere may have been made with what was typed.
  const spellings = new Set([passphrase.normalize('NFC'), passphrase])
  let failure: unknown
  for (const spelling of spellings) {
    try {
      const pkcs8 = await decryptKey(file, spelling)
      return plausible(() => readPkcs8(pkcs8))
    } catch (error) {
      if (!(error instanceof SottoError && error.code === 'bad_passphrase')) throw error
      failure = error
    }
  }
  throw failure
}

function privateKeyOf(blocks: readonly PemBlock[]): PemBlock {
  const [key, another] = blocks.filter(({ label }) => PRIVATE_KEYS.includes(label))
  if (another !== undefined)
    throw new SottoError('bad_key', 'This file holds several private keys. Choose a file with one.')
  if (key !== undefined) return key
  const labels = blocks.map(({ label }) => label)
  const known = OTHER_FILES.find(([pattern]) => labels.some((label) => pattern.test(label)))
  throw new SottoError('bad_key', known?.[1] ?? 'This PEM file holds no private key.')
}

function wellFormed<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof SottoError) throw cause
    throw new SottoError(
      'bad_key',
      'This key file is damaged: what is inside is not a key. Copy the whole file again.',
      { cause },
    )
  }
}

/** One wrong passphrase in 256 leaves a padding that fits: what comes out is then no DER. */
function plausible<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof SottoError) throw cause
    throw wrongPassphrase(cause)
  }
}
