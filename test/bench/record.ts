import { nodePrimitives } from '../../relay/node_primitives.ts'
import { type Bytes, u64 } from '../../web/protocol/bytes.ts'
import type { Primitives } from '../../web/protocol/primitives.ts'
import { INNER_MOST, RecordSealer } from '../../web/protocol/record.ts'
import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { type Figure, median } from './figure.ts'

const ROUNDS = 7
const RECORDS = 4000

/** Seals per second of `count` payloads through `seal`, one after the other. */
async function rate(count: number, seal: () => unknown): Promise<number> {
  const began = performance.now()
  for (let i = 0; i < count; i++) await seal()
  return (count * 1000) / (performance.now() - began)
}

/** One record against one AES-256-GCM call of the same engine over the same padded bytes. */
async function compare(
  name: string,
  p: Primitives,
  payload: Bytes,
  count: number,
): Promise<Figure> {
  const padded = payload.length + 2 <= 4096 ? 256 : 1024
  const plain = new Uint8Array(Math.ceil((payload.length + 2) / padded) * padded)
  const sealer = new RecordSealer(p, await p.hmacKey(p.random(32)))
  const aead = await p.aead(p.random(32))
  const aad = p.random(4)
  const ours: number[] = []
  const ratios: number[] = []
  let seq = 0
  for (let i = 0; i <= ROUNDS; i++) {
    const sealed = await rate(count, () => sealer.seal({ content: 'app', payload }))
    const bare = await rate(count, () => {
      const nonce = new Uint8Array(12)
      nonce.set(u64(seq++), 4)
      return aead.seal(nonce, aad, plain)
    })
    if (i === 0) continue // to warm up
    ours.push(sealed)
    ratios.push(sealed / bare)
  }
  return {
    name: `sealing a record of ${payload.length} bytes, ${name}`,
    value: median(ours),
    unit: 'records/s',
    ratio: median(ratios),
    against: 'bare AES-256-GCM of the same size',
  }
}

/** Sealing records, as the endpoint does (node:crypto) and as the page does (WebCrypto). */
export async function bench(): Promise<readonly Figure[]> {
  const small = new Uint8Array(300)
  const large = new Uint8Array(INNER_MOST - 2)
  return [
    await compare('node:crypto', nodePrimitives, small, RECORDS),
    await compare('node:crypto', nodePrimitives, large, RECORDS / 10),
    await compare('WebCrypto', webPrimitives, small, RECORDS / 2),
    await compare('WebCrypto', webPrimitives, large, RECORDS / 10),
  ]
}
