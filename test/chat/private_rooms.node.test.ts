import { messages, type Peer, Stand, shown } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

describe('a private conversation', () => {
  let stand: Stand

  before(async () => {
    stand = await Stand.start()
  })
  after(() => stand.close())

  it('that both open in the same moment is one, and both can write in it at once', async () => {
    for (let i = 0; i < 6; i++) {
      const [a, b] = (await stand.join(`ann${i}`, `ben${i}`)) as [Peer, Peer]
      const [room, same] = await Promise.all([
        a.chat.openPrivate(b.name),
        b.chat.openPrivate(a.name),
      ])
      assert.equal(same, room)
      await Promise.all([a.chat.send(room, 'from ann'), b.chat.send(room, 'from ben')])
      assert.deepEqual(await shown(a.chat, room, 2), await shown(b.chat, room, 2))
      // Nobody was put out and taken in again on the way.
      for (const { chat } of [a, b]) {
        const length = chat.state.rooms.find((one) => one.room === room)?.length ?? 0
        const items = await chat.timeline(room, 0, length)
        assert.isEmpty(items.filter(({ kind }) => kind === 'system'))
      }
    }
  })

  it('is entered again by a device that lost its keys of it', async () => {
    const [a, b] = (await stand.join('cora', 'dan')) as [Peer, Peer]
    const room = await a.chat.openPrivate('dan')
    await a.chat.send(room, 'before')
    await shown(b.chat, room, 1)
    await b.chat.disconnect()
    const keys = await b.profile.storage.keys(`group/${room}`)
    await b.profile.storage.write(new Map(keys.map((key) => [key, undefined])))
    stand.crash(b)
    b.chat.connect()
    await until(b.chat, ({ rooms }) => rooms.find((one) => one.room === room)?.phase === 'ready')
    await a.chat.send(room, 'after')
    await until(b.chat, async () => (await messages(b.chat, room)).at(-1)?.text === 'after')
    await b.chat.send(room, 'I am back')
    await until(a.chat, async () => (await messages(a.chat, room)).at(-1)?.text === 'I am back')
  })
})
