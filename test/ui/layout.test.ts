import { emulateMedia, setViewport } from '@web/test-runner-commands'
import {
  digits,
  LOBBY,
  NOON,
  privateRoom,
  reader,
  room,
  ScriptedChat,
} from '../support/scripted_chat.ts'
import { button, drawn, inTheChat, one, until } from '../support/scripted_page.ts'
import { after, assert, describe, it } from '../support/suite.ts'

const WIDTHS = [320, 390, 480, 640, 761, 820, 900, 1024, 1080, 1180, 1280, 1600]
const log = (): HTMLElement => one('[role=log]')
const atEnd = (): boolean => log().scrollHeight - log().scrollTop - log().clientHeight < 2

function lines(count: number, text = (i: number): string => `line ${i}`): ScriptedChat {
  const chat = new ScriptedChat()
  const all = Array.from({ length: count }, (_, i) =>
    chat.message({ from: i % 2 ? 'bob' : 'carol', text: text(i), at: NOON + i }),
  )
  chat.put(LOBBY, ...all)
  return chat
}

describe('what the screen has room for', () => {
  after(() => setViewport({ width: 800, height: 600 }))

  it('is who can read a conversation, in full, at every width', async () => {
    const { chat } = await inTheChat(new ScriptedChat('alice', ['Benjamin']))
    chat.set({
      rooms: [
        ...chat.state.rooms,
        room(privateRoom('Benjamin'), 'Benjamin', [reader('alice', true), reader('Benjamin')]),
      ],
    })
    await until(() => document.querySelectorAll('room-list .entry').length === 2)
    document.querySelectorAll<HTMLElement>('room-list .entry')[1]?.click()
    await until(() => one('.who').textContent === 'Only Benjamin and you can read this')
    for (const width of WIDTHS) {
      await setViewport({ width, height: 700 })
      await drawn()
      const { left, right, height } = one('.who').getBoundingClientRect()
      assert.isAtLeast(left, 0, `at ${width}`)
      assert.isAtMost(right, width, `at ${width}`)
      assert.isAbove(height, 8, `at ${width}`)
      const claim = one('.claim')
      assert.isAtMost(claim.scrollWidth, claim.clientWidth, `at ${width}`)
      const title = one('chat-header h2')
      // A very narrow screen cuts the heading: the name stands in the line below it.
      if (width > 320) assert.isAtMost(title.scrollWidth, title.clientWidth, `the name at ${width}`)
    }
  })

  it('is all there is: the page itself never scrolls', async () => {
    await inTheChat(lines(200))
    await until(atEnd)
    assert.isAtMost(document.documentElement.scrollHeight, innerHeight)
  })

  it('is still the newest message while a draft of several lines is written', async () => {
    const { chat } = await inTheChat(lines(200))
    await until(atEnd)
    const box = one<HTMLTextAreaElement>('textarea')
    for (const text of ['a\nb\nc\nd\ne', 'a\nb\nc\nd\nef', 'a\nb\nc\nd\nefg', 'a']) {
      box.value = text
      box.dispatchEvent(new InputEvent('input', { bubbles: true }))
      await drawn()
      await drawn()
      assert.isTrue(atEnd(), JSON.stringify(text))
    }
    chat.hear(LOBBY, 'bob', 'and this')
    await until(() => log().innerText.includes('and this'))
    assert.equal(chat.state.rooms[0]?.unread, 0)
  })

  it('is any place that one jumps to, however much the messages differ in height', async () => {
    await inTheChat(lines(4000, (i) => (i < 2000 ? 'short' : 'long '.repeat(300))))
    await until(atEnd)
    for (const part of [0.9, 0.1, 0.5, 0.45, 0.55, 0.02]) {
      log().scrollTop = log().scrollHeight * part
      await drawn()
      await drawn()
      const { top, bottom } = log().getBoundingClientRect()
      const seen = [...log().querySelectorAll('.text')].filter((text) => {
        const at = text.getBoundingClientRect()
        return at.bottom > top && at.top < bottom
      })
      assert.isAbove(seen.length, 0, `at ${part}`)
    }
  })
})

describe('a name of 32 wide letters', () => {
  const name = 'W'.repeat(32)
  const suite = 'MLS_256_XWING_AES256GCM_SHA512_Ed25519'
  const inside = (selector: string, box: HTMLElement, at: string): void => {
    const { left, right } = box.getBoundingClientRect()
    const found = [...box.querySelectorAll(selector)]
    assert.isNotEmpty(found, `${selector} ${at}`)
    for (const element of found) {
      const range = document.createRange()
      range.selectNodeContents(element)
      const words = range.getBoundingClientRect()
      assert.isAtLeast(words.left, left, `${selector} ${at}`)
      assert.isAtMost(words.right, right, `${selector} ${at}`)
    }
  }
  after(() => setViewport({ width: 800, height: 600 }))

  for (const width of [320, 390, 1280])
    it(`is read in full wherever it stands, ${width} pixels wide, and widens no bubble`, async () => {
      await setViewport({ width, height: 700 })
      const { chat } = await inTheChat(new ScriptedChat('M'.repeat(32), [name]))
      chat.setRoom(LOBBY, { crypto: suite })
      chat.hear(LOBBY, name, 'hello')
      await until(() => log().innerText.includes('hello'))
      inside('.from bdi', log(), 'over a message')
      const bubble = one('.theirs .text').getBoundingClientRect()
      assert.isBelow(bubble.width, 120)
      const time = one('.theirs .meta').getBoundingClientRect()
      if (width < 760) assert.isBelow(time.right, bubble.right, 'the time stands in the bubble')
      else assert.isAbove(time.left, bubble.right, 'the time stands beside the bubble')
      one('.claim').click()
      await drawn()
      inside('b, button, .fingerprint, .crypto', one('#readers'), 'among the readers')
      button('Identity').click()
      inside('bdi', await until(() => document.querySelector('dialog[open]')), 'in Identity')
    })
})

describe('keys that are to be compared', () => {
  it('stand in blocks of equal shape, the known one above the one seen now', async () => {
    const { chat } = await inTheChat()
    const spelt = (name: string) => digits(name).replace(/(.{4})(?=.)/g, '$1 ')
    chat.notify({
      ...{ kind: 'mitm', title: 'Another key', advice: 'Ask.', blocking: true },
      seen: `The endpoint shows another key.\nKnown: ${spelt('a')}\nSeen now: ${spelt('b')}`,
      choices: [{ choice: 'stay', label: 'Stay', danger: false }],
    })
    await until(() => document.querySelector('dialog'))
    const blocks = [...document.querySelectorAll<HTMLElement>('dialog .fingerprint')]
    assert.deepEqual(
      blocks.map((block) => block.textContent),
      [spelt('a'), spelt('b')],
    )
    const [known, seen] = blocks.map((block) => block.getBoundingClientRect())
    assert.equal(known?.width, seen?.width)
    assert.equal(known?.height, seen?.height)
    assert.equal(known?.left, seen?.left)
    const said = one('#stop-seen')
      .innerText.split('\n')
      .map((line) => line.trim())
    assert.deepEqual(
      said.filter((line) => line !== '' && !/^[0-9a-f ]+$/.test(line)),
      ['The endpoint shows another key.', 'Known:', 'Seen now:'],
    )
  })
})

describe('somebody who is alone', () => {
  it('is told how not to be, with a link that has the key of the endpoint in it', async () => {
    const chat = new ScriptedChat('alice', [])
    chat.set({ endpoint: { host: 'localhost', fingerprint: '00'.repeat(32), verified: true } })
    const copied: string[] = []
    const clipboard = { writeText: async (text: string) => void copied.push(text) }
    Object.defineProperty(navigator, 'clipboard', { value: clipboard, configurable: true })
    await inTheChat(chat)
    await until(() => log().innerText.includes('Nobody else is here yet'))
    button('Copy the link').click()
    await until(() => log().innerText.includes('Copied'))
    assert.lengthOf(copied, 1)
    assert.equal(new URL(copied[0] ?? '').hash, `#k=${'A'.repeat(43)}`)
    Reflect.deleteProperty(navigator, 'clipboard')
  })
})

describe('somebody who has just come in to others', () => {
  it('is not told that nothing was said: what was said before is closed to them', async () => {
    const chat = new ScriptedChat('alice', ['bob'])
    await inTheChat(chat)
    await until(() => log().innerText.includes('No messages on this device.'))
    assert.include(log().innerText, 'before you came can be read by those who were here then')
  })
})

describe('a person who wants less motion', () => {
  after(() => emulateMedia({ reducedMotion: 'no-preference' }))

  it('gets none, whatever an element’s own style says', async () => {
    await inTheChat()
    await emulateMedia({ reducedMotion: 'reduce' })
    for (const element of document.querySelectorAll('.button, .dot'))
      for (const duration of ['transitionDuration', 'animationDuration'] as const)
        assert.isAtMost(Number.parseFloat(getComputedStyle(element)[duration]), 0.001)
  })
})
