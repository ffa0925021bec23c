import { type LogEntry, Merge } from '../../web/chat/merge.ts'
import { random } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

const entry = (seq: number): LogEntry => ({
  seq,
  chain: new Uint8Array(32),
  mls: Uint8Array.of(seq & 0xff),
})

describe('casts and fetches', () => {
  it('come out in the log’s order, once each, however they come in', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const r = random(seed)
      const merge = new Merge()
      let cursor = 0
      const out: number[] = []
      const drain = () => {
        for (const { seq } of merge.take(cursor, 7)) {
          out.push(seq)
          cursor = seq
        }
      }
      for (let i = 0; i < 300; i++) {
        merge.offer(entry(1 + r.below(60)), cursor)
        if (r.below(10) < 3) drain()
      }
      for (let seq = 1; seq <= 60; seq++) merge.offer(entry(seq), cursor)
      while (merge.ready(cursor)) drain()
      const expected = Array.from({ length: 60 }, (_, i) => i + 1)
      assert.deepEqual(out, expected, `seed ${seed}`)
      assert.equal(merge.head, 60)
    }
  })

  it('never fill memory: what is far ahead is dropped, what comes next never', () => {
    const merge = new Merge()
    for (let seq = 2; seq < 5_000; seq++) merge.offer(entry(seq), 0)
    merge.offer(entry(1), 0)
    assert.lengthOf(merge.take(0, 10_000), 1_001)
    assert.equal(merge.head, 4_999)
  })

  it('never fill the room of what is to come with what the cursor has passed', () => {
    const merge = new Merge()
    for (let seq = 2; seq <= 1_001; seq++) merge.offer(entry(seq), 0)
    // The device has come in anew, at the head of that time.
    const cursor = 1_001
    const next = Array.from({ length: 500 }, (_, i) => cursor + 1 + i)
    for (const seq of next) merge.offer(entry(seq), cursor)
    assert.deepEqual(
      merge.take(cursor, 1_000).map(({ seq }) => seq),
      next,
    )
  })
})
