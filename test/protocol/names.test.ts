import { utf8 } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { normaliseName, skeleton } from '../../web/protocol/names.ts'
import { full, seeded } from '../support/random.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

/** Names that people have: each is taken as it is. */
const GOOD = [
  ...['alice', 'Bob', 'Ann Lee', "O'Brien", 'm-1', 'user_42', 'j.doe', 'x', '007', '3po', 'Straße'],
  ...['Zoë', 'José', 'Łukasz', 'Øystein', 'İlknur', 'Ərtoğrul', 'Nguyễn Văn Đạt', 'ẹ́bùn', 'Ìyábọ̀'],
  ...['Оксана', 'Ґалаґан', 'Сара', 'Юрій', 'Ἑλένη', 'Ελένη', 'Սևակ', 'Արմեն', 'ნინო', 'NINO'],
  ...['محمد', 'فاطمة', 'شیرین', 'שרה', 'አበበ', 'अनीता', 'तृष्णा', 'ওয়াসিম', 'ਗੁਰਪ੍ਰੀਤ', 'આરતી'],
  ...['தமிழ்', 'సీత', 'ಕನ್ನಡ', 'മലയാളം', 'සිංහල', 'แก้วกานดา', 'น้ำ', 'ລາວ', 'မြန်မာ', 'ព្រះ'],
  ...['さくら', 'タロウ', '山田太郎', 'サザエさん', '王小明', '김철수', '金철수', 'ဝင်း', 'ཏཱ'],
].map((name) => name.normalize('NFC'))

/** Hostile names, each with what it passes itself off as: refused, or taken for the same. */
const HOSTILE: readonly (readonly [name: string, victim: string, trick: string])[] = [
  ['Alice', 'alice', 'capitals'],
  ['ALICE', 'alice', 'capitals'],
  ['aliсe', 'alice', 'Cyrillic с'],
  ['аlice', 'alice', 'Cyrillic а'],
  ['alісе', 'alice', 'Cyrillic і, с, е'],
  ['аӏісе', 'alice', 'Cyrillic throughout'],
  ['ΑΝΝΑ', 'anna', 'Greek capitals throughout'],
  ['ΤΟΜ', 'tom', 'Greek capitals throughout'],
  ['аnna', 'anna', 'Cyrillic а before Latin'],
  ['АННА', 'ahha', 'Cyrillic capitals throughout'],
  ['Сара', 'capa', 'Cyrillic throughout'],
  ['рауроса', 'paypoca', 'Cyrillic throughout'],
  ['յօհո', 'john', 'Armenian throughout'],
  ['bοb', 'bob', 'Greek ο'],
  ['вοв', 'bob', 'Cyrillic with Greek ο'],
  ['b0b', 'bob', 'zero'],
  ['B0B', 'bob', 'zero'],
  ['a1ice', 'alice', 'one for l'],
  ['aIice', 'alice', 'capital I for l'],
  ['alIce', 'alice', 'capital I for i'],
  ['alıce', 'alice', 'dotless i'],
  ['alİce', 'alice', 'dotted capital I'],
  ['a|ice', 'alice', 'vertical bar'],
  ['rnark', 'mark', 'rn for m'],
  ['RNark', 'mark', 'RN for m'],
  ['vvill', 'will', 'vv for w'],
  ['ａｌｉｃｅ', 'alice', 'fullwidth letters'],
  ['𝐚𝐥𝐢𝐜𝐞', 'alice', 'bold mathematical letters'],
  ['ⓐⓛⓘⓒⓔ', 'alice', 'circled letters'],
  ['ªlice', 'alice', 'ordinal indicator'],
  ['ﬁona', 'fiona', 'ligature fi'],
  ['álice', 'alice', 'accent'],
  ['a\u0301lice', 'alice', 'accent, decomposed'],
  ['a\u0323lice', 'alice', 'dot below'],
  ['al\u0336ice', 'alice', 'struck out'],
  ['alice\u0332', 'alice', 'underlined'],
  ['a\u0300\u0301\u0302\u0303lice', 'alice', 'a pile of marks'],
  ['ali\u0307ce', 'alice', 'a second dot on i'],
  ['al\u200bice', 'alice', 'zero width space'],
  ['al\u200cice', 'alice', 'zero width non-joiner'],
  ['al\u200dice', 'alice', 'zero width joiner'],
  ['al\u2060ice', 'alice', 'word joiner'],
  ['al\ufeffice', 'alice', 'byte order mark inside'],
  ['\ufeffalice', 'alice', 'byte order mark before'],
  ['al\u00adice', 'alice', 'soft hyphen'],
  ['al\u034fice', 'alice', 'grapheme joiner'],
  ['al\ufe0fice', 'alice', 'variation selector'],
  ['al\u{e0061}ice', 'alice', 'tag character'],
  ['al\u115fice', 'alice', 'Hangul filler'],
  ['al\u3164ice', 'alice', 'Hangul filler'],
  ['al\u2800ice', 'al-ice', 'Braille blank'],
  ['\u202eecila', 'ecila', 'right-to-left override'],
  ['alice\u202e', 'alice', 'right-to-left override'],
  ['\u2066alice\u2069', 'alice', 'isolate'],
  ['alice\u200f', 'alice', 'right-to-left mark'],
  ['alice\u061c', 'alice', 'Arabic letter mark'],
  [' alice ', 'alice', 'spaces around'],
  ['alice\u00a0', 'alice', 'no-break space behind'],
  ['ann\u00a0lee', 'ann lee', 'no-break space'],
  ['ann\u2003lee', 'ann lee', 'em space'],
  ['ann  lee', 'ann-lee', 'two spaces'],
  ['ann_lee', 'ann lee', 'another separator'],
  ['ann\u2010lee', 'ann-lee', 'another hyphen'],
  ['O’Brien', "o'brien", 'typographic apostrophe'],
  ['al\nice', 'alice', 'line break'],
  ['al\u0000ice', 'alice', 'NUL'],
  ['al\ud800ice', 'alice', 'half a surrogate pair'],
  ['al\ue000ice', 'alice', 'private use character'],
  ['łukasz', 'lukasz', 'l with stroke'],
  ['ɓob', 'bob', 'hooked b'],
  ['ǀan', 'ian', 'click letter'],
  ['ꜱam', 'sam', 'small capital'],
  ['Lоbby', 'lobby', 'Cyrillic о in the name of the room'],
  ['Lobby', 'lobby', 'the name of the room'],
  ['L0BBY', 'lobby', 'the name of the room with a zero'],
  ['Systern', 'system', 'the system'],
  ['ѕуѕтем', 'system', 'the system in Cyrillic'],
  ['ಅನ', 'అన', 'Kannada for Telugu'],
  ['ซาย', 'ชาย', 'a Thai letter for its like'],
  ['カ', '力', 'katakana for an ideograph'],
  ['ك', 'ک', 'Arabic kaf for Persian'],
]

/** Different names that stay different. */
const DISTINCT = [
  ...[
    'alice',
    'alicia',
    'bob',
    'rob',
    'carol',
    'dave',
    'mallory',
    'm-1',
    'm-2',
    'm-11',
    'ma',
    'na',
  ],
  ...['Оксана', 'Оксено', 'Глеб', 'Юрій', 'Яна', 'Ελένη', 'Νίκος', 'かえ', 'がえ', 'はる', 'ぱる'],
  ...[
    'अनीता',
    'अनिता',
    'कि',
    'की',
    'שרה',
    'משה',
    'محمد',
    'أحمد',
    'user5',
    'users',
    'b8',
    'bb',
    'cl',
    'd',
  ],
]

function refusedOr(name: string): string | undefined {
  try {
    return normaliseName(name)
  } catch (error) {
    assert.instanceOf(error, SottoError)
    assert.equal((error as SottoError).code, 'bad_name')
    return undefined
  }
}

describe('a name', () => {
  it('of any people in the world is taken as it is written', () => {
    for (const name of GOOD) assert.equal(normaliseName(name), name)
  })

  it('is trimmed, composed, and its apostrophe made plain', () => {
    assert.equal(normaliseName(' Jose\u0301 '), 'José')
    assert.equal(normaliseName('O’Brien'), "O'Brien")
  })

  it('that looks like another is refused, or counts as the same', () => {
    assert.isAtLeast(HOSTILE.length, 40)
    for (const [name, victim, trick] of HOSTILE) {
      const taken = refusedOr(name)
      if (taken !== undefined)
        assert.equal(skeleton(taken), skeleton(victim), `${trick}: ${JSON.stringify(name)}`)
    }
  })

  it('that looks like another has its skeleton even before it is refused', () => {
    const others = new Set(['Braille blank', 'two spaces', 'private use character', 'click letter'])
    for (const [name, victim, trick] of HOSTILE) {
      if (others.has(trick) || trick === 'small capital' || / behind| before| around/.test(trick))
        continue
      assert.equal(skeleton(name), skeleton(victim), `${trick}: ${JSON.stringify(name)}`)
    }
  })

  it('with an invisible character, a control or bidirectional one is refused', async () => {
    for (const char of '\u200b\u200c\u200d\u2060\u00ad\u034f\u202a\u202e\u2066\u2069\u200f\u061c\0\u001b\u0085\u2028\ufe0f\u3164')
      await fails('bad_name', () => normaliseName(`al${char}ice`))
  })

  it('in two alphabets is refused, in the three of Japanese is not', async () => {
    const error = await fails('bad_name', () => normaliseName('aliсe'))
    assert.match(error.message, /alphabet/)
    for (const name of ['Ωmega', 'Дmitri', 'aא', 'あ한', 'ａあ', 'abc漢'])
      await fails('bad_name', () => normaliseName(name))
    assert.equal(normaliseName('お茶カフェ'), 'お茶カフェ')
  })

  it('that is empty, only separators, or too long is refused with what to do', async () => {
    assert.match((await fails('bad_name', () => normaliseName(''))).message, /Enter a name/)
    assert.match((await fails('bad_name', () => normaliseName(' \t\n'))).message, /Enter a name/)
    for (const name of ['.', '-', '_', "'", '..', 'a..b', '-a', 'a-', 'a - b', '_a'])
      assert.match((await fails('bad_name', () => normaliseName(name))).message, /letters/)
    assert.equal(normaliseName('a'.repeat(32)), 'a'.repeat(32))
    for (const name of ['a'.repeat(33), 'я'.repeat(33), '王'.repeat(22), 'a'.repeat(100_000)])
      assert.match((await fails('bad_name', () => normaliseName(name))).message, /too long/)
    assert.lengthOf(utf8(normaliseName('я'.repeat(32))), 64)
  })

  it('with signs or pictures is refused', async () => {
    for (const name of [
      '<b>',
      'a/b',
      'a@b',
      '🙂',
      'a🙂',
      '#1',
      'a,b',
      'a"b',
      'a\\b',
      '../a',
      '$a',
      '©',
      '™',
    ])
      await fails('bad_name', () => normaliseName(name))
  })

  it('in special letters is refused with the plain spelling', async () => {
    const error = await fails('bad_name', () => normaliseName('Ａｌｉｃｅ'))
    assert.match(error.message, /Write it as: Alice$/)
  })

  it('of the chat itself belongs to nobody', async () => {
    for (const name of ['lobby', 'Lobby', 'SYSTEM', 'S0tto', 'You', 'sYstern'])
      await fails('bad_name', () => normaliseName(name))
  })

  it('stays apart from other names', () => {
    const seen = new Map<string, string>()
    for (const name of DISTINCT) {
      const taken = normaliseName(name)
      assert.isUndefined(seen.get(skeleton(taken)), `${name} and ${seen.get(skeleton(taken))}`)
      seen.set(skeleton(taken), name)
    }
  })

  it('whatever it is made of, comes out normal or refused, quickly', () =>
    seeded((random) => {
      const pieces = [...GOOD, ...HOSTILE.map(([name]) => name), '\u0301', ' ', '-', '\u200d', '🙂']
      const rounds = full ? 1_000_000 : 10_000
      for (let round = 0; round < rounds; round++) {
        const text = Array.from({ length: 1 + random.below(4) }, () => {
          const piece = Array.from(random.pick(pieces))
          const from = random.below(piece.length)
          if (random.below(8) === 0) return String.fromCodePoint(random.below(0x11_0000))
          return piece.slice(from, from + 1 + random.below(6)).join('')
        }).join('')
        const began = performance.now()
        skeleton(text)
        const name = refusedOr(text)
        assert.isBelow(performance.now() - began, 1000)
        if (name === undefined) continue
        assert.equal(normaliseName(name), name)
        assert.equal(name.normalize('NFC'), name)
        assert.isAtMost(utf8(name).length, 64)
        assert.equal(skeleton(name), skeleton(name.toUpperCase()), name)
        assert.notEqual(skeleton(name), '')
      }
    }))

  it('of a megabyte takes no time', () => {
    for (const text of ['\u0301', 'a\u0301', 'ﷺ', 'a-', ' '].map((s) => s.repeat(1_000_000))) {
      const began = performance.now()
      assert.isUndefined(refusedOr(text))
      assert.isBelow(performance.now() - began, 1000)
    }
  })
})
