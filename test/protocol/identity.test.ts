import { type Bytes, fromHex, hex, utf8 } from '../../web/protocol/bytes.ts'
import type { SottoError } from '../../web/protocol/errors.ts'
import {
  exportIdentityPem,
  exportIdentityPlainPem,
  exportPublicPem,
  generateIdentity,
  Identity,
  importIdentityPem,
} from '../../web/protocol/identity.ts'
import { encryptKey, readEncryptedKey } from '../../web/protocol/pbes2.ts'
import { readPem, writePem } from '../../web/protocol/pem.ts'
import { verifySignature } from '../../web/protocol/spki.ts'
import { assert, before, describe, fails, it } from '../support/suite.ts'
import vectors from '../vectors/backup.json' with { type: 'json' }
import keyFiles from '../vectors/identity_keys.json' with { type: 'json' }

interface Case {
  readonly name: string
  readonly pem: string
  readonly passphrase?: string
  readonly outcome: 'accept' | 'bad_key' | 'bad_passphrase'
  readonly fingerprint?: string
  readonly key?: string
  readonly sealed?: { readonly salt: string; readonly iv: string }
  readonly engine?: string
}

const cases = vectors.cases as readonly Case[]
const { keys } = keyFiles
const PASSPHRASE = 'correct horse battery staple'

/** What the person reads, for the files that people really choose by mistake. */
const SAYS: Readonly<Record<string, RegExp>> = {
  'wrong passphrase': /passphrase is wrong/,
  'no passphrase': /enter its passphrase/,
  'empty passphrase': /enter its passphrase/,
  'public key': /public half/,
  certificate: /certificate/,
  'certificate request': /certificate/,
  'EC key, P-256': /elliptic-curve key.*openssl genpkey/,
  'EC key, traditional with parameters': /not an RSA key.*openssl genpkey/,
  'EC key, encrypted': /elliptic-curve key/,
  'Ed25519 key': /Ed25519/,
  'RSA-PSS key': /RSA-PSS only/,
  'OpenSSH key': /ssh-keygen -p -m PKCS8/,
  'RSA, 1024 bits': /2048, 3072 or 4096 bits/,
  'RSA, exponent 3': /exponent/,
  'RSA, three primes': /more than two primes/,
  'openssl pkcs8, scrypt': /openssl pkcs8 -topk8 -v2 aes-256-cbc/,
  'openssl pkcs8, 3DES': /openssl pkcs8 -topk8 -v2 aes-256-cbc/,
  'openssl pkcs8, PBES1 with SHA-1 and 3DES': /openssl pkcs8 -topk8 -v2 aes-256-cbc/,
  'openssl pkey -traditional -aes256, DEK-Info headers': /openssl pkcs8 -topk8 -v2 aes-256-cbc/,
  '10,000,001 rounds': /10,000,000 rounds/,
  '2^32 rounds': /10,000,000 rounds/,
  'empty file': /not a PEM file/,
  'cut off: no end line': /cut off/,
  'a character is missing': /base64/,
  'a character is wrong': /base64/,
  'a line is missing': /damaged/,
  'labels do not fit': /no "-----END" line that fits/,
  'two keys': /several private keys/,
  'one bit of d wrong': /do not fit/,
}

describe('a key file', () => {
  it('comes in more than eighty kinds, and each mistake has words of its own', () => {
    assert.isAbove(cases.length, 80)
    const names = new Set(cases.map(({ name }) => name))
    for (const name of Object.keys(SAYS)) assert.isTrue(names.has(name), name)
  })

  for (const { name, pem, passphrase, outcome, fingerprint, engine } of cases)
    if (outcome === 'accept')
      it(`opens: ${name}`, async () => {
        let identity: Identity
        try {
          identity = await importIdentityPem(pem, passphrase)
        } catch (error) {
          // What an engine lacks, it says, with the way out.
          assert.isDefined(engine, String(error))
          assert.equal((error as SottoError).code, 'bad_key')
          assert.match((error as SottoError).message, /AES-192.*openssl pkcs8/)
          return
        }
        assert.equal(hex(identity.fingerprint), fingerprint)
      })
    else
      it(`is refused with ${outcome}: ${name}`, async () => {
        const error = await fails(outcome, () => importIdentityPem(pem, passphrase))
        assert.match(error.message, SAYS[name] ?? /./)
        assert.isAbove(error.message.length, 20)
        if (passphrase) assert.notInclude(error.message, passphrase)
        for (const line of pem.split('\n').filter((text) => text.length > 40))
          assert.notInclude(error.message, line)
      })

  it('of ours is made again byte for byte from its salt and IV', async () => {
    const ours = cases.filter(({ sealed }) => sealed !== undefined)
    assert.lengthOf(ours, 3)
    for (const { key, passphrase = '', sealed, pem } of ours) {
      const identity = await importIdentityPem(keys[key as keyof typeof keys])
      const salt = fromHex(sealed?.salt ?? '')
      const iv = fromHex(sealed?.iv ?? '')
      const der = await encryptKey(await identity.exportPkcs8(), passphrase, salt, iv)
      assert.equal(writePem('ENCRYPTED PRIVATE KEY', der), pem)
    }
  })

  it('opens with the passphrase however its accents are composed', async () => {
    const file = cases.find(({ name }) => name === 'a backup of rsa2048')
    const passphrase = file?.passphrase ?? ''
    assert.notEqual(passphrase.normalize('NFD'), passphrase)
    const identity = await importIdentityPem(file?.pem ?? '', passphrase.normalize('NFD'))
    assert.equal(hex(identity.fingerprint), file?.fingerprint)
  })

  it('in clear opens even if a passphrase is given', async () => {
    assert.lengthOf((await importIdentityPem(keys.rsa2048, 'needless')).spki, 294)
  })

  it('larger than 64 KiB is refused before it is read', async () => {
    const error = await fails('bad_key', () =>
      importIdentityPem(`${'#'.repeat(65_536)}\n${keys.rsa3072}`),
    )
    assert.match(error.message, /too large/)
  })
})

describe('an identity', () => {
  let identity: Identity
  before(async () => {
    identity = await generateIdentity()
  })

  it('made here is RSA-3072 and signs with RSA-PSS, 32 bytes of salt', async () => {
    assert.lengthOf(identity.spki, 422)
    const data = utf8('a transcript')
    const signature = await identity.sign(data)
    assert.lengthOf(signature, 384)
    assert.isTrue(await verifySignature(identity.spki, data, signature))
    assert.isFalse(await verifySignature(identity.spki, utf8('another'), signature))
    assert.isFalse(await verifySignature(identity.spki, data, signature.slice(1)))
    assert.isFalse(await verifySignature(identity.spki, data, new Uint8Array(0)))
    const other = await importIdentityPem(keys.rsa3072)
    assert.isFalse(await verifySignature(other.spki, data, signature))
    await fails('bad_key', () => verifySignature(identity.spki.slice(1), data, signature))
  })

  it('verifies by no other salt length', async () => {
    const { backup } = identity.stored()
    const data = utf8('a transcript')
    for (const saltLength of [0, 20, 31, 33, 64]) {
      const other = await crypto.subtle.sign({ name: 'RSA-PSS', saltLength }, backup, data)
      assert.isFalse(await verifySignature(identity.spki, data, new Uint8Array(other)))
    }
  })

  it('signs every day with a key that cannot be extracted', async () => {
    const { signing, backup } = identity.stored()
    assert.isFalse(signing.extractable)
    assert.deepEqual(signing.usages, ['sign'])
    assert.isTrue(backup.extractable)
    let exported: unknown
    try {
      exported = await crypto.subtle.exportKey('pkcs8', signing)
    } catch {}
    assert.isUndefined(exported)
    assert.notMatch(JSON.stringify(identity), /signing|backup|PRIVATE/)
  })

  it('is exported, lost, and imported again as the same', async () => {
    const pem = await exportIdentityPem(identity, PASSPHRASE)
    assert.match(
      pem,
      /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n(?:[\w+/=]{1,64}\n)+-----END ENCRYPTED PRIVATE KEY-----\n$/,
    )
    const again = await importIdentityPem(pem, PASSPHRASE)
    assert.equal(hex(again.fingerprint), hex(identity.fingerprint))
    assert.isTrue(await verifySignature(identity.spki, utf8('x'), await again.sign(utf8('x'))))
    const wrong = await fails('bad_passphrase', () => importIdentityPem(pem, `${PASSPHRASE} `))
    assert.match(wrong.message, /nothing was changed/)
  })

  it('is exported under 600,000 rounds, AES-256, a new salt and IV each time', async () => {
    const files = await Promise.all(
      [1, 2].map(async () => readEncryptedKey(derOf(await exportIdentityPem(identity, 'p')))),
    )
    for (const { hash, iterations, keyLength, salt, iv } of files)
      assert.deepEqual(
        [hash, iterations, keyLength, salt.length, iv.length],
        ['SHA-256', 600_000, 32, 16, 16],
      )
    assert.notEqual(
      hex(files[0]?.salt ?? new Uint8Array()),
      hex(files[1]?.salt ?? new Uint8Array()),
    )
    assert.notEqual(hex(files[0]?.iv ?? new Uint8Array()), hex(files[1]?.iv ?? new Uint8Array()))
  })

  it('is not exported under no passphrase, or one that cannot be typed to openssl', async () => {
    for (const passphrase of ['', 'two\nlines', 'nul\0', 'x'.repeat(1025), 'ü'.repeat(513)])
      await fails('bad_passphrase', () => exportIdentityPem(identity, passphrase))
  })

  it('that was imported can be exported too', async () => {
    const imported = await importIdentityPem(keys.rsa4096)
    const pem = await exportIdentityPlainPem(imported)
    assert.equal(pem, keys.rsa4096)
    assert.equal(derOf(exportPublicPem(imported)).length, 550)
  })

  it('comes back from the store', async () => {
    const stored: unknown = structuredClone(identity.stored())
    const again = await Identity.open(stored)
    assert.equal(hex(again.fingerprint), hex(identity.fingerprint))
    assert.isTrue(await verifySignature(identity.spki, utf8('x'), await again.sign(utf8('x'))))
  })

  it('that is half wiped or does not fit is noticed when it is opened', async () => {
    const mine = identity.stored()
    const other = (await importIdentityPem(keys.rsa3072)).stored()
    const bad: unknown[] = [
      undefined,
      null,
      'a string',
      {},
      { ...mine, spki: undefined },
      { ...mine, signing: undefined },
      { ...mine, backup: undefined },
      { ...mine, signing: mine.backup },
      { ...mine, backup: mine.signing },
      { ...mine, spki: other.spki },
      { ...mine, signing: other.signing },
      { ...mine, backup: other.backup },
      { ...mine, spki: mine.spki.slice(1) },
    ]
    for (const stored of bad) await fails('bad_key', () => Identity.open(stored))
  })
})

function derOf(pem: string): Bytes {
  return readPem(pem)[0]?.der ?? new Uint8Array(0)
}
