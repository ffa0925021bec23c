import { type Bytes, EMPTY, fromHex, hex } from '../../web/protocol/bytes.ts'
import { CastOpener, chain, firstChain } from '../../web/protocol/cast.ts'
import {
  ab,
  drv,
  finished,
  nonceOf,
  open1,
  seal1,
  transcriptOf,
} from '../../web/protocol/key_schedule.ts'
import { CONTENT, type Content, RecordOpener, RecordSealer } from '../../web/protocol/record.ts'
import { webPrimitives as p } from '../../web/protocol/web_primitives.ts'
import { assert, describe, fails, it } from '../support/suite.ts'
import casts from '../vectors/casts.json' with { type: 'json' }
import schedule from '../vectors/key_schedule.json' with { type: 'json' }
import negative from '../vectors/negative.json' with { type: 'json' }
import records from '../vectors/records.json' with { type: 'json' }

const key = (raw: string) => p.hmacKey(fromHex(raw))

describe('the key schedule of the vectors', () => {
  it('comes out of this engine as well', async () => {
    const secret = await key(schedule.drv.secret)
    for (const { label, context, out } of schedule.drv.cases)
      assert.equal(hex(await drv(p, secret, label, fromHex(context))), out, label)
    for (const { host, out } of schedule.transcript)
      assert.equal(hex(await transcriptOf(p, host)), out)
    for (const { T, type, body, out } of schedule.ab)
      assert.equal(hex(await ab(p, fromHex(T), type, fromHex(body))), out)
    for (const { iv, counter, out } of schedule.nonce)
      assert.equal(hex(nonceOf(fromHex(iv), counter)), out)
    const { finished: f, seal1: s } = schedule
    assert.equal(hex(await finished(p, await key(f.secret), fromHex(f.T))), f.out)
    const sealed = await seal1(p, await key(s.secret), fromHex(s.aad), fromHex(s.message))
    assert.equal(hex(sealed), s.out)
    const opened = await open1(p, await key(s.secret), fromHex(s.aad), sealed)
    assert.equal(hex(opened), s.message)
  })
})

function payloadOf(given: { payload?: string; first?: number; length?: number }): Bytes {
  const { payload, first = 0, length = 0 } = given
  if (payload !== undefined) return fromHex(payload)
  return Uint8Array.from({ length }, (_, i) => (first + i * 7) & 0xff)
}

describe('the records of the vectors', () => {
  it('are sealed and opened byte for byte', async () => {
    const sealer = new RecordSealer(p, await key(records.secret))
    const opener = new RecordOpener(p, await key(records.secret))
    const contents = Object.keys(CONTENT) as Content[]
    for (const { seq, content, given, out } of records.cases) {
      if (seq !== sealer.seq) continue
      const inner = { content: contents[content - 1] ?? 'app', payload: payloadOf(given) }
      const frame = await sealer.seal(inner)
      if (out.frame !== undefined) assert.equal(hex(frame), out.frame)
      else assert.equal(hex(await p.sha256(frame)), out.sha256)
      assert.deepEqual(await opener.open(frame), inner)
    }
    assert.isAbove(sealer.seq, 20)
    sealer.update()
    opener.update()
    for (const { out } of records.updated)
      assert.equal((await opener.open(fromHex(out.frame ?? ''))).content, 'app')
  })

  it('that are bad are refused with the code that is stated', async () => {
    const { secret, cases } = negative.records
    for (const { frame, error } of cases)
      await fails(error, async () => new RecordOpener(p, await key(secret)).open(fromHex(frame)))
  })
})

describe('the casts of the vectors', () => {
  it('are opened, and chain as they say', async () => {
    const first = casts.entries[0]
    let before = await firstChain(p, fromHex(casts.room))
    assert.equal(hex(before), casts.first_chain)
    const seed = `302e020100300506032b657004220420${casts.log_key_seed}`
    const pair = await crypto.subtle.importKey('pkcs8', fromHex(seed), 'Ed25519', true, ['sign'])
    const { x = '' } = await crypto.subtle.exportKey('jwk', pair)
    const logPub = Uint8Array.from(atob(x.replaceAll('-', '+').replaceAll('_', '/')), (c) =>
      c.charCodeAt(0),
    )
    const opener = await CastOpener.make(p, fromHex(casts.cast_secret), logPub, fromHex(casts.room))
    assert.equal(hex(opener.kid), casts.kid)
    for (const { seq, mls, frame, chain: link } of casts.entries) {
      before = await chain(p, before, seq, fromHex(mls))
      assert.equal(hex(before), link)
      const entry = await opener.open(fromHex(frame))
      assert.equal(entry?.seq, seq)
      assert.equal(hex(entry?.mls ?? EMPTY), mls)
      assert.equal(hex(entry?.chain ?? EMPTY), link)
    }
    assert.isUndefined(await opener.open(fromHex(first?.frame ?? '')))
  })
})
