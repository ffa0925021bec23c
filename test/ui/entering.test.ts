import { LOBBY, ScriptedChat } from '../support/scripted_chat.ts'
import { drawn, inTheChat, until } from '../support/scripted_page.ts'
import { assert, describe, it } from '../support/suite.ts'

describe('who comes in for the first time', () => {
  it('can write once what others write can be read here, and the keyboard is there then', async () => {
    const { chat } = await inTheChat()
    chat.set({ connection: { phase: 'entering' } })
    chat.setRoom(LOBBY, { phase: 'joining', text: 'Setting up encryption.' })
    await drawn()
    assert.isNull(document.querySelector('textarea'))
    chat.setRoom(LOBBY, { phase: 'ready', text: '' })
    chat.set({ connection: { phase: 'online', resumed: false, since: 0 } })
    await until(() => document.activeElement?.id === 'message')
  })

  it('can write for later as soon as there is no connection', async () => {
    const chat = new ScriptedChat()
    chat.setRoom(LOBBY, { phase: 'joining', text: 'Setting up encryption.' })
    chat.set({ connection: { phase: 'offline', text: 'The server is away.', retryAt: undefined } })
    await inTheChat(chat)
    await until(() => document.querySelector('textarea'))
  })
})
