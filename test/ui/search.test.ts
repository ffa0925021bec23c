import type { RoomId } from '../../web/chat/model.ts'
import { LOBBY, NOON, privateRoom, ScriptedChat } from '../support/scripted_chat.ts'
import {
  button,
  drawn,
  inTheChat,
  nextDownload,
  one,
  type,
  until,
} from '../support/scripted_page.ts'
import { assert, describe, it } from '../support/suite.ts'

async function searching() {
  const chat = new ScriptedChat()
  const lines = Array.from({ length: 5000 }, (_, i) =>
    chat.message({ from: 'bob', text: i === 1234 ? 'the needle is here' : `hay ${i}`, at: NOON }),
  )
  chat.put(LOBBY, ...lines)
  const page = await inTheChat(chat)
  await chat.openPrivate('carol')
  chat.put(privateRoom('carol'), chat.message({ from: 'carol', text: '<b>needle</b> & thread' }))
  button('Search').click()
  await until(() => document.querySelector('search-panel dialog[open]'))
  return page
}

describe('the search', () => {
  it('finds words in all conversations, newest first, and marks them as text', async () => {
    await searching()
    await type(one<HTMLInputElement>('#words'), 'needle')
    await until(() => document.querySelectorAll('.hit').length === 2)
    const [first, second] = document.querySelectorAll('.hit')
    assert.include(first?.textContent ?? '', 'in carol')
    assert.equal(first?.querySelector('.snippet')?.textContent, '<b>needle</b> & thread')
    assert.equal(first?.querySelector('mark')?.textContent, 'needle')
    assert.include(second?.textContent ?? '', 'in Lobby')
    assert.include(one('[aria-label=Results]').textContent ?? '', '2 found')
  })

  it('goes to what was found, wherever it stands', async () => {
    await searching()
    await type(one<HTMLInputElement>('#words'), 'needle is')
    await until(() => document.querySelector('.hit'))
    one('.hit').click()
    const found = await until(() => document.querySelector<HTMLElement>('.message.found'))
    await drawn()
    const { top, bottom } = found.getBoundingClientRect()
    const log = one('[role=log]').getBoundingClientRect()
    assert.isTrue(top >= log.top && bottom <= log.bottom)
    assert.include(found.textContent ?? '', 'the needle is here')
    assert.isNull(document.querySelector('dialog.panel'))
  })

  it('says when nothing was found', async () => {
    await searching()
    await type(one<HTMLInputElement>('#words'), 'unicorn')
    await until(() => one('[aria-label=Results]').textContent === 'Nothing was found.')
  })
})

describe('finding somebody among many', () => {
  const many = Array.from({ length: 20 }, (_, i) => `person ${i}`)
  const said = (): string => one('people-list .find ~ [role=status]').textContent ?? ''

  it('says when there is nobody by that name, to those who listen too', async () => {
    await inTheChat(new ScriptedChat('alice', many))
    const status = one('people-list .find ~ [role=status]')
    assert.isTrue(status.checkVisibility())
    const find = one<HTMLInputElement>('people-list .find')
    await type(find, 'person 7')
    assert.equal(said(), '')
    await type(find, 'unicorn')
    assert.equal(said(), 'Nobody by that name.')
    assert.equal(one('people-list .find ~ [role=status]'), status)
    await type(find, '')
    assert.equal(said(), '')
  })

  it('ends with the box it was typed into: everyone who is left is shown', async () => {
    const { chat } = await inTheChat(new ScriptedChat('alice', many))
    await type(one<HTMLInputElement>('people-list .find'), 'person 7')
    const everyone = chat.state.people
    const entries = (): number => document.querySelectorAll('people-list li').length
    assert.equal(entries(), 1)
    chat.set({ people: everyone.slice(0, 5) })
    await drawn()
    assert.isNull(document.querySelector('people-list .find'))
    assert.equal(entries(), 5)
    chat.set({ people: everyone })
    await drawn()
    assert.equal(one<HTMLInputElement>('people-list .find').value, '')
    assert.equal(entries(), 21)
  })
})

describe('what a device keeps', () => {
  it('is said for each conversation, can be switched off, and wiped after a question', async () => {
    const { chat } = await inTheChat()
    one('.claim').click()
    await drawn()
    button('Stop keeping').click()
    await until(() => one('#readers').textContent?.includes('New messages are not kept'))
    assert.include(one('#readers').textContent, 'What was kept before stays until you wipe it.')
    button('Keep from now on').click()
    await drawn()
    button('Wipe what is kept…').click()
    await drawn()
    assert.notInclude(chat.asked.join(), 'wipe')
    button('Really wipe').click()
    await drawn()
    assert.deepEqual(chat.asked, ['history off', 'history on', `wipe ${LOBBY satisfies RoomId}`])
  })

  it('can be saved as text: each with its time and writer, and nobody writes a line in another’s name', async () => {
    const { chat } = await inTheChat()
    const at = Date.UTC(2026, 10, 28, 9, 5)
    chat.put(LOBBY, chat.message({ from: 'bob', text: 'good morning', at }))
    chat.put(
      LOBBY,
      chat.message({ from: 'bob', text: 'mine\n2026 carol: not hers\u2028nor this', at }),
    )
    chat.put(LOBBY, chat.message({ from: 'alice', text: 'still here', at, state: 'waiting' }))
    one('.claim').click()
    await drawn()
    const saved = nextDownload()
    button('Save as text').click()
    const { name, text } = await saved
    assert.equal(name, 'sotto-Lobby.txt')
    assert.deepEqual(text.split('\n').slice(-6), [
      '2026-11-28T09:05:00.000Z bob: good morning',
      '2026-11-28T09:05:00.000Z bob: mine',
      '    2026 carol: not hers',
      '    nor this',
      '2026-11-28T09:05:00.000Z alice: still here (not sent)',
      '',
    ])
  })

  it('says how far a long one has come while it is saved, which can be cancelled', async () => {
    const { chat } = await inTheChat()
    chat.put(
      LOBBY,
      ...Array.from({ length: 2_000 }, () => chat.message({ from: 'bob', text: 'x' })),
    )
    await drawn()
    const timeline = chat.timeline.bind(chat)
    let held = Promise.withResolvers<void>()
    chat.timeline = async (room, from, to) => {
      if (to - from > 1_000) await held.promise
      return timeline(room, from, to)
    }
    const now = performance.now.bind(performance)
    const status = () => one('.saving [role=status]').innerText
    const saved = nextDownload()
    try {
      one('.claim').click()
      await drawn()
      button('Save as text').click()
      await drawn()
      assert.equal(status(), '')
      // Two seconds later the first of two slices is read.
      performance.now = () => now() + 2_000
      held.resolve()
      held = Promise.withResolvers<void>()
      await until(() => status() === 'Saving… 51 %')
      button('Cancel').focus()
      button('Cancel').click()
      held.resolve()
      await until(() => status() === '')
      await drawn()
      assert.throws(() => button('Cancel'))
      assert.isTrue(document.activeElement === one('[role=log]'))
      chat.put(LOBBY, chat.message({ from: 'bob', text: 'said after that' }))
      button('Save as text').click()
      assert.include((await saved).text, 'said after that')
      assert.equal(status(), '')
    } finally {
      performance.now = now
    }
  })

  it('verifies a person whose digits were compared', async () => {
    const { chat } = await inTheChat()
    one('.claim').click()
    await drawn()
    button('I compared these digits with bob').click()
    await until(() => chat.asked.length > 0)
    assert.deepEqual(chat.asked, ['verify bob'])
  })
})
