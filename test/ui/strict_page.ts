/** What the strict frame runs: the whole page over a scripted chat, within its window's reach. */
import { digits, HANDSHAKE_STEPS, LOBBY, ScriptedChat } from '../support/scripted_chat.ts'
import { inTheChat, type ScriptedPage } from '../support/scripted_page.ts'

export interface StrictPage extends ScriptedPage {
  readonly LOBBY: typeof LOBBY
  readonly HANDSHAKE_STEPS: typeof HANDSHAKE_STEPS
  readonly digits: typeof digits
}

const page = await inTheChat(new ScriptedChat())
Object.assign(globalThis, {
  page: { ...page, LOBBY, HANDSHAKE_STEPS, digits } satisfies StrictPage,
})
parent.postMessage('ready')
