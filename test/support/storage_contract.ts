import type { Storage } from '../../web/chat/storage.ts'
import { afterEach, assert, beforeEach, describe, fails, it } from './suite.ts'

/**
 * What every Storage has to do, whatever it is made of. `open` opens the store of a profile that
 * nobody used before, or the same one again when it is called again before `fresh`.
 */
export function storageContract(name: string, open: () => Storage, fresh: () => void): void {
  describe(`Storage: ${name}`, () => {
    let storage: Storage

    beforeEach(() => {
      fresh()
      storage = open()
    })
    afterEach(async () => {
      await storage.destroy()
    })

    const reopen = () => {
      storage.close()
      storage = open()
    }
    const write = (changes: Record<string, unknown>) =>
      storage.write(new Map(Object.entries(changes)))

    it('has nothing for a key that was never written', async () => {
      assert.isUndefined(await storage.read('no/such'))
      assert.deepEqual(await storage.keys(''), [])
    })

    it('gives back what was written, after it was closed and opened again too', async () => {
      const value = {
        text: 'kürbis 🎃',
        count: 2 ** 40,
        yes: true,
        none: null,
        bytes: Uint8Array.of(0, 255, 7),
        list: [1, 'two', { three: Uint8Array.of(3) }],
      }
      await write({ value })
      assert.deepEqual(await storage.read('value'), value)
      reopen()
      assert.deepEqual(await storage.read('value'), value)
    })

    it('stores only the bytes of a view, not the buffer behind it', async () => {
      const buffer = new Uint8Array(1_000).fill(7)
      await write({ view: buffer.slice(10, 12) })
      const view = (await storage.read('view')) as Uint8Array
      assert.deepEqual([...view], [7, 7])
    })

    it('replaces and deletes in one write', async () => {
      await write({ a: 1, b: 2 })
      await write({ a: 3, b: undefined, c: 4 })
      assert.deepEqual(await storage.readMany(['a', 'b', 'c']), [3, undefined, 4])
      assert.deepEqual(await storage.keys(''), ['a', 'c'])
    })

    it('lists the keys of one prefix only, in order', async () => {
      await write({ 'log/b/2': 1, 'log/b/10': 1, 'log/a/1': 1, 'log/c/1': 1, logs: 1, lo: 1 })
      assert.deepEqual(await storage.keys('log/b/'), ['log/b/10', 'log/b/2'])
      assert.deepEqual(await storage.keys('log/'), ['log/a/1', 'log/b/10', 'log/b/2', 'log/c/1'])
    })

    it('keeps nothing of a write of which one value can’t be stored', async () => {
      await write({ a: 1 })
      const loop: unknown[] = []
      const bad = new Proxy(loop, {
        get() {
          throw new Error('can’t be cloned')
        },
      })
      await fails('unavailable', () => write({ a: 2, b: 3, bad }))
      assert.deepEqual(await storage.readMany(['a', 'b', 'bad']), [1, undefined, undefined])
    })

    it('applies writes in the order in which they were asked for', async () => {
      await Promise.all(Array.from({ length: 50 }, (_, i) => write({ n: i, [`k${i}`]: i })))
      assert.equal(await storage.read('n'), 49)
      assert.lengthOf(await storage.keys('k'), 50)
    })

    it('is empty after it was destroyed', async () => {
      await write({ secret: 1 })
      await storage.destroy()
      storage = open()
      assert.deepEqual(await storage.keys(''), [])
    })
  })
}
