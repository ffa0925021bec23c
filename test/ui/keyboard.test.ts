import { sendKeys, setViewport } from '@web/test-runner-commands'
import { SottoError } from '../../web/protocol/errors.ts'
import { LOBBY, privateRoom, ScriptedDoor } from '../support/scripted_chat.ts'
import { atTheDoor, button, drawn, inTheChat, one, type, until } from '../support/scripted_page.ts'
import { assert, beforeEach, describe, it } from '../support/suite.ts'

const box = (): HTMLTextAreaElement => one<HTMLTextAreaElement>('#message')

async function press(...keys: string[]): Promise<void> {
  for (const key of keys) await sendKeys({ press: key })
  await drawn()
}

describe('the keyboard alone', () => {
  beforeEach(() => setViewport({ width: 1280, height: 800 }))

  it('comes in: a name, Enter', async () => {
    const { door } = await atTheDoor(new ScriptedDoor())
    await sendKeys({ type: 'alice' })
    await press('Enter')
    await until(() => document.querySelector('chat-screen'))
    assert.deepEqual(door.asked, ['start alice'])
  })

  it('is in the message box as soon as there is a conversation, wherever one was not before', async () => {
    const { chat } = await inTheChat()
    await until(() => document.activeElement === box())
    const { rooms } = chat.state
    for (const elsewhere of [false, true]) {
      box().blur()
      chat.set({ rooms: [] })
      await until(() => document.querySelector('.nothing'))
      if (elsewhere) button('Search').focus()
      chat.set({ rooms })
      await until(() => document.querySelector('#message'))
      await drawn()
      assert.equal(document.activeElement, elsewhere ? button('Search') : box())
    }
  })

  it('sends with Enter, breaks the line with Shift+Enter, and stays in the box', async () => {
    const { chat } = await inTheChat()
    box().focus()
    await sendKeys({ type: 'one' })
    await sendKeys({ down: 'Shift' })
    await press('Enter')
    await sendKeys({ up: 'Shift' })
    await sendKeys({ type: 'two' })
    assert.deepEqual(chat.asked, [])
    await press('Enter')
    assert.deepEqual(chat.asked, ['send one\ntwo'])
    assert.equal(box().value, '')
    assert.equal(document.activeElement, box())
    await press('Enter')
    assert.lengthOf(chat.asked, 1)
  })

  it('leaves Enter to the input method while a character is being composed', async () => {
    const { chat } = await inTheChat()
    await type(box(), 'にほ')
    box().dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true }),
    )
    assert.deepEqual(chat.asked, [])
  })

  it('skips to the box, first of all', async () => {
    await inTheChat()
    ;(document.activeElement as HTMLElement | null)?.blur()
    one('.skip').focus()
    await press('Enter')
    assert.equal(document.activeElement, box())
  })

  it('moves through people with arrows, and opens a private conversation', async () => {
    const { chat } = await inTheChat()
    one('people-list [data-stop]').focus()
    await press('ArrowDown')
    assert.include(document.activeElement?.textContent ?? '', 'carol')
    await press('Home', 'End', 'ArrowDown', 'Enter')
    assert.deepEqual(chat.asked, ['private carol'])
    await until(() => one('chat-header h2').textContent === 'carol')
    await until(() => document.activeElement === box())
  })

  it('closes a panel with Escape, and the focus is back where it was', async () => {
    await inTheChat()
    for (const name of ['Identity', 'Handshake']) {
      button(name).focus()
      await press('Enter')
      await until(() => document.querySelector('dialog.panel[open]'))
      await press('Escape')
      await until(() => document.querySelector('dialog.panel') === null)
      assert.equal(document.activeElement, button(name))
    }
  })

  it('closes the list of readers with Escape', async () => {
    await inTheChat()
    one('.claim').focus()
    await press('Enter')
    assert.isFalse(one('#readers').hidden)
    await press('Escape')
    assert.isTrue(one('#readers').hidden)
    assert.equal(document.activeElement, one('.claim'))
  })

  it('is done with the list of readers when it goes on elsewhere', async () => {
    await inTheChat()
    one('.claim').click()
    await drawn()
    button('Wipe what is kept…').focus()
    await press('Enter')
    assert.equal(document.activeElement, button('Really wipe'), 'the keyboard stays in the list')
    assert.isFalse(one('#readers').hidden)
    box().focus()
    await sendKeys({ type: 'h' })
    await drawn()
    assert.isTrue(one('#readers').hidden)
  })

  it('is in the box of the search when that opens', async () => {
    await inTheChat()
    button('Search').focus()
    await press('Enter')
    await until(() => document.querySelector('search-panel dialog[open]'))
    assert.equal(document.activeElement, one('#words'))
  })
})

describe('the message box', () => {
  it('keeps what is typed for each conversation', async () => {
    const { chat } = await inTheChat()
    await chat.openPrivate('bob')
    await type(box(), 'for the lobby')
    await drawn()
    one('room-list li:nth-child(2) button').click()
    await until(() => box().value === '')
    await type(box(), 'for bob')
    one('room-list li:nth-child(1) button').click()
    await until(() => box().value === 'for the lobby')
  })

  it('gives back what could not be put into the outbox, and says why', async () => {
    const { chat } = await inTheChat()
    chat.failure = new SottoError('unavailable', 'The browser’s store is full.')
    await type(box(), 'precious')
    button('Send').click()
    await until(() => one('.trouble').textContent === 'The browser’s store is full.')
    assert.equal(box().value, 'precious')
  })

  it('keeps what is too long as it is, says so, and sends it once it fits', async () => {
    const { chat } = await inTheChat()
    const most = 'x'.repeat(16_384)
    await type(box(), `${most}, and more`)
    await until(() => one('message-form [role=alert]').textContent?.startsWith('Too long'))
    assert.equal(one('#left').textContent, '10 characters too many')
    assert.isTrue(button('Send').disabled)
    assert.equal(box().getAttribute('aria-invalid'), 'true')
    box().dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', cancelable: true }))
    await drawn()
    assert.equal(box().value, `${most}, and more`)
    assert.deepEqual(chat.asked, [])
    await type(box(), `${most} \n`)
    await until(() => one('#left').textContent === '0 characters left')
    assert.equal(one('message-form [role=alert]').textContent, '')
    button('Send').click()
    await until(() => chat.asked.length > 0)
    assert.deepEqual(chat.asked, [`send ${most}`])
  })

  it('sends /pm to a person in private, and shows that conversation', async () => {
    const { chat } = await inTheChat()
    await type(box(), '/pm bob only you')
    button('Send').click()
    await until(() => one('chat-header h2').textContent === 'bob')
    assert.deepEqual(chat.asked, ['private bob', 'send only you'])
    assert.lengthOf(await chat.timeline(LOBBY, 0, 9), 0)
    assert.lengthOf(await chat.timeline(privateRoom('bob'), 0, 9), 1)
  })

  it('gives /pm back when there is nobody of that name', async () => {
    const { chat } = await inTheChat()
    chat.failure = new SottoError('unavailable', 'There is nobody called zed.')
    await type(box(), '/pm zed hello')
    button('Send').click()
    await until(() => one('.trouble').textContent === 'There is nobody called zed.')
    assert.equal(box().value, '/pm zed hello')
  })

  it('belongs to the person who was clicked at once, before the conversation is there', async () => {
    const { chat } = await inTheChat()
    const { promise, resolve } = Promise.withResolvers<void>()
    const open = chat.openPrivate.bind(chat)
    chat.openPrivate = (user) => promise.then(() => open(user))
    one('people-list [data-stop]').click()
    await drawn()
    assert.equal(one('chat-header h2').textContent, 'bob')
    await type(box(), 'only you')
    button('Send').click()
    await type(box(), 'half a sen')
    assert.deepEqual(chat.asked, [])
    resolve()
    await until(() => chat.asked.length === 2)
    await drawn()
    assert.deepEqual(chat.asked, ['private bob', 'send only you'])
    assert.lengthOf(await chat.timeline(LOBBY, 0, 9), 0)
    assert.equal(box().value, 'half a sen')
    assert.equal(one('chat-header h2').textContent, 'bob')
  })

  it('explains itself after /help, and does not send what only looks like a command', async () => {
    const { chat } = await inTheChat()
    await type(box(), '/help')
    button('Send').click()
    await until(() => document.querySelector('.hint')?.textContent?.includes('/pm name text'))
    await type(box(), '/pn bob secret')
    button('Send').click()
    await until(() => document.querySelector('.hint')?.textContent?.includes('no command /pn'))
    assert.equal(box().value, '/pn bob secret')
    assert.deepEqual(chat.asked, [])
  })
})

describe('a phone', () => {
  it('shows the conversation or the list, and goes back and forth', async () => {
    await setViewport({ width: 390, height: 844 })
    await inTheChat()
    const seen = (selector: string): boolean => one(selector).offsetParent !== null
    assert.isTrue(seen('message-form'))
    assert.isFalse(seen('people-list'))
    button('Back to the list').click()
    await until(() => seen('people-list') && !seen('message-form'))
    one('room-list button').click()
    await until(() => seen('message-form') && !seen('people-list'))
    await until(() => history.state?.depth === 1)
    assert.isAtMost(document.documentElement.scrollWidth, 390)
    await setViewport({ width: 1280, height: 800 })
  })

  it('goes back from a panel, then from the conversation, by the browser’s own Back', async () => {
    await setViewport({ width: 390, height: 844 })
    const seen = (selector: string): boolean => one(selector).offsetParent !== null
    const address = location.href
    const outside = history.length
    await inTheChat()
    await until(() => history.state?.depth === 1)
    button('Identity').focus()
    await press('Enter')
    await until(() => document.querySelector('dialog.panel[open]'))
    assert.deepEqual(history.state, { depth: 2 })
    assert.equal(location.href, address)
    history.back()
    await until(() => document.querySelector('dialog.panel') === null)
    assert.equal(document.activeElement, button('Identity'))
    assert.isTrue(seen('message-form'))
    history.back()
    await until(() => seen('people-list'))
    assert.isNull(history.state)
    history.forward()
    await until(() => seen('message-form'))
    assert.isAtMost(history.length, outside + 2)
    await setViewport({ width: 1280, height: 800 })
  })

  it('keeps the browser’s Back in step with its own buttons', async () => {
    await setViewport({ width: 390, height: 844 })
    await inTheChat()
    await until(() => history.state?.depth === 1)
    button('Handshake').click()
    await until(() => history.state?.depth === 2)
    await press('Escape')
    await until(() => history.state?.depth === 1)
    button('Back to the list').click()
    await until(() => history.state === null)
    button('Search').click()
    await until(() => history.state?.depth === 1)
    button('Close').click()
    await until(() => history.state === null)
    one('room-list button').click()
    await until(() => history.state?.depth === 1)
    // Faster than the browser can follow.
    button('Back to the list').click()
    one('room-list button').click()
    button('Identity').click()
    await until(() => history.state?.depth === 2)
    button('Close').click()
    await until(() => history.state?.depth === 1)
    await setViewport({ width: 1280, height: 800 })
  })

  it('has targets of 44 pixels', async () => {
    await setViewport({ width: 390, height: 844 })
    await inTheChat()
    for (const name of ['Identity', 'Handshake', 'Leave', 'Send', 'Back to the list']) {
      const { width, height } = button(name).getBoundingClientRect()
      assert.isAtLeast(Math.min(width, height), 44, name)
    }
    await setViewport({ width: 1280, height: 800 })
  })
})
