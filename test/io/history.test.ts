import { History } from '../../web/chat/history.ts'
import { search } from '../../web/chat/search.ts'
import { match, parseQuery } from '../../web/chat/search_words.ts'
import { SEGMENT } from '../../web/chat/segment.ts'
import { openVault } from '../../web/chat/vault.ts'
import { idbStorage } from '../../web/io/idb_storage.ts'
import {
  append,
  message,
  searchable,
  sentence,
  vaultKey,
  wipe,
} from '../support/history_fixture.ts'
import { seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

const vault = openVault(await vaultKey())

describe('a history in IndexedDB', () => {
  it('is searched after a fresh start as if every message had been read', () =>
    seeded(async (random) => {
      const storage = idbStorage('search')
      const texts = Array.from({ length: 9 * SEGMENT + 17 }, () => sentence(random))
      const history = await History.open(storage, vault, 'r')
      const items = texts.map((text, n) => message(n, text))
      for (let n = 0; n < items.length; n += 700)
        await append(history, storage, items.slice(n, n + 700))
      storage.close()

      const again = idbStorage('search')
      const opened = await History.open(again, vault, 'r', texts.length)
      assert.equal((opened.last as { text: string }).text, texts.at(-1))
      for (let i = 0; i < 40; i++) {
        const words = random.pick(texts).split(/[ ,]+/)
        const query = `${random.pick(words)} ${random.pick(words).slice(0, 3)}`
        const terms = parseQuery(query)
        const expected = texts.flatMap((text, n) => (match(text, terms) ? [n] : [])).reverse()
        const { hits } = await search([searchable(opened)], query, { limit: 10_000 })
        assert.deepEqual(
          hits.map(({ place }) => place),
          expected,
          query,
        )
      }
      await wipe(opened, again)
      assert.deepEqual(await again.keys(''), [])
      await again.destroy()
    }))
})
