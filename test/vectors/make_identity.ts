/**
 * Writes spki.json and backup.json, the same bytes at every run:
 *   node test/vectors/make_identity.ts
 * check_identity.py checks both without any of our code.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { hex } from '../../web/protocol/bytes.ts'
import { importIdentityPem } from '../../web/protocol/identity.ts'
import { checkSpki, LEAST_IDENTITY_BITS } from '../../web/protocol/spki.ts'
import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { backupCases, type KeyFiles } from './backup_cases.ts'
import { spkiCases } from './spki_cases.ts'

const here = (name: string) => new URL(name, import.meta.url)
const write = (name: string, vectors: object) =>
  writeFile(here(name), `${JSON.stringify(vectors, null, 1)}\n`)

const files = JSON.parse(await readFile(here('identity_keys.json'), 'utf8')) as KeyFiles
const identities = {
  rsa2048: await importIdentityPem(files.keys.rsa2048),
  rsa3072: await importIdentityPem(files.keys.rsa3072),
  rsa4096: await importIdentityPem(files.keys.rsa4096),
}
const modulus = (name: keyof typeof identities) =>
  checkSpki(identities[name].spki, { least: LEAST_IDENTITY_BITS })

const cases = spkiCases({
  2048: modulus('rsa2048'),
  3072: modulus('rsa3072'),
  4096: modulus('rsa4096'),
})
await write('spki.json', {
  about:
    'Which DER is a public key that Sotto takes, as an identity (least 2048 bits) or an endpoint (least 3072), and its fingerprint. Made by make_identity.ts, checked by check_identity.py.',
  cases: await Promise.all(
    cases.map(async ({ der, ...rest }) => ({
      ...rest,
      der: hex(der),
      ...(rest.accept ? { fingerprint: hex(await webPrimitives.sha256(der)) } : {}),
    })),
  ),
})

const backups = await backupCases(files)
await write('backup.json', {
  about:
    'Key files, and what importing them gives. Those with "sealed" can be made again byte for byte from the salt and IV. Made by make_identity.ts and, where a command is given, by OpenSSL 3.0.19; checked by check_identity.py.',
  cases: backups.map((file) => ({
    ...file,
    ...(file.key === undefined
      ? {}
      : { fingerprint: hex(identities[file.key as keyof typeof identities].fingerprint) }),
  })),
})
