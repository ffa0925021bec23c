import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { TimelineItem } from '../../web/chat/model.ts'
import { answering } from '../support/answering.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown, texts } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

describe('an endpoint that was put back to an older copy of its data', () => {
  let stand: Stand
  let alice: Peer
  let bob: Peer
  /** What is sent is taken and not answered; who waits for the next one. */
  let silent: (() => void) | undefined

  before(async () => {
    const mute = answering(async ({ request, serve }) => {
      if (silent === undefined || request.op !== 'send') return serve()
      silent()
      return new Promise(() => {})
    })
    stand = await Stand.start({}, mute)
    ;[alice, bob] = (await stand.join('alice', 'bob')) as [Peer, Peer]
  })
  after(() => stand.close())

  it('gets nothing before the person goes on, and then nothing that may have been sent already', async () => {
    const lobby = lobbyOf(alice.chat)
    const data = join(stand.directory, 'endpoint')
    const copy = join(stand.directory, 'copy')
    const own = async (text: string): Promise<TimelineItem & { kind: 'text' }> => {
      const items = await alice.chat.timeline(lobby, 0, 100)
      return items
        .filter((item) => item.kind === 'text')
        .find((item) => item.text === text) as never
    }
    await stand.restart(() => cpSync(data, copy, { recursive: true }))
    await Promise.all([inLobby(alice.chat), inLobby(bob.chat)])
    await bob.chat.send(lobby, 'lost with the data')
    await shown(alice.chat, lobby, 1)
    const taken = new Promise<void>((resolve) => {
      silent = resolve
    })
    await alice.chat.send(lobby, 'did this arrive?')
    await taken
    silent = undefined
    await Promise.all([alice.chat.disconnect(), bob.chat.disconnect()])
    await stand.restart(() => {
      rmSync(data, { recursive: true })
      cpSync(copy, data, { recursive: true })
    })

    alice.chat.connect()
    const { notices } = await until(
      alice.chat,
      (state) => state.rooms[0]?.phase === 'alarm' && state.notices.length > 0,
    )
    assert.match(notices[0]?.seen ?? '', /back in time/)
    await alice.chat.send(lobby, 'typed meanwhile')
    // It left once: it can't be taken back any more.
    const left = await own('did this arrive?')
    assert.deepInclude(left, { state: 'waiting', unsent: false })
    await alice.chat.discard(lobby, left.id)
    await alice.chat.decide(notices[0]?.id ?? '', 'go_on')
    await until(alice.chat, async () => (await own('typed meanwhile')).state === 'sent')
    const waiting = await own('did this arrive?')
    assert.equal(waiting.state, 'failed')
    assert.match(waiting.reason, /may have been sent already/)

    // Somebody who comes now sees what the endpoint was sent since.
    const [carol] = (await stand.join('carol')) as [Peer]
    await alice.chat.retry(lobby, waiting.id)
    assert.deepEqual(await shown(carol.chat, lobby, 1), ['alice: did this arrive?'])
    await until(alice.chat, ({ rooms }) => rooms[0]?.outgoing === 0)
    assert.include(await texts(alice.chat, lobby), 'alice: typed meanwhile')
  })
})
