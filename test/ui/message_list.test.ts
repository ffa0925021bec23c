import type { TimelineItem } from '../../web/chat/model.ts'
import { LOBBY, NOON, ScriptedChat } from '../support/scripted_chat.ts'
import { drawn, inTheChat, one, until } from '../support/scripted_page.ts'
import { assert, describe, it } from '../support/suite.ts'

const MANY = 100_000

function manyMessages(count: number): ScriptedChat {
  const chat = new ScriptedChat()
  const items = Array.from({ length: count }, (_, i) =>
    chat.message({
      from: ['bob', 'carol', 'alice'][i % 3] as string,
      text: `line ${i}`,
      at: NOON + i,
    }),
  )
  chat.put(LOBBY, ...items)
  return chat
}

const log = (): HTMLElement => one('[role=log]')
const atEnd = (): boolean => log().scrollHeight - log().scrollTop - log().clientHeight < 2
const shown = (): string[] => {
  const { top, bottom } = log().getBoundingClientRect()
  return [...log().querySelectorAll<HTMLElement>('.text')]
    .filter(
      (text) =>
        text.getBoundingClientRect().bottom > top && text.getBoundingClientRect().top < bottom,
    )
    .map((text) => text.innerText)
}

describe('a conversation of 100,000 messages', () => {
  it('opens at its end, with a few of them in the document', async () => {
    const chat = manyMessages(MANY)
    await inTheChat(chat)
    await until(() => shown().includes(`line ${MANY - 1}`))
    await until(atEnd)
    assert.isBelow(log().querySelectorAll('.message').length, 200)
  })

  it('shows any place of it, wherever one scrolls, and the beginning', async () => {
    await inTheChat(manyMessages(MANY))
    await until(() => shown().includes(`line ${MANY - 1}`))
    for (const part of [0.5, 0.123, 0.987, 0]) {
      log().scrollTop = log().scrollHeight * part
      await until(() => shown().length > 3)
      await drawn()
      assert.isBelow(log().querySelectorAll('.message').length, 250)
    }
    assert.include(shown(), 'line 0')
  })

  it('scrolls without a jump, with every step drawn within two frames', async () => {
    await inTheChat(manyMessages(MANY))
    await until(() => shown().includes(`line ${MANY - 1}`))
    let last = MANY
    for (let i = 0; i < 60; i++) {
      log().scrollTop -= 300
      await drawn()
      const first = Number(shown()[0]?.slice(5))
      assert.isAtMost(first, last, 'never moves back')
      assert.isAtLeast(first, last - 40 - (i === 0 ? 40 : 0), 'never skips')
      last = first
    }
  })

  it('looks the same when its pages come later', async () => {
    const chat = manyMessages(1000)
    chat.slow = true
    await inTheChat(chat)
    await until(() => shown().includes('line 999'))
    assert.isTrue(atEnd())
  })
})

describe('the end of a conversation', () => {
  it('is followed while one is there', async () => {
    const { chat } = await inTheChat(manyMessages(100))
    chat.hear(LOBBY, 'bob', 'and this')
    await until(() => shown().includes('and this'))
    assert.isTrue(atEnd())
    assert.equal(chat.state.rooms[0]?.unread, 0)
  })

  it('is followed through notices that take room from it', async () => {
    const { chat } = await inTheChat(manyMessages(100))
    chat.notify({ title: 'A', seen: 'B', advice: 'C' })
    chat.hear(LOBBY, 'bob', 'and this')
    await until(() => shown().includes('and this'))
    await drawn()
    assert.isTrue(atEnd())
  })

  it('is not forced on somebody who reads further up: what is new is counted on a button', async () => {
    const { chat } = await inTheChat(manyMessages(200))
    await until(() => atEnd())
    log().scrollTop -= 1500
    await drawn()
    const before = shown()
    chat.hear(LOBBY, 'bob', 'new one')
    chat.hear(LOBBY, 'bob', 'new two')
    await until(() => document.querySelector('.jump')?.textContent?.includes('2 new messages'))
    await drawn()
    assert.deepEqual(shown(), before)
    one('.jump').click()
    await until(() => shown().includes('new two'))
    assert.equal(one('.marker').textContent?.trim(), 'New messages')
    await until(() => chat.state.rooms[0]?.unread === 0)
  })

  it('is read out in one sentence a second, and only what others wrote', async () => {
    const { chat } = await inTheChat(manyMessages(10))
    assert.equal(log().getAttribute('aria-live'), 'off')
    const live = one('message-list [aria-live=polite]')
    await chat.send(LOBBY, 'mine')
    for (let i = 0; i < 50; i++) chat.hear(LOBBY, 'bob', `burst ${i}`)
    await until(() => live.textContent !== '')
    assert.equal(live.textContent, '50 new messages')
    chat.hear(LOBBY, 'bob', 'single')
    await until(() => live.textContent === 'bob: single')
  })
})

describe('a conversation that is wiped', () => {
  const messages = (): number => log().querySelectorAll('.message').length
  const live = (): string => one('message-list [aria-live=polite]').textContent ?? ''

  for (const slow of [false, true])
    it(`is empty at once, also for those who listen${slow ? ', when its pages come later' : ''}`, async () => {
      const chat = manyMessages(30)
      chat.slow = slow
      await inTheChat(chat)
      await until(() => shown().includes('line 29'))
      chat.hear(LOBBY, 'bob', 'the last word')
      await until(() => live() === 'bob: the last word')
      await chat.wipeHistory(LOBBY)
      await drawn()
      assert.equal(messages(), 0)
      assert.equal(live(), '')
      chat.hear(LOBBY, 'bob', 'a new beginning')
      await until(() => shown().includes('a new beginning'))
      assert.equal(messages(), 1)
    })

  it('is not said to be one in which nothing was said, nor one that is still to begin', async () => {
    const { chat } = await inTheChat(manyMessages(30))
    await until(() => shown().includes('line 29'))
    await chat.wipeHistory(LOBBY)
    await until(() => log().innerText.includes('No messages on this device.'))
    assert.notMatch(log().innerText, /since you came|yet/)
    const bob = await chat.openPrivate('bob')
    chat.hear(bob, 'bob', 'between us')
    const entries = () => [...document.querySelectorAll<HTMLElement>('room-list .entry')]
    const entry = await until(() => entries().find((one) => one.innerText.includes('bob')))
    entry.click()
    await until(() => shown().join() === 'between us')
    await chat.wipeHistory(bob)
    await until(() => log().innerText === 'No messages on this device.')
  })

  it('is empty for somebody who reads further up, and nothing leads back down', async () => {
    const { chat } = await inTheChat(manyMessages(30))
    await until(() => shown().includes('line 29') && atEnd())
    await drawn()
    log().scrollTop = 0
    await until(() => document.querySelector('.jump'))
    await chat.wipeHistory(LOBBY)
    await drawn()
    assert.equal(messages(), 0)
    assert.isNull(document.querySelector('.jump'))
  })

  it('stays empty when a page comes that was asked for before', async () => {
    const chat = manyMessages(30)
    await inTheChat(chat)
    await until(() => shown().includes('line 29'))
    const late = Promise.withResolvers<readonly TimelineItem[]>()
    const old = await chat.timeline(LOBBY, 0, 30)
    const { timeline } = chat
    chat.timeline = () => late.promise
    chat.setRoom(LOBBY, {})
    await drawn()
    chat.timeline = timeline
    await chat.wipeHistory(LOBBY)
    chat.hear(LOBBY, 'bob', 'a new beginning')
    await drawn()
    late.resolve(old)
    await drawn()
    assert.deepEqual(shown(), ['a new beginning'])
  })

  it('shows what is still on its way out, and until that comes nothing', async () => {
    const { chat } = await inTheChat(manyMessages(30))
    await until(() => shown().includes('line 29'))
    const left = Promise.withResolvers<readonly TimelineItem[]>()
    chat.timeline = () => left.promise
    chat.setRoom(LOBBY, { length: 1, outgoing: 1 })
    await drawn()
    assert.deepEqual(shown(), [])
    left.resolve([chat.message({ from: 'alice', text: 'going out', state: 'waiting' })])
    await until(() => shown().join() === 'going out')
  })
})

describe('a message', () => {
  it('that was discarded is gone, for somebody who reads further up too', async () => {
    const chat = manyMessages(40)
    const items = await chat.timeline(LOBBY, 0, 40)
    chat.put(LOBBY, chat.message({ from: 'alice', text: 'not sent', state: 'failed' }))
    chat.setRoom(LOBBY, { outgoing: 1 })
    await inTheChat(chat)
    await until(() => shown().includes('not sent') && atEnd())
    await drawn()
    log().scrollTop -= 60
    await until(() => document.querySelector('.jump'))
    chat.clear(LOBBY)
    chat.setRoom(LOBBY, { outgoing: 0 })
    chat.put(LOBBY, ...items)
    await drawn()
    assert.notInclude(log().innerText, 'not sent')
    assert.include(log().innerText, 'line 39')
  })

  it('says that it is being sent, that it was sent, and why it failed', async () => {
    const { chat } = await inTheChat()
    const id = await chat.send(LOBBY, 'hello')
    const state = () => document.querySelector('.message .state')?.textContent
    await until(() => state() === 'Sending…')
    chat.change(LOBBY, id, { state: 'sent' })
    await until(() => state() === 'Sent')
    chat.change(LOBBY, id, { state: 'failed', reason: 'The room is closed. Ask to be added.' })
    await until(() => state() === 'Not sent')
    assert.include(one('.failure').innerText, 'The room is closed. Ask to be added.')
    const [retry, discard] = one('.failure').querySelectorAll('button')
    retry?.click()
    discard?.click()
    assert.deepEqual(chat.asked.slice(1), [`retry ${id}`, `discard ${id}`])
  })

  it('can be taken back while nobody has been sent it', async () => {
    const { chat } = await inTheChat()
    const waits = chat.message({ from: 'alice', text: 'hm', state: 'waiting', unsent: true })
    chat.put(LOBBY, waits, chat.message({ from: 'alice', text: 'sealed', state: 'waiting' }))
    const buttons = () => document.querySelectorAll<HTMLElement>('.message button')
    await until(() => buttons().length === 1)
    assert.equal(buttons()[0]?.innerText, 'Discard')
    buttons()[0]?.click()
    assert.deepEqual(chat.asked, [`discard ${waits.id}`])
    await until(() => document.activeElement === one('message-form textarea'))
  })

  it('stands under a day, and under its sender’s name unless the last one was theirs too', async () => {
    const { chat } = await inTheChat()
    const day = 86_400_000
    chat.put(
      LOBBY,
      chat.message({ from: 'bob', text: 'a', at: Date.now() - day }),
      chat.message({ from: 'bob', text: 'b', at: Date.now() }),
      chat.message({ from: 'bob', text: 'c', at: Date.now() }),
      chat.message({ from: 'carol', text: 'd', at: Date.now() }),
    )
    await drawn()
    const days = [...log().querySelectorAll('.day')].map((found) => found.textContent)
    const names = [...log().querySelectorAll('.from')].map((found) => found.textContent)
    assert.deepEqual(days, ['Yesterday', 'Today'])
    assert.deepEqual(names, ['bob', 'bob', 'carol'])
  })
})
