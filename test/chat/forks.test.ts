import { ChainLog, judgeView } from '../../web/chat/forks.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { MemoryStorage } from '../support/memory_storage.ts'
import { assert, describe, it } from '../support/suite.ts'

const chain = (n: number): Bytes => new Uint8Array(32).fill((n % 255) + 1)
const links = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({ seq: from + i, chain: chain(from + i) }))
const view = (seq: number, value: Bytes) => ({ msgId: new Uint8Array(16), seq, chain: value })

async function logOf(storage: MemoryStorage, from: number, to: number): Promise<ChainLog> {
  const log = new ChainLog(storage, 'r')
  for (let at = from; at < to; at += 100) {
    const changes = new Map<string, unknown>()
    const adopt = await log.stage(links(at, Math.min(at + 100, to)), changes)
    await storage.write(changes)
    adopt()
  }
  return log
}

describe('the sender’s view of the log', () => {
  it('agrees with ours at every place that we have seen', async () => {
    const storage = new MemoryStorage()
    await logOf(storage, 200, 900)
    const log = new ChainLog(storage, 'r')
    for (const seq of [200, 255, 256, 511, 512, 899])
      assert.equal(await judgeView(view(seq, chain(seq)), 1_000, log, []), 'agrees')
    assert.equal(await judgeView(view(950, chain(950)), 1_000, log, links(940, 960)), 'agrees')
  })

  it('shows a fork wherever it differs', async () => {
    const log = await logOf(new MemoryStorage(), 1, 600)
    for (const seq of [1, 255, 256, 599])
      assert.equal(await judgeView(view(seq, chain(seq + 1)), 1_000, log, []), 'forked')
  })

  it('shows a message that was put before what its sender had read', async () => {
    const log = await logOf(new MemoryStorage(), 1, 10)
    assert.equal(await judgeView(view(9, chain(9)), 9, log, []), 'reordered')
    assert.equal(await judgeView(view(12, chain(12)), 10, log, []), 'reordered')
  })

  it('can’t be judged for times before we came', async () => {
    const log = await logOf(new MemoryStorage(), 300, 310)
    assert.equal(await judgeView(view(299, chain(1)), 310, log, []), 'agrees')
  })
})
