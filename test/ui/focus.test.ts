import { sendKeys, setViewport } from '@web/test-runner-commands'
import { SottoError } from '../../web/protocol/errors.ts'
import type { IdentityPanel } from '../../web/ui/identity_panel.ts'
import { LOBBY, NOON, type ScriptedChat } from '../support/scripted_chat.ts'
import { button, drawn, inTheChat, one, type, until } from '../support/scripted_page.ts'
import { assert, beforeEach, describe, it } from '../support/suite.ts'

/** What has the keyboard, in words: a failure that shows the element itself shows the whole page. */
function focus(): string {
  const at = document.activeElement
  return at?.getAttribute('aria-label') ?? at?.textContent?.replace(/\s+/g, ' ').trim() ?? ''
}

/** Presses a button by the keyboard. */
async function press(name: string): Promise<void> {
  button(name).focus()
  await sendKeys({ press: 'Enter' })
  await drawn()
}

async function openIdentity(chat?: ScriptedChat) {
  const page = await inTheChat(chat)
  await press('Identity')
  await until(() => one('identity-panel').innerText.includes('You are using it now'))
  return page
}

describe('the keyboard, when the control that it was on is gone', () => {
  beforeEach(() => setViewport({ width: 1280, height: 800 }))

  it('is on the safe answer to a question, and after it where the question was', async () => {
    await openIdentity()
    await press('Delete…')
    assert.equal(focus(), 'Keep')
    await press('Keep')
    assert.equal(focus(), 'Delete…')
    await press('Remove Device abab abab')
    assert.equal(focus(), 'Keep')
    await press('Keep')
    assert.equal(focus(), 'Remove Device abab abab')
    await press('Close')
    const { chat } = await inTheChat()
    await chat.openPrivate('bob')
    await drawn()
    one('room-list li:nth-child(2) button').click()
    await until(() => one('chat-header h2').textContent === 'bob')
    await press('End conversation')
    assert.equal(focus(), 'Keep')
    await press('Keep')
    assert.equal(focus(), 'End conversation')
  })

  it('is beside the app lock’s form once that is closed, given up or done', async () => {
    const { door } = await openIdentity()
    await press('Set app lock…')
    await press('Cancel')
    assert.equal(focus(), 'Set app lock…')
    await press('Set app lock…')
    await type(one<HTMLInputElement>('#lock-next'), 'several words')
    await type(one<HTMLInputElement>('#lock-again'), 'several words')
    await press('Set app lock')
    await until(() => door.passphrase !== undefined && focus() === 'Lock now')
  })

  it('comes back to a button that was busy', async () => {
    await openIdentity()
    const panel = one<IdentityPanel>('identity-panel')
    const done = Promise.withResolvers<string>()
    panel.keeper = { exportPem: () => done.promise } as unknown as IdentityPanel['keeper']
    await type(one<HTMLInputElement>('#passphrase'), 'correct horse')
    await press('Export')
    await until(() => document.activeElement === document.body)
    done.reject(new SottoError('unavailable', 'The disk is full.'))
    await until(() => focus() === 'Export')
  })

  it('is in the messages after a jump to the newest, and after the last notice is dismissed', async () => {
    const { chat } = await inTheChat()
    for (let i = 0; i < 60; i++) chat.hear(LOBBY, 'bob', `line ${i}`)
    await drawn()
    const log = one('[role=log]')
    log.scrollTop = 0
    const jump = await until(() => document.querySelector<HTMLElement>('.jump'))
    jump.focus()
    await sendKeys({ press: 'Enter' })
    await until(() => document.querySelector('.jump') === null)
    assert.equal(focus(), 'Messages')
    chat.notify({ title: 'One' })
    chat.notify({ title: 'Two' })
    await until(() => document.querySelectorAll('notice-list .notice').length === 2)
    const [first] = document.querySelectorAll<HTMLElement>('notice-list .notice button')
    first?.focus()
    await sendKeys({ press: 'Enter' })
    await until(() => document.querySelectorAll('notice-list .notice').length === 1)
    assert.isNotNull(document.activeElement?.closest('notice-list'))
    await sendKeys({ press: 'Enter' })
    await until(() => document.querySelector('notice-list .notice') === null)
    assert.equal(focus(), 'Messages')
  })

  it('is on the message that a search has found', async () => {
    const { chat } = await inTheChat()
    for (let i = 0; i < 300; i++)
      chat.put(LOBBY, chat.message({ from: 'bob', text: `line ${i}.`, at: NOON }))
    await press('Search')
    await type(one<HTMLInputElement>('#words'), 'line 7.')
    const hit = await until(() => document.querySelector<HTMLElement>('.hit'))
    hit.focus()
    await sendKeys({ press: 'Enter' })
    await until(() => document.activeElement?.matches('article.found'))
    assert.include(document.activeElement?.textContent ?? '', 'line 7.')
  })

  it('is left alone where nothing had it', async () => {
    const { chat } = await inTheChat()
    await until(() => document.activeElement === one('#message'))
    ;(document.activeElement as HTMLElement).blur()
    chat.hear(LOBBY, 'bob', 'hello')
    chat.setRoom(LOBBY, { phase: 'alarm', text: 'Something is wrong.' })
    await drawn()
    assert.isTrue(document.activeElement === document.body)
  })
})
