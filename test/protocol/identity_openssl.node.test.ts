import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bytes, hex, utf8 } from '../../web/protocol/bytes.ts'
import { importEndpointKeyPem } from '../../web/protocol/endpoint_key.ts'
import {
  exportIdentityPem,
  exportIdentityPlainPem,
  exportPublicPem,
  generateIdentity,
  type Identity,
  importIdentityPem,
} from '../../web/protocol/identity.ts'
import { verifySignature } from '../../web/protocol/spki.ts'
import { after, assert, before, describe, fails, it } from '../support/suite.ts'
import keyFiles from '../vectors/identity_keys.json' with { type: 'json' }

const PSS = '-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32'.split(' ')
const OAEP = '-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256'.split(' ')

/** Runs the real openssl: what it prints, or a throw when it fails. */
function openssl(args: string, input: string | Uint8Array = '', ...more: string[]): Buffer {
  return execFileSync('openssl', [...args.split(' '), ...more], {
    input,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

function spkiOf(pem: string, passphrase?: string): string {
  const pass = passphrase === undefined ? [] : ['-passin', `pass:${passphrase}`]
  return hex(openssl('pkey -pubout -outform DER', pem, ...pass))
}

describe('the openssl command', () => {
  let identity: Identity
  let directory: string
  before(async () => {
    identity = await generateIdentity()
    directory = mkdtempSync(join(tmpdir(), 'sotto-openssl-'))
  })
  after(() => rmSync(directory, { recursive: true }))

  function file(name: string, contents: string | Uint8Array): string {
    const path = join(directory, name)
    writeFileSync(path, contents)
    return path
  }

  it('opens an exported key with its passphrase and with no other', async () => {
    for (const passphrase of [
      'x',
      'correct horse battery staple',
      'ünïcödé — パスワード',
      '\'$"\\',
    ]) {
      const pem = await exportIdentityPem(identity, passphrase)
      assert.equal(spkiOf(pem, passphrase), hex(identity.spki))
      assert.throws(() => spkiOf(pem, `${passphrase}x`))
    }
  })

  it('sees PBES2, 600,000 rounds of PBKDF2-HMAC-SHA-256 and AES-256-CBC in it', async () => {
    const shown = openssl('asn1parse', await exportIdentityPem(identity, 'x')).toString()
    for (const part of [/:PBES2/, /:PBKDF2/, /:0927C0/, /:hmacWithSHA256/, /:aes-256-cbc/])
      assert.match(shown, part)
  })

  it('finds nothing wrong with keys made here', async () => {
    const pem = await exportIdentityPlainPem(identity)
    assert.match(openssl('pkey -check -noout', pem).toString(), /Key is valid/)
    assert.equal(
      hex(openssl('pkey -pubin -outform DER', exportPublicPem(identity))),
      hex(identity.spki),
    )
  })

  for (const bits of [2048, 3072, 4096])
    it(`makes keys of ${bits} bits that import, in clear and encrypted`, async () => {
      // Those of 4096 bits are made in one second or in twenty: one is at hand.
      const command = `genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:${bits}`
      const clear = bits === 4096 ? keyFiles.keys.rsa4096 : openssl(command).toString()
      const imported = await importIdentityPem(clear)
      assert.equal(hex(imported.spki), spkiOf(clear))
      for (const cipher of ['-aes256', '-aes192', '-aes128']) {
        const sealed = openssl(`pkey ${cipher}`, clear, '-passout', 'pass:a b').toString()
        assert.match(sealed, /^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
        const again = await importIdentityPem(sealed, 'a b')
        assert.equal(hex(again.fingerprint), hex(imported.fingerprint))
        await fails('bad_passphrase', () => importIdentityPem(sealed, 'a  b'))
      }
    })

  it('makes an encrypted key in one step that imports', async () => {
    const command = 'genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -aes-256-cbc'
    const pem = openssl(command, '', '-pass', 'pass:secret').toString()
    assert.equal(hex((await importIdentityPem(pem, 'secret')).spki), spkiOf(pem, 'secret'))
  })

  it('makes keys by its older commands that import', async () => {
    const old = openssl('genrsa -traditional 2048').toString()
    assert.match(old, /^-----BEGIN RSA PRIVATE KEY-----/)
    assert.equal(hex((await importIdentityPem(old)).spki), spkiOf(old))
    const sealed = openssl(
      'pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA1',
      old,
      '-passout',
      'pass:p',
    )
    assert.equal(hex((await importIdentityPem(sealed.toString(), 'p')).spki), spkiOf(old))
  })

  it('converts what is refused, by the command that the refusal names', async () => {
    const old = openssl('genrsa -traditional -aes128 -passout pass:p 2048').toString()
    const error = await fails('bad_key', () => importIdentityPem(old, 'p'))
    const command = /openssl (pkcs8 -topk8 -v2 aes-256-cbc) -in FILE -out key\.pem/.exec(
      error.message,
    )
    assert.isNotNull(command)
    const pass = ['-passin', 'pass:p', '-passout', 'pass:q']
    const converted = openssl(command?.[1] ?? '', old, ...pass).toString()
    assert.equal(hex((await importIdentityPem(converted, 'q')).spki), spkiOf(old, 'p'))
  })

  it('changes the passphrase of an exported key, which then imports', async () => {
    const pem = await exportIdentityPem(identity, 'old')
    const pass = ['-passin', 'pass:old', '-passout', 'pass:new']
    const changed = openssl('pkey -aes256', pem, ...pass).toString()
    assert.equal(
      hex((await importIdentityPem(changed, 'new')).fingerprint),
      hex(identity.fingerprint),
    )
    await fails('bad_passphrase', () => importIdentityPem(changed, 'old'))
  })

  it('verifies our signatures, and we verify its', async () => {
    const data = utf8('what was signed')
    const key = file('public.pem', exportPublicPem(identity))
    const signature = file('signature', await identity.sign(data))
    openssl('dgst -sha256', data, ...PSS, '-verify', key, '-signature', signature)
    assert.throws(() =>
      openssl('dgst -sha256', utf8('another'), ...PSS, '-verify', key, '-signature', signature),
    )
    const own = file('private.pem', await exportIdentityPlainPem(identity))
    const theirs: Bytes = new Uint8Array(openssl('dgst -sha256', data, ...PSS, '-sign', own))
    assert.isTrue(await verifySignature(identity.spki, data, theirs))
  })

  it("encrypts to an endpoint's key", async () => {
    const pem = openssl('genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072').toString()
    const key = await importEndpointKeyPem(pem)
    const path = file('endpoint.pem', pem)
    const label = `rsa_oaep_label:${hex(utf8('a label'))}`
    const secret = new Uint8Array(32).fill(9)
    const ciphertext = openssl(
      'pkeyutl -encrypt',
      secret,
      '-inkey',
      path,
      ...OAEP,
      '-pkeyopt',
      label,
    )
    const opened = await key.decrypt(new Uint8Array(ciphertext), utf8('a label'))
    assert.equal(hex(opened), hex(secret))
  })
})
