/**
 * HPKE in base mode (RFC 9180) over X-Wing, HKDF-SHA-512 and AES-256-GCM, one message per context:
 * all that MLS asks of it.
 */
import { type Bytes, concat, u16, utf8 } from './bytes.ts'
import type { MlKem } from './mls_mlkem.ts'
import type { Aes, Hkdf } from './mls_primitives.ts'
import { encapsulate, type XWingPrivate, type XWingPublic } from './mls_xwing.ts'

const KEM_XWING = 0x647a
const KDF_HKDF_SHA512 = 0x0003
const AEAD_AES_256_GCM = 0x0002
const MODE_BASE = 0x00
const VERSION = utf8('HPKE-v1')
const SUITE = concat(utf8('HPKE'), u16(KEM_XWING), u16(KDF_HKDF_SHA512), u16(AEAD_AES_256_GCM))
const EMPTY = new Uint8Array(0)
export const KEY_LENGTH = 32
export const NONCE_LENGTH = 12

export class Hpke {
  readonly #kem: MlKem
  readonly #hkdf: Hkdf
  readonly #aes: Aes

  constructor(kem: MlKem, hkdf: Hkdf, aes: Aes) {
    this.#kem = kem
    this.#hkdf = hkdf
    this.#aes = aes
  }

  async seal(
    to: XWingPublic,
    info: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
  ): Promise<{ enc: Bytes; ct: Bytes }> {
    const { enc, secret } = await encapsulate(this.#kem, to)
    const { key, nonce } = await this.#oneMessage(await this.#context(secret, info))
    return { enc, ct: await this.#aes.seal(key, nonce, aad, plaintext) }
  }

  /** Throws whatever the engine throws: callers give one answer for all of it. */
  async open(
    own: XWingPrivate,
    enc: Uint8Array,
    info: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
  ): Promise<Bytes> {
    const { key, nonce } = await this.#oneMessage(
      await this.#context(await own.decapsulate(enc), info),
    )
    return this.#aes.open(key, nonce, aad, sealed)
  }

  async sendExport(
    to: XWingPublic,
    info: Uint8Array,
    exporterContext: Uint8Array,
    length: number,
  ): Promise<{ enc: Bytes; secret: Bytes }> {
    const { enc, secret } = await encapsulate(this.#kem, to)
    return { enc, secret: await this.#export(secret, info, exporterContext, length) }
  }

  async receiveExport(
    own: XWingPrivate,
    enc: Uint8Array,
    info: Uint8Array,
    exporterContext: Uint8Array,
    length: number,
  ): Promise<Bytes> {
    return this.#export(await own.decapsulate(enc), info, exporterContext, length)
  }

  async #export(
    shared: Bytes,
    info: Uint8Array,
    exporterContext: Uint8Array,
    length: number,
  ): Promise<Bytes> {
    const { secret, context } = await this.#context(shared, info)
    const exporter = await this.#expand(secret, 'exp', context, this.#hkdf.size)
    return this.#expand(exporter, 'sec', exporterContext, length)
  }

  /** KeySchedule of RFC 9180, 5.1, with neither PSK nor authentication. */
  async #context(shared: Bytes, info: Uint8Array): Promise<Context> {
    const pskIdHash = await this.#extract(EMPTY, 'psk_id_hash', EMPTY)
    const infoHash = await this.#extract(EMPTY, 'info_hash', info)
    const context = concat(Uint8Array.of(MODE_BASE), pskIdHash, infoHash)
    return { secret: await this.#extract(shared, 'secret', EMPTY), context }
  }

  async #oneMessage({ secret, context }: Context): Promise<{ key: Bytes; nonce: Bytes }> {
    const key = await this.#expand(secret, 'key', context, KEY_LENGTH)
    return { key, nonce: await this.#expand(secret, 'base_nonce', context, NONCE_LENGTH) }
  }

  #extract(salt: Uint8Array, label: string, ikm: Uint8Array): Promise<Bytes> {
    return this.#hkdf.extract(salt, concat(VERSION, SUITE, utf8(label), ikm))
  }

  #expand(prk: Uint8Array, label: string, info: Uint8Array, length: number): Promise<Bytes> {
    const labelled = concat(u16(length), VERSION, SUITE, utf8(label), info)
    return this.#hkdf.expand(prk, labelled, length)
  }
}

interface Context {
  readonly secret: Bytes
  readonly context: Bytes
}
