import { History, type StoredItem } from '../../web/chat/history.ts'
import { search } from '../../web/chat/search.ts'
import { openVault } from '../../web/chat/vault.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { append, message, searchable, vaultKey, wipe } from '../support/history_fixture.ts'
import { MemoryStorage } from '../support/memory_storage.ts'
import { assert, before, describe, it } from '../support/suite.ts'

const SIZE = 256

describe('a history that an earlier version has stored', () => {
  let vault: ReturnType<typeof openVault>
  before(async () => {
    vault = openVault(await vaultKey())
  })

  const items = (count: number): StoredItem[] =>
    Array.from({ length: count }, (_, n) => message(n, `message ${n} of many`))

  /** As that version wrote it: 256 in a segment. */
  async function former(all: readonly StoredItem[]): Promise<MemoryStorage> {
    const storage = new MemoryStorage()
    for (let n = 0; n * SIZE < all.length; n++) {
      const key = `log/r/${n.toString(36).padStart(6, '0')}`
      const part = JSON.stringify(all.slice(n * SIZE, (n + 1) * SIZE))
      await storage.write(new Map([[key, await vault.seal(key, part)]]))
    }
    return storage
  }

  it('is all there, goes on, and is found', async () => {
    for (const count of [1, 31, 32, 33, 255, 256, 257, 20 * SIZE + 7]) {
      const all = items(count)
      const storage = await former(all)
      for (const length of [undefined, count]) {
        const history = await History.open(storage, vault, 'r', length)
        assert.equal(history.length, count)
        assert.deepEqual(await history.range(0, count), all)
        assert.isTrue(history.has(all.at(-1) as StoredItem))
        assert.deepEqual(await storage.keys('log/'), [])
      }
      const history = await History.open(storage, vault, 'r', count)
      const more = [message(count, 'one more')]
      await append(history, storage, more)
      const again = await History.open(storage, vault, 'r', count + 1)
      assert.deepEqual(await again.range(0, count + 1), [...all, ...more])
      const { hits } = await search([searchable(again)], 'message 0', {})
      assert.equal(hits.at(-1)?.place, 0)
    }
  })

  it('is taken over from where a crash has left it, whichever write that was', async () => {
    const all = items(40 * SIZE)
    let writes = Number.POSITIVE_INFINITY
    for (let done = 0; done < writes; done++) {
      const storage = await former(all)
      const crashing = storage.copy()
      let left = done
      crashing.onWrite = () => {
        if (left-- === 0) throw new Error('crash')
      }
      const opened = await History.open(crashing, vault, 'r', all.length).catch(() => undefined)
      if (opened !== undefined) writes = done
      crashing.onWrite = () => undefined
      const history = await History.open(crashing, vault, 'r', all.length)
      assert.deepEqual(await history.range(0, all.length), all)
    }
    assert.isAbove(writes, 1)
  })

  it('shows what was damaged or deleted as lost, in its place', async () => {
    const all = items(4 * SIZE)
    const storage = await former(all)
    await storage.write(
      new Map<string, unknown>([
        ['log/r/000001', Uint8Array.of(1, 2, 3)],
        ['log/r/000003', undefined],
      ]),
    )
    const history = await History.open(storage, vault, 'r', all.length)
    const kinds = (await history.range(0, all.length)).map(({ k }) => k).join('')
    const [kept, lost] = ['m'.repeat(SIZE), 's'.repeat(SIZE)]
    assert.equal(kinds, kept + lost + kept + lost)
  })

  it('is not given up for what would not open once', async () => {
    const all = items(4 * SIZE)
    const storage = await former(all)
    let failing = true
    const moody: typeof vault = {
      seal: (key, value) => vault.seal(key, value),
      async open(key, sealed) {
        if (failing && key === 'log/r/000003') throw new SottoError('crypto_failed', 'not now')
        return vault.open(key, sealed)
      },
    }
    const history = await History.open(storage, moody, 'r', all.length)
    const more = message(all.length, 'meanwhile')
    await append(history, storage, [more])
    failing = false
    const again = await History.open(storage, moody, 'r', all.length + 1)
    assert.deepEqual(await again.range(0, all.length + 1), [...all, more])
    assert.deepEqual(await storage.keys('log/'), [])
  })

  it('takes nothing from what is here when that version has written in between', async () => {
    const all = items(600)
    const storage = await former(all)
    await History.open(storage, vault, 'r', all.length)
    // It finds its own segments gone, and begins the last one anew.
    const lost = (n: number) => ({ k: 's', id: `lost-2-${n}`, text: 'lost', at: 0 }) as const
    const more = message(600, 'said there')
    const part = [...Array.from({ length: 600 - 2 * SIZE }, (_, n) => lost(n)), more]
    const key = 'log/r/000002'
    await storage.write(new Map([[key, await vault.seal(key, JSON.stringify(part))]]))
    const history = await History.open(storage, vault, 'r', 601)
    assert.deepEqual(await history.range(0, 601), [...all, more])
  })

  it('is wiped also where it does not open', async () => {
    const storage = await former(items(300))
    await storage.write(new Map([['log/r/000000', Uint8Array.of(1, 2, 3)]]))
    await wipe(await History.open(storage, vault, 'r', 300), storage)
    assert.deepEqual(await storage.keys(''), [])
  })

  it('is left alone where it is of another room, and is wiped with its room', async () => {
    const storage = await former(items(300))
    await History.open(storage, vault, 'r2')
    assert.lengthOf(await storage.keys('log/r/'), 2)
    await wipe(await History.open(storage, vault, 'r'), storage)
    assert.deepEqual(await storage.keys(''), [])
  })
})
