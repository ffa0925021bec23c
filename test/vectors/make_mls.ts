/**
 * Makes mls_suite.json with what ts-mls runs on by default (@hpke/core and @hpke/hybridkem-x-wing),
 * none of which is in our provider: `node test/vectors/make_mls.ts > test/vectors/mls_suite.json`.
 */
import { XWing } from '@hpke/hybridkem-x-wing'
import { defaultCryptoProvider, getCiphersuiteFromName } from 'ts-mls'
import { type Bytes, fromHex, hex, utf8 } from '../../web/protocol/bytes.ts'
import { SUITE_NAME } from '../../web/protocol/mls_provider.ts'

const { hpke } = await defaultCryptoProvider.getCiphersuiteImpl(getCiphersuiteFromName(SUITE_NAME))
const kem = new XWing()
/** The inputs of the first test vector of draft-connolly-cfrg-xwing-kem. */
const seed = fromHex('7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26')
const eseed = fromHex(
  '3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2' +
    '35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2',
)
const pair = await kem.generateKeyPairDerand(seed)
const publicKey = new Uint8Array(await kem.serializePublicKey(pair.publicKey))
const recipientPublicKey = await kem.deserializePublicKey(publicKey.buffer)
const { enc, sharedSecret } = await kem.encap({ recipientPublicKey, ekm: eseed.buffer })
const to = await hpke.importPublicKey(publicKey)
const [info, aad, plaintext] = [utf8('info'), utf8('aad'), utf8('plaintext')]
const sealed = await hpke.seal(to, plaintext, info, aad)
const exported = await hpke.exportSecret(to, utf8('exporter context'), 64, info)
const ikm = utf8('input keying material')
const derived = await hpke.deriveKeyPair(ikm)
const text = (bytes: Uint8Array | ArrayBuffer): string => hex(new Uint8Array(bytes) as Bytes)
process.stdout.write(
  `${JSON.stringify(
    {
      about:
        'X-Wing and HPKE base mode as the rooms have them. Made by make_mls.ts with @hpke/core and @hpke/hybridkem-x-wing; enc of hpke and export is random and thus an input. kem is the first vector of draft-connolly-cfrg-xwing-kem.',
      kem: {
        seed: text(seed),
        eseed: text(eseed),
        publicKey: text(publicKey),
        enc: text(enc),
        secret: text(sharedSecret),
      },
      derive: {
        ikm: text(ikm),
        seed: text(await hpke.exportPrivateKey(derived.privateKey)),
        publicKey: text(await hpke.exportPublicKey(derived.publicKey)),
      },
      hpke: {
        seed: text(seed),
        info: text(info),
        aad: text(aad),
        enc: text(sealed.enc),
        ciphertext: text(sealed.ct),
        plaintext: text(plaintext),
      },
      export: {
        seed: text(seed),
        info: text(info),
        context: text(utf8('exporter context')),
        enc: text(exported.enc),
        secret: text(exported.secret),
      },
    },
    undefined,
    1,
  )}\n`,
)
