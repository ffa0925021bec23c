import { parse } from '../../web/ui/command.ts'
import { spans } from '../../web/ui/links.ts'
import { PAGE, PageWindow } from '../../web/ui/page_window.ts'
import { beginning, clock, day, grouped, hue, iso } from '../../web/ui/words.ts'
import { assert, describe, it } from '../support/suite.ts'

describe('a line that is typed', () => {
  it('is a message unless it begins with a slash', () => {
    assert.deepEqual(parse('hello /pm', []), { kind: 'text', text: 'hello /pm' })
    assert.deepEqual(parse('//etc/hosts', []), { kind: 'text', text: '/etc/hosts' })
  })

  it('goes to one person after /pm, with all its lines', () => {
    assert.deepEqual(parse('/pm bob hi\nthere', []), { kind: 'pm', user: 'bob', text: 'hi\nthere' })
    assert.deepEqual(parse('/pm bob', []), { kind: 'pm', user: 'bob', text: '' })
  })

  it('finds a name with blanks, known or in quotes, whatever its case', () => {
    const users = ['Ada', 'Ada Lovelace', 'bob']
    assert.deepEqual(parse('/pm ada lovelace hi', users), {
      kind: 'pm',
      user: 'Ada Lovelace',
      text: 'hi',
    })
    assert.deepEqual(parse('/pm ada hi', users), { kind: 'pm', user: 'Ada', text: 'hi' })
    assert.deepEqual(parse('/pm "Grace H" hi', users), { kind: 'pm', user: 'Grace H', text: 'hi' })
    assert.deepEqual(parse('/pm adam hi', users), { kind: 'pm', user: 'adam', text: 'hi' })
  })

  it('is explained when it is no command, and never sent', () => {
    assert.equal(parse('/help', []).kind, 'help')
    assert.equal(parse('/pm', []).kind, 'mistake')
    assert.equal(parse('/p bob my password', []).kind, 'mistake')
  })
})

describe('an address in a message', () => {
  const links = (text: string): (string | undefined)[] =>
    spans(text).flatMap(({ href }) => (href === undefined ? [] : [href]))

  it('is a link without the marks of the sentence around it', () => {
    const text = 'See https://example.org/a?b=c, (https://example.com/)! or http://x.example.'
    assert.deepEqual(links(text), [
      'https://example.org/a?b=c',
      'https://example.com/',
      'http://x.example/',
    ])
    assert.equal(
      spans(text)
        .map((span) => span.text)
        .join(''),
      text,
    )
  })

  it('is no link when it could lead elsewhere than it seems to, or run anything', () => {
    for (const text of [
      'javascript:alert(1)',
      'data:text/html,<script>alert(1)</script>',
      'https://bank.example@evil.example/',
      'https://user:secret@evil.example/',
      'https://exam\u202eple.org/',
      'https://exa\u200bmple.org/',
      'file:///etc/passwd',
      'https://',
      'https://[::1',
    ])
      assert.deepEqual(links(text), [], text)
  })
})

describe('words for values', () => {
  it('group a fingerprint in fours', () => {
    assert.equal(grouped('0123456789ab'), '0123 4567 89ab')
    assert.equal(beginning('0123456789abcdef00'), '0123 4567 89ab cdef …')
  })

  it('take any time that a peer may claim', () => {
    for (const at of [0, -1, 8.64e15, 8.65e15, Number.MAX_SAFE_INTEGER, Number.NaN])
      for (const words of [clock(at), day(at, 0), iso(at)]) assert.isString(words)
    assert.equal(day(0, 0), 'Today')
    assert.equal(day(-86_400_000, 0), 'Yesterday')
  })
})

describe('where pages stand', () => {
  it('is measured where it can be and the mean elsewhere', () => {
    const pages = new PageWindow()
    pages.resize(10 * PAGE)
    pages.measure(9, 40 * PAGE)
    pages.measure(8, 60 * PAGE)
    assert.equal(pages.height(0), 50 * PAGE)
    assert.equal(pages.span(0, 10), 500 * PAGE)
    assert.deepEqual(pages.between(0, 10), [0, 0])
    assert.deepEqual(pages.between(470 * PAGE, 480 * PAGE), [9, 9])
    assert.deepEqual(pages.between(399 * PAGE, 401 * PAGE), [7, 8])
    assert.deepEqual(pages.between(1e9, 1e9), [9, 9])
  })

  it('forgets the height of a page that has grown', () => {
    const pages = new PageWindow()
    pages.resize(1)
    assert.isTrue(pages.measure(0, 70))
    assert.isFalse(pages.measure(0, 70))
    pages.resize(2)
    assert.isTrue(pages.measure(0, 140))
    pages.resize(0)
    assert.equal(pages.span(0, pages.pages), 0)
  })
})

describe('the tint of a name', () => {
  it('is one of the eight that there are, whatever the name', () => {
    for (let i = 0; i < 200; i++) assert.match(hue(`person ${i} É李`.slice(i % 5)), /^hue-[0-7]$/)
  })
})
