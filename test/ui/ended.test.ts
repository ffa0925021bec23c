import { sendKeys, setViewport } from '@web/test-runner-commands'
import { SottoError } from '../../web/protocol/errors.ts'
import type { CopyButton } from '../../web/ui/copy_button.ts'
import { privateRoom } from '../support/scripted_chat.ts'
import { button, drawn, inTheChat, one, type, until } from '../support/scripted_page.ts'
import { assert, beforeEach, describe, it } from '../support/suite.ts'

const room = privateRoom('bob')

async function withBob() {
  const page = await inTheChat()
  await page.chat.openPrivate('bob')
  await drawn()
  one('room-list li:nth-child(2) button').click()
  await until(() => one('chat-header h2').textContent === 'bob')
  await drawn()
  return page
}

describe('a private conversation that is ended', () => {
  beforeEach(() => setViewport({ width: 1280, height: 800 }))

  it('is closed at once, and can be begun again', async () => {
    const { chat } = await withBob()
    button('End conversation').focus()
    await sendKeys({ press: 'Enter' })
    await drawn()
    button('End it').focus()
    await sendKeys({ press: 'Enter' })
    await until(() => document.querySelector('message-form textarea') === null)
    await drawn()
    assert.deepEqual(chat.asked, ['private bob', 'end conversation'])
    assert.throws(() => button('End it'))
    assert.throws(() => button('End conversation'))
    assert.include(one('.claim').innerText, 'Over: nobody can write here')
    assert.include(one('room-list [aria-current=true]').innerText, 'Over')
    assert.equal(document.activeElement, one('[role=log]'))
    button('Write to bob again').click()
    await until(() => document.querySelector('message-form textarea'))
    assert.equal(chat.asked.at(-1), 'private bob')
    assert.include(one('.claim').innerText, 'Only bob and you can read this')
    assert.isNotNull(button('End conversation'))
  })

  it('can be skipped to, and says what stays of it', async () => {
    const { chat } = await withBob()
    chat.over(room)
    await until(() => document.querySelector('ended-room button'))
    const skip = one<HTMLAnchorElement>('.skip')
    assert.isNotNull(document.querySelector(skip.hash))
    skip.focus()
    await sendKeys({ press: 'Enter' })
    assert.isTrue(document.activeElement === one('[role=log]'))
    one('.claim').click()
    await drawn()
    assert.include(
      one('#readers').innerText,
      'What was kept stays here, encrypted, until you wipe it.',
    )
    assert.throws(() => button('Stop keeping'))
    button('Wipe what is kept…')
  })

  it('has the keyboard in its messages when it is opened', async () => {
    const { chat } = await withBob()
    one('room-list li button').click()
    await drawn()
    chat.over(room)
    await drawn()
    one('room-list li:nth-child(2) button').focus()
    one('room-list li:nth-child(2) button').click()
    await until(() => document.querySelector('ended-room button'))
    await drawn()
    assert.isTrue(document.activeElement === one('[role=log]'))
  })

  it('by the other one keeps what is being typed, which presses no button, for the next one', async () => {
    const { chat } = await withBob()
    one('textarea').focus()
    await sendKeys({ type: 'half a sentence' })
    chat.over(room)
    await until(() => document.querySelector('message-form textarea') === null)
    await sendKeys({ press: 'Space' })
    await sendKeys({ press: 'Enter' })
    assert.deepEqual(chat.asked, ['private bob'])
    button('Write to bob again').click()
    await until(() => document.querySelector('message-form textarea'))
    await drawn()
    assert.equal(one<HTMLTextAreaElement>('textarea').value, 'half a sentence')
    assert.equal(chat.drafts.get(privateRoom('bob', 1)), 'half a sentence')
  })

  it('is removed after one question, by keyboard alone, which goes back to the list', async () => {
    for (const width of [1280, 390]) {
      await setViewport({ width, height: 844 })
      const { chat } = await withBob()
      chat.hear(room, 'bob', 'goodbye')
      chat.setDraft(room, 'half a sentence')
      chat.over(room)
      await until(() => document.querySelector('ended-room button'))
      button('Remove from the list').focus()
      await sendKeys({ press: 'Enter' })
      await drawn()
      assert.include(one('ended-room').innerText, 'Its messages are deleted from this device.')
      // The safe answer has the keyboard.
      assert.equal(document.activeElement, button('Keep'))
      await sendKeys({ press: 'Enter' })
      await drawn()
      assert.deepEqual(chat.asked, ['private bob'])
      assert.throws(() => button('Remove it'))
      button('Remove from the list').focus()
      await sendKeys({ press: 'Enter' })
      await drawn()
      await sendKeys({ down: 'Shift' })
      await sendKeys({ press: 'Tab' })
      await sendKeys({ up: 'Shift' })
      assert.equal(document.activeElement, button('Remove it'))
      await sendKeys({ press: 'Enter' })
      await until(() => document.querySelectorAll('room-list li').length === 1)
      await drawn()
      assert.deepEqual(chat.asked, ['private bob', 'remove conversation'])
      assert.equal(document.activeElement, one('room-list [aria-current=true]'))
      assert.include(one('room-list [aria-current=true]').innerText, 'Lobby')
      await chat.openPrivate('bob')
      await until(() => document.querySelectorAll('room-list li').length === 2)
      one('room-list li:nth-child(2) button').click()
      await until(() => document.querySelector('message-form textarea'))
      await drawn()
      assert.equal(one<HTMLTextAreaElement>('textarea').value, '')
    }
  })

  it('stays, and says why, when it can’t be removed', async () => {
    const { chat } = await withBob()
    chat.over(room)
    await until(() => document.querySelector('ended-room button'))
    button('Remove from the list').click()
    await drawn()
    chat.failure = new SottoError('unavailable', 'This device has no room left.')
    button('Remove it').click()
    await until(() => one('.trouble').textContent === 'This device has no room left.')
    assert.include(one('room-list [aria-current=true]').innerText, 'Over')
  })

  it('leads to the new one that the other has begun, with what was being typed', async () => {
    const { chat } = await withBob()
    await type(one<HTMLTextAreaElement>('textarea'), 'half a sentence')
    chat.over(room)
    await until(() => document.querySelector('ended-room button'))
    const next = await chat.openPrivate('bob')
    const people = chat.state.people.map((one) =>
      one.user === 'bob' ? { ...one, room: next } : one,
    )
    chat.set({ people })
    chat.hear(next, 'bob', 'me again')
    await drawn()
    // Nothing is torn away from whoever reads the old one.
    assert.include(one('.claim').innerText, 'Over')
    button('Open the new conversation with bob').click()
    await until(() => document.querySelector('message-form textarea'))
    await until(() => one('[role=log]').innerText.includes('me again'))
    assert.equal(one<HTMLTextAreaElement>('textarea').value, 'half a sentence')
    assert.equal(chat.draft(room), '')
    await type(one<HTMLTextAreaElement>('textarea'), '')
    // What has been said there once is not typed again.
    for (const entry of [...document.querySelectorAll<HTMLElement>('room-list button')])
      if (entry.innerText.includes('Over')) entry.click()
    await until(() => document.querySelector('ended-room'))
    button('Open the new conversation with bob').click()
    await until(() => document.querySelector('message-form textarea'))
    assert.equal(one<HTMLTextAreaElement>('textarea').value, '')
  })

  it('keeps what was typed as it was when there can be no new one now', async () => {
    const { chat } = await withBob()
    await type(one<HTMLTextAreaElement>('textarea'), 'half a sentence')
    chat.over(room)
    for (let i = 0; i < 2; i++) {
      await until(() => document.querySelector('ended-room button'))
      chat.failure = new SottoError('unavailable', 'You are not connected.')
      button('Write to bob again').click()
      await drawn()
      await until(() => one('.trouble').textContent === 'You are not connected.')
    }
    await until(() => document.querySelector('ended-room button'))
    button('Write to bob again').click()
    await until(() => document.querySelector('message-form textarea'))
    await until(() => one<HTMLTextAreaElement>('textarea').value === 'half a sentence')
  })

  it('lets what did not leave be discarded, not tried again', async () => {
    const { chat } = await withBob()
    await type(one<HTMLTextAreaElement>('textarea'), 'too late')
    button('Send').click()
    await until(() => document.querySelector('message-list article'))
    const [sent] = await chat.timeline(room, 0, 1)
    assert.equal(sent?.kind, 'text')
    if (sent?.kind !== 'text') return
    chat.over(room)
    const reason = 'This conversation is over.'
    chat.change(room, sent.id, { state: 'failed', reason, final: true })
    await until(() => document.querySelector('.failure'))
    assert.throws(() => button('Retry'))
    assert.equal(one<CopyButton>('.failure copy-button').text, 'too late')
    button('Copy')
    button('Discard').click()
    assert.equal(chat.asked.at(-1), `discard ${sent.id}`)
  })
})
