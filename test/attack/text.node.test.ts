/** C.3: what turns text into addresses, and the key in an invitation, given any text at all. */
import { fromBase64url, hex } from '../../web/protocol/bytes.ts'
import { spans } from '../../web/ui/links.ts'
import { full, type Random, seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

const ROUNDS = full ? 1_000_000 : 20_000
/** Longest time for one text, in ms. */
const HANG = 1_000

const PIECES = [
  ...[
    'http://',
    'https://',
    'HTTPS://',
    'javascript:',
    'data:text/html,',
    'file:///',
    '//',
    'www.',
  ],
  ...[
    'a.example',
    'bank.example@evil.example',
    'user:pass@',
    '[::1]',
    '127.0.0.1',
    'xn--80ak6aa92e.com',
  ],
  ...[
    '/path',
    '?q=1&amp;',
    '#frag',
    '<script>',
    '">',
    "'",
    '`',
    '\\',
    '{{',
    '}}',
    '%00',
    '%2e%2e/',
  ],
  ...[
    '\u202e',
    '\u200b',
    '\u2066',
    '\u0000',
    '\n',
    ' ',
    '\t',
    '\u00ad',
    'ü',
    '语',
    '😀',
    '\ud800',
    '.',
    ')',
    ',',
  ],
] as const

const textOf = (random: Random): string =>
  Array.from({ length: random.below(12) }, () => random.pick(PIECES)).join('')

describe('a message as the page takes it apart', () => {
  it('is whole again when put together, and leads nowhere but to http and https, as it says', () =>
    seeded((random) => {
      for (let i = 0; i < ROUNDS; i++) {
        const text = textOf(random)
        const start = performance.now()
        const found = spans(text)
        assert.isBelow(performance.now() - start, HANG)
        assert.equal(found.map((span) => span.text).join(''), text)
        for (const { text: shown, href } of found) {
          if (href === undefined) continue
          const url = new URL(href)
          assert.include(['http:', 'https:'], url.protocol, text)
          assert.equal(url.username + url.password, '', text)
          assert.equal(new URL(shown).href, href, text)
          assert.notMatch(shown, /[\s<>"'`\p{Cf}\p{Cc}]/u, text)
        }
      }
    }))

  it('takes no time, however long it is', () => {
    for (const piece of ['http://', 'https://a.', 'a@', '.', ')', 'http://a/)))', '\u202e']) {
      const text = piece.repeat(Math.floor(16_384 / piece.length))
      const start = performance.now()
      spans(text)
      assert.isBelow(performance.now() - start, HANG, piece)
    }
  })
})

describe('the key in an invitation', () => {
  it('is another key when a character was changed, or refused', () =>
    seeded((random) => {
      const alphabet = 'ABCxyz019-_+/= \u00ff%'
      for (let i = 0; i < ROUNDS; i++) {
        const key = random.bytes(32)
        const good = Buffer.from(key).toString('base64url')
        assert.equal(hex(fromBase64url(good)), hex(key))
        const at = random.below(good.length)
        const bad = good.slice(0, at) + random.pick([...alphabet, '']) + good.slice(at + 1)
        const read = readOrRefuse(bad)
        // A character changed is another key, but for the two bits that the last one has too many.
        if (read !== undefined && bad.length === good.length && at < good.length - 1)
          assert.equal(hex(read) === hex(key), bad === good, bad)
      }
    }))
})

function readOrRefuse(text: string) {
  try {
    return fromBase64url(text)
  } catch (error) {
    assert.include(['SyntaxError', 'InvalidCharacterError'], (error as Error).name, text)
    return undefined
  }
}
