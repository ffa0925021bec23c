import { sendKeys, setViewport } from '@web/test-runner-commands'
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

  it('lets what did not leave be discarded, not tried again', async () => {
    const { chat } = await withBob()
    await type(one<HTMLTextAreaElement>('textarea'), 'too late')
    button('Send').click()
    await until(() => document.querySelector('message-list article'))
    const [sent] = await chat.timeline(room, 0, 1)
    assert.equal(sent?.kind, 'text')
    if (sent?.kind !== 'text') return
    chat.over(room)
    chat.change(room, sent.id, { state: 'failed', reason: 'This conversation is over.' })
    await until(() => document.querySelector('.failure'))
    assert.throws(() => button('Retry'))
    button('Discard').click()
    assert.equal(chat.asked.at(-1), `discard ${sent.id}`)
  })
})
