import { History, type StoredItem } from '../../web/chat/history.ts'
import type { RoomId } from '../../web/chat/model.ts'
import { Passing } from '../../web/chat/passing.ts'
import { search, snippet } from '../../web/chat/search.ts'
import { SearchIndex } from '../../web/chat/search_index.ts'
import { needles } from '../../web/chat/search_postings.ts'
import { fold, match, parseQuery } from '../../web/chat/search_words.ts'
import { SEGMENT, STEP, segmentKey } from '../../web/chat/segment.ts'
import { openVault } from '../../web/chat/vault.ts'
import {
  append,
  message,
  searchable,
  sentence,
  vaultKey,
  wipe,
  word,
} from '../support/history_fixture.ts'
import { MemoryStorage } from '../support/memory_storage.ts'
import { full, type Random, seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

const vault = openVault(await vaultKey())

function finds(text: string, query: string): boolean {
  return match(text, parseQuery(query)) !== undefined
}

/** What of `text` is marked for `query`. */
function marked(text: string, query: string): string[] {
  return (match(text, parseQuery(query)) ?? []).map(([from, to]) => text.slice(from, to))
}

async function room(texts: readonly string[], storage = new MemoryStorage()) {
  const history = await History.open(storage, vault, 'r')
  await append(
    history,
    storage,
    texts.map((text, n) => message(n, text)),
  )
  return { history, storage }
}

async function places(history: History, query: string, limit = 10_000): Promise<number[]> {
  const { hits } = await search([searchable(history)], query, { limit })
  return hits.map(({ place }) => place)
}

describe('what a search finds in a text', () => {
  it('is found whatever case and accents are', () => {
    assert.deepEqual(marked('Grüße aus der Straße', 'strasse'), ['Straße'])
    assert.deepEqual(marked('Grüße aus der Straße', 'GRU'), ['Grü'])
    assert.deepEqual(marked('İstanbul', 'istanbul'), ['İstanbul'])
    assert.deepEqual(marked('ΟΔΟΣ', 'οδός'), ['ΟΔΟΣ'])
    assert.deepEqual(marked('cafe\u0301 noir', 'CAFÉ'), ['cafe\u0301'])
    assert.deepEqual(marked('ﬁne ①', 'fine 1'), ['ﬁne', '①'])
    assert.isTrue(finds('Ёлка', 'елка'))
    assert.isTrue(finds('שָׁלוֹם', 'שלום'))
    assert.isTrue(finds('مُحَمَّد', 'محمد'))
  })

  it('needs every word whole but the last, which may be unfinished', () => {
    const text = 'Lunch at the harbour tomorrow'
    assert.isTrue(finds(text, 'harbour lun'))
    assert.isTrue(finds(text, 'tomorrow harbour'))
    assert.isFalse(finds(text, 'har tomorrow'))
    assert.isFalse(finds(text, 'lunch harbourmaster'))
    assert.isFalse(finds(text, 'unch'), 'words are found by their beginnings')
    assert.deepEqual(marked(text, 'at tom'), ['at', 'tom'])
  })

  it('is found anywhere in scripts without spaces', () => {
    assert.deepEqual(marked('私は東京都に住んでいます', '京都'), ['京都'])
    assert.deepEqual(marked('東京、京都、東京', '東京'), ['東京', '東京'])
    assert.isTrue(finds('ภาษาไทย', 'ไทย'))
    assert.isFalse(finds('東の京', '東京'))
    assert.deepEqual(marked('Sotto東京office', 'office 東'), ['東', 'office'])
    assert.deepEqual(marked('party 🎃🎃 now', '🎃'), ['🎃', '🎃'])
    assert.isTrue(finds('한국어를 배워요', '한국'))
  })

  it('is nothing for a query without a word, and no pattern language', () => {
    for (const query of ['', '   ', '.*', '"?!"', '()[]', '\\'])
      assert.lengthOf(parseQuery(query), 0)
    assert.isFalse(finds('anything', 'a.*g'))
    assert.isTrue(finds('cost: 5€ (net)', '5€'))
  })

  it('folds every code point to something that folds to itself', () => {
    const bad: string[] = []
    for (let point = 0; point <= 0x1ffff; point++) {
      if (point >= 0xd800 && point <= 0xdfff) continue
      const { text } = fold(String.fromCodePoint(point))
      if (fold(text).text !== text) bad.push(point.toString(16))
    }
    assert.deepEqual(bad, [])
  })

  it('is shown in a piece around the first match, without breaking a character', () => {
    const text = `${'🎃'.repeat(100)} needle\n${'🎃'.repeat(100)}`
    const ranges = match(text, parseQuery('needle')) ?? []
    const shown = snippet(text, ranges)
    const [from, to] = shown.ranges[0] ?? [0, 0]
    assert.equal(shown.snippet.slice(from, to), 'needle')
    assert.isBelow(shown.snippet.length, 170)
    assert.isTrue(shown.snippet.isWellFormed())
    assert.match(shown.snippet, /^….*…$/)
    assert.deepEqual(snippet('<b>hi</b>', [[3, 5]]), { snippet: '<b>hi</b>', ranges: [[3, 5]] })
  })
})

describe('searching the history', () => {
  it('finds exactly what reading every message finds', () =>
    seeded(async (random) => {
      const rounds = full ? 40 : 4
      for (let round = 0; round < rounds; round++) {
        const count = 1 + random.below(6 * STEP)
        const texts = Array.from({ length: count }, () => sentence(random))
        const { history, storage } = await room(texts)
        const again = await History.open(storage, vault, 'r', count)
        for (let i = 0; i < 40; i++) {
          const query = someQuery(random, texts)
          const terms = parseQuery(query)
          const all = texts.flatMap((text, n) => (match(text, terms) ? [n] : [])).reverse()
          const expected = terms.length === 0 ? [] : all
          assert.deepEqual(await places(history, query), expected, `warm: ${query}`)
          assert.deepEqual(await places(again, query), expected, `from disk: ${query}`)
        }
      }
    }))

  it('opens only segments that hold a rare word, and few for a common one', async () => {
    const texts = Array.from({ length: 60 * STEP + 5 }, (_, n) => `common number ${n % 97}`)
    texts[700] = 'a needle in common'
    const { storage } = await room(texts)
    const counting = storage.copy()
    const read = readsOf(counting, 'lines/')
    const lots = readsOf(counting, 'postings/')
    const history = await History.open(counting, vault, 'r', texts.length)
    read.length = 0
    assert.deepEqual(await places(history, 'needle'), [700])
    assert.lengthOf(read, 1)
    assert.lengthOf(lots, 1, 'of the index only where words with its first letter are')
    assert.lengthOf(await places(history, 'common', 50), 50)
    assert.lengthOf(read, 1)
    assert.deepEqual(await places(history, 'nowhere'), [])
    assert.deepEqual(await places(history, '13 14'), [])
    assert.lengthOf(read, 1, 'words that never meet are known not to')
  })

  it('is found in a long history wherever it stands', async () => {
    const texts = Array.from({ length: 66 * STEP }, () => 'tea')
    const some = [0, 127, 128, 255, 256, 2 ** 14 - 1, 2 ** 14, 2 ** 14 + 128, 66 * STEP - 1]
    for (const n of some) texts[n] = 'needle'
    const { history, storage } = await room(texts)
    const again = await History.open(storage, vault, 'r', texts.length)
    for (const one of [history, again])
      assert.deepEqual(await places(one, 'needle'), some.toReversed())
    assert.lengthOf(await places(again, 'tea', texts.length), texts.length - some.length)
  })

  it('may be in every step that the index knows nothing of, however many they are', async () => {
    const index = new SearchIndex(new MemoryStorage(), vault, 'r')
    const end = 600
    const all = index.candidates(needles(parseQuery('tea')), end, new AbortController().signal)
    const steps: number[] = []
    for await (const { step } of all) steps.push(step)
    assert.deepEqual(
      steps,
      Array.from({ length: end }, (_, n) => end - 1 - n),
    )
  })

  it('goes on where a page ended, without repeating or leaving out', () =>
    seeded(async (random) => {
      const texts = Array.from({ length: 700 }, (_, n) => (n % 3 === 0 ? 'yes' : sentence(random)))
      const { history } = await room(texts)
      const rooms = [searchable(history, 'a'), searchable(history, 'b')]
      const seen: string[] = []
      let after: Awaited<ReturnType<typeof search>>['more']
      do {
        const page = await search(rooms, 'yes', { limit: 1 + random.below(40), after })
        seen.push(...page.hits.map(({ room, place }) => `${room}${place}`))
        after = page.more
      } while (after !== undefined)
      const expected = texts.flatMap((text, n) => (text === 'yes' ? [`a${n}`, `b${n}`] : []))
      assert.deepEqual([...seen].sort(), expected.sort())
    }))

  it('shows the newest first over all rooms', async () => {
    const storage = new MemoryStorage()
    const rooms = []
    for (const name of ['a', 'b', 'c']) {
      const history = await History.open(storage, vault, name)
      const items = Array.from({ length: 300 }, (_, n) => message(n * 3 + rooms.length, 'tea'))
      await append(history, storage, items)
      rooms.push(searchable(history, name))
    }
    const { hits } = await search(rooms, 'tea', { limit: 20 })
    assert.deepEqual(
      hits.map(({ at }) => at),
      Array.from({ length: 20 }, (_, i) => 899 - i),
    )
    assert.deepEqual(
      hits.slice(0, 3).map(({ room }) => room),
      ['c', 'b', 'a'] as RoomId[],
    )
  })

  it('finds what is not kept, in its place', async () => {
    const { history, storage } = await room(['old tea', 'other'])
    const passing = new Passing()
    passing.add(2, [message(2, 'tea in passing'), message(3, 'nothing')])
    await append(history, storage, [message(4, 'new tea')])
    passing.add(3, [message(5, 'last tea')])
    const { hits } = await search([searchable(history, 'r', passing)], 'tea', {})
    assert.deepEqual(
      hits.map(({ place, snippet }) => [place, snippet]),
      [
        [5, 'last tea'],
        [4, 'new tea'],
        [2, 'tea in passing'],
        [0, 'old tea'],
      ],
    )
    const next = await search([searchable(history, 'r', passing)], 'tea', {
      after: new Map([['r' as RoomId, 4]]),
    })
    assert.deepEqual(
      next.hits.map(({ place }) => place),
      [2, 0],
    )
  })

  it('ends at once when it is cancelled', async () => {
    const { history } = await room(Array.from({ length: 1_000 }, () => 'tea'))
    const abort = new AbortController()
    const pending = search([searchable(history)], 'tea', { signal: abort.signal, limit: 1_000 })
    abort.abort(new Error('enough'))
    const error = await pending.then(
      () => undefined,
      (reason: Error) => reason,
    )
    assert.equal(error?.message, 'enough')
  })

  it('is right without an index, with a damaged one, and has it back after the next message', async () => {
    const texts = Array.from({ length: 5 * STEP }, (_, n) => `word${n % 700} tea`)
    const { storage } = await room(texts)
    const lots = await storage.keys('postings/')
    const one = lots.filter((key) => key.endsWith(`/${'w'.charCodeAt(0) % 32}`))
    const damage: [string, string[], unknown][] = [
      ['lost', lots, undefined],
      ['damaged', lots, Uint8Array.of(1, 2, 3)],
      ['with one lot lost', one, undefined],
      ['with one lot damaged', one, Uint8Array.of(1, 2, 3)],
    ]
    for (const [name, keys, value] of damage) {
      assert.isNotEmpty(keys)
      const broken = storage.copy()
      await broken.write(new Map(keys.map((key) => [key, value])))
      const history = await History.open(broken, vault, 'r', texts.length)
      assert.deepEqual(await places(history, 'word650'), [650], name)
      for (let n = 0; n < 3; n++)
        await append(history, broken, [message(9_000 + n, 'something else')])
      const healed = await History.open(broken, vault, 'r', texts.length + 3)
      const read = readsOf(broken, 'lines/')
      assert.deepEqual(await places(healed, 'word650'), [650], name)
      assert.lengthOf(read, 1, `${name}: only the segment with the hit is read`)
    }
  })

  it('takes the place of the index of an earlier version', async () => {
    const texts = Array.from({ length: 2 * STEP }, (_, n) => `word${n} tea`)
    const { storage } = await room(texts)
    const lots = await storage.keys('postings/')
    const former = ['index/r/000000', 'words/r/000000']
    await storage.write(
      new Map([
        ...lots.map((key) => [key, undefined] as const),
        ...former.map((key) => [key, Uint8Array.of(1, 2, 3)] as const),
      ]),
    )
    const wiped = storage.copy()
    await wipe(await History.open(wiped, vault, 'r', texts.length), wiped)
    assert.deepEqual(await wiped.keys(''), [], 'a wipe leaves nothing of it')

    const history = await History.open(storage, vault, 'r', texts.length)
    assert.deepEqual(await places(history, 'word65'), [65])
    await append(history, storage, [message(9_000, 'something else')])
    assert.deepEqual(await storage.keys('postings/'), lots)
    assert.deepEqual([...(await storage.keys('index/')), ...(await storage.keys('words/'))], [])
    assert.deepEqual(await places(history, 'word65'), [65])
  })

  it('finds nothing of what was wiped, nor does the store hold a word of it', async () => {
    const { history, storage } = await room(Array.from({ length: 900 }, () => 'secret tea'))
    await wipe(history, storage)
    assert.deepEqual(await places(history, 'tea'), [])
    assert.deepEqual(await storage.keys(''), [])
    await append(history, storage, [message(1, 'fresh tea')])
    assert.deepEqual(await places(history, 'tea'), [0])
  })

  it('keeps the index with the messages in one write, and sealed', async () => {
    const storage = new MemoryStorage()
    const history = await History.open(storage, vault, 'r')
    const writes: string[][] = []
    storage.onWrite = (changes) => {
      writes.push([...changes.keys()])
    }
    const items: StoredItem[] = Array.from({ length: STEP }, (_, n) => message(n, 'marmalade'))
    await append(history, storage, items.slice(0, STEP - 1))
    await append(history, storage, items.slice(STEP - 1))
    const lots = Array.from({ length: 32 }, (_, lot) => `postings/r/000000/${lot}`)
    const keys = Array.from({ length: STEP / SEGMENT }, (_, n) => segmentKey('r', n))
    assert.deepEqual(writes, [keys, [keys.at(-1), ...lots]])
    for (const lot of (await storage.readMany(lots)) as Uint8Array[])
      assert.notInclude(new TextDecoder('latin1').decode(lot), 'marm')
  })
})

/** The keys that begin with `prefix` and are read from now on, as they are. */
function readsOf(storage: MemoryStorage, prefix: string): string[] {
  const read: string[] = []
  const original = storage.readMany.bind(storage)
  storage.readMany = (keys: readonly string[]) => {
    read.push(...keys.filter((key) => key.startsWith(prefix)))
    return original(keys)
  }
  return read
}

/** A query that often finds something: words of a text, cut, changed or made up. */
function someQuery(random: Random, texts: readonly string[]): string {
  const words = random.pick(texts).split(/[ ,]+/)
  const some = Array.from({ length: 1 + random.below(3) }, () =>
    random.below(6) === 0 ? word(random) : random.pick(words),
  )
  const last = some.pop() ?? ''
  const cut = [...last].slice(0, 1 + random.below(6)).join('')
  const query = [...some, cut].join(' ')
  return random.below(2) === 0 ? query.toLowerCase() : query
}
