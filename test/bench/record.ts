/**
 * Sealing and opening records, as the endpoint does (node:crypto) and as the page does (WebCrypto),
 * against one bare AES-256-GCM call of the same engine over the same padded bytes. They take turns
 * in short rounds; a ratio is the median over the pairs of neighbouring rounds.
 */
import { nodePrimitives } from '../../relay/node_primitives.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { nonceOf } from '../../web/protocol/key_schedule.ts'
import type { Primitives } from '../../web/protocol/primitives.ts'
import { bucket, PAYLOAD_MOST, RecordOpener, RecordSealer } from '../../web/protocol/record.ts'
import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { type Figure, median } from './figure.ts'

const ROUNDS = 30
const WARM_UP = 6

/** Microseconds for one, over all of `inputs`, one after the other; what came of them. */
async function each<In, Out>(
  inputs: readonly In[],
  work: (input: In) => Out | Promise<Out>,
): Promise<{ us: number; outputs: Out[] }> {
  const outputs: Out[] = []
  const began = performance.now()
  for (const input of inputs) outputs.push(await work(input))
  return { us: ((performance.now() - began) * 1000) / inputs.length, outputs }
}

async function compare(
  engine: string,
  p: Primitives,
  payload: Bytes,
  count: number,
): Promise<Figure[]> {
  const key = await p.hmacKey(p.random(32))
  const [sealer, opener] = [new RecordSealer(p, key), new RecordOpener(p, key)]
  const aead = await p.aead(p.random(32))
  const [iv, aad, padded] = [p.random(12), p.random(4), p.random(bucket(payload.length))]
  const seals = { ours: [] as number[], bare: [] as number[] }
  const opens = { ours: [] as number[], bare: [] as number[] }
  for (let i = -WARM_UP; i < ROUNDS; i++) {
    const nonces = Array.from({ length: count }, (_, n) => nonceOf(iv, (i + WARM_UP) * count + n))
    const seal = await each(nonces, () => sealer.seal({ content: 'app', payload }))
    const bareSeal = await each(nonces, (nonce) => aead.seal(nonce, aad, padded))
    const open = await each(seal.outputs, (frame) => opener.open(frame))
    const pairs = bareSeal.outputs.map((sealed, n) => [nonces[n] as Bytes, sealed] as const)
    const bareOpen = await each(pairs, ([nonce, sealed]) => aead.open(nonce, aad, sealed))
    if (i < 0) continue
    seals.ours.push(seal.us)
    seals.bare.push(bareSeal.us)
    opens.ours.push(open.us)
    opens.bare.push(bareOpen.us)
  }
  const of = `a record of ${payload.length} bytes, ${engine}`
  return [figure(`sealing ${of}`, seals), figure(`opening ${of}`, opens)]
}

function figure(name: string, { ours, bare }: { ours: number[]; bare: number[] }): Figure {
  return {
    name,
    value: 1e6 / median(ours),
    unit: 'records/s',
    ratio: median(ours.map((us, i) => (bare[i] ?? Number.NaN) / us)),
    against: 'bare AES-256-GCM of the same size',
  }
}

export async function bench(): Promise<readonly Figure[]> {
  const small = new Uint8Array(300)
  const large = new Uint8Array(PAYLOAD_MOST)
  return [
    ...(await compare('node:crypto', nodePrimitives, small, 1_000)),
    ...(await compare('node:crypto', nodePrimitives, large, 100)),
    ...(await compare('WebCrypto', webPrimitives, small, 250)),
    ...(await compare('WebCrypto', webPrimitives, large, 50)),
  ]
}
