import type { MessageView } from '../../web/chat/model.ts'
import type { OutboxEntry } from '../../web/chat/outbox.ts'
import type { Dial } from '../../web/chat/transport.ts'
import { hex } from '../../web/protocol/bytes.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown } from '../support/peers.ts'
import { after, assert, before, describe, fails, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

/** As many messages as may be on their way at once. */
const WINDOW = 16

describe('a device that another one of its person has removed', () => {
  let stand: Stand
  let removed: Peer
  /** Nothing that the device sends arrives any more. */
  let mute = false

  const waiting = async (): Promise<readonly MessageView[]> => {
    const [lobby] = removed.chat.state.rooms
    const { length = 0, outgoing = 0 } = lobby ?? {}
    const items = await removed.chat.timeline(lobbyOf(removed.chat), length - outgoing, length)
    return items.filter((item) => item.kind === 'text')
  }

  const sealed = async (): Promise<boolean> => {
    const { storage, vault } = removed.profile
    const [key = ''] = await storage.keys('outbox/')
    const entry = (await vault.open(key, await storage.read(key))) as OutboxEntry
    return entry.sealed !== null
  }

  before(async () => {
    stand = await Stand.start()
    const [alice] = (await stand.join('alice')) as [Peer]
    const dial: Dial = async (signal) => {
      const transport = await stand.dial(signal)
      const send = transport.send.bind(transport)
      transport.send = (frame) => {
        if (!mute) send(frame)
      }
      return transport
    }
    removed = await stand.peer('alice', { identity: alice.identity, dial })
    removed.chat.connect()
    await inLobby(removed.chat)
    await removed.chat.send(lobbyOf(removed.chat), 'in time')
    await shown(removed.chat, lobbyOf(removed.chat), 1)
    mute = true
    for (let i = 0; i <= WINDOW; i++) await removed.chat.send(lobbyOf(removed.chat), `late ${i}`)
    await until(removed.chat, sealed, 'the first ones are sealed')
    await alice.chat.removeDevice(hex(removed.profile.device))
    const isOver = ({ connection }: Peer['chat']['state']) =>
      connection.phase === 'stopped' && connection.final === true
    await until(removed.chat, isOver, 'it knows')
  })
  after(() => stand.close())

  it('says of what waited that it was not sent, or may not have been, and offers no other try', async () => {
    const items = await waiting()
    assert.equal(removed.chat.state.rooms[0]?.failed, WINDOW + 1)
    for (const item of items) assert.deepInclude(item, { state: 'failed', final: true })
    const [first, last] = [items.at(0), items.at(-1)]
    assert.equal(first?.reason, 'This device was removed: it may not have arrived.')
    assert.equal(last?.reason, 'This device was removed: it was not sent.')
  })

  it('lets all of that be discarded', async () => {
    for (const { id } of (await waiting()).slice(1, -1))
      await removed.chat.discard(lobbyOf(removed.chat), id)
    assert.deepEqual(
      (await waiting()).map(({ text }) => text),
      ['late 0', `late ${WINDOW}`],
    )
  })

  it('takes no message that could never leave, and keeps none as one to be sent', async () => {
    const room = lobbyOf(removed.chat)
    await fails('refused', () => removed.chat.send(room, 'into the void'))
    assert.equal(removed.chat.state.rooms[0]?.outgoing, 2)
  })

  it('nor does it after a reload, after which it says the same', async () => {
    stand.crash(removed)
    await removed.chat.ready
    await fails('refused', () => removed.chat.send(lobbyOf(removed.chat), 'into the void'))
    assert.deepEqual(
      (await waiting()).map(({ state }) => state),
      ['failed', 'failed'],
    )
  })
})

describe('a device that was removed while it was away', () => {
  it('says of what waits that it is not accepted, for as long as it tries on', async () => {
    const stand = await Stand.start()
    try {
      const [alice] = (await stand.join('alice')) as [Peer]
      const away = await stand.peer('alice', { identity: alice.identity })
      away.chat.connect()
      await inLobby(away.chat)
      await away.chat.disconnect()
      const room = lobbyOf(away.chat)
      await away.chat.send(room, 'into the void')
      const reason = async () => {
        const item = (await away.chat.timeline(room, 0, 9)).at(-1)
        return item?.kind === 'text' && item.state === 'waiting' ? item.reason : ''
      }
      await until(away.chat, async () => (await reason()) === 'Waiting for the connection')
      await alice.chat.removeDevice(hex(away.profile.device))
      away.chat.connect()
      const refused = ({ connection }: Peer['chat']['state']) =>
        connection.phase === 'offline' && connection.refused === true
      await until(away.chat, refused)
      assert.equal(await reason(), 'Not sent: the server does not accept you')
      away.chat.wake()
      await until(away.chat, ({ connection }) => connection.phase === 'handshake')
      assert.equal(await reason(), 'Not sent: the server does not accept you')
    } finally {
      await stand.close()
    }
  })
})
