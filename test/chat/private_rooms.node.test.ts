import { SottoError } from '../../web/protocol/errors.ts'
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

  it('that is ended while a new device is told of it is over there as well', async () => {
    const [a] = (await stand.join('ida', 'jon')) as [Peer, Peer]
    const room = await a.chat.openPrivate('jon')
    await a.chat.send(room, 'hello')
    await shown(a.chat, room, 1)
    const { identity } = a
    const second = await stand.peer('ida', { identity })
    const { storage } = second.profile
    const readMany = storage.readMany.bind(storage)
    const over = async () => {
      await a.chat.leave(room)
      // What it is told of that comes before the answer to anything that it asks now.
      await second.chat.devices()
    }
    // By then the device has the endpoint's list, and has opened none of its rooms yet.
    let ended: Promise<void> | undefined
    storage.readMany = async (keys) => {
      if (keys.includes(`room/${room}`)) {
        ended ??= over()
        await ended
      }
      return readMany(keys)
    }
    second.chat.connect()
    await until(second.chat, ({ connection }) => connection.phase === 'online')
    await until(
      second.chat,
      ({ rooms }) => rooms.find((one) => one.room === room)?.phase === 'gone',
    )
  })

  it('that one of them ends is over for both, told to both, after all that was said', async () => {
    const [a, b] = (await stand.join('fay', 'gus')) as [Peer, Peer]
    const room = await a.chat.openPrivate('gus')
    await a.chat.send(room, 'goodbye')
    await shown(b.chat, room, 1)
    await b.chat.send(room, 'wait')
    await shown(a.chat, room, 2)
    const view = ({ chat }: Peer) => chat.state.rooms.find((one) => one.room === room)
    const items = async (peer: Peer) =>
      (await peer.chat.timeline(room, 0, view(peer)?.length ?? 0)).map(({ text }) => text)
    await a.chat.leave(room)
    assert.equal(view(a)?.phase, 'gone')
    await until(b.chat, () => view(b)?.phase === 'gone')
    // The group goes on without fay, who is told of that and of nothing else.
    await until(b.chat, () => view(b)?.readers.length === 1)
    await until(a.chat, async () => (await items(a)).length === 3)
    await until(b.chat, async () => (await items(b)).length === 3)
    assert.deepEqual(await items(a), ['goodbye', 'wait', 'You ended this conversation.'])
    assert.deepEqual(await items(b), ['goodbye', 'wait', 'fay has ended this conversation.'])
    for (const peer of [a, b]) {
      assert.equal(view(peer)?.phase, 'gone')
      const refused = await peer.chat.send(room, 'too late').catch((error: Error) => error.message)
      assert.equal(refused, 'This conversation is over.')
    }
    // Over a restart too, with and without a connection, and said once.
    for (const peer of [a, b]) {
      await peer.chat.disconnect()
      stand.crash(peer)
      await peer.chat.ready
      assert.equal(view(peer)?.phase, 'gone')
      peer.chat.connect()
      await until(peer.chat, ({ connection }) => connection.phase === 'online')
      await peer.chat.disconnect()
      assert.lengthOf(await items(peer), 3)
      peer.chat.connect()
    }
    // Either begins another one.
    await until(b.chat, ({ connection }) => connection.phase === 'online')
    const next = await b.chat.openPrivate('fay')
    assert.notEqual(next, room)
    await b.chat.send(next, 'hello again')
    assert.deepEqual(await shown(a.chat, next, 1), ['gus: hello again'])
  })

  it('that is over says what becomes of a message that was still on its way', async () => {
    const [a, b] = (await stand.join('hal', 'ina')) as [Peer, Peer]
    const room = await a.chat.openPrivate('ina')
    await a.chat.send(room, 'one')
    await shown(b.chat, room, 1)
    await b.chat.disconnect()
    const id = await b.chat.send(room, 'two')
    await a.chat.leave(room)
    b.chat.connect()
    const view = () => b.chat.state.rooms.find((one) => one.room === room)
    await until(b.chat, () => view()?.phase === 'gone' && view()?.length === 3)
    const [last] = await b.chat.timeline(room, 2, 3)
    assert.deepInclude(last, {
      text: 'two',
      state: 'failed',
      reason: 'This conversation is over: it was not sent.',
      final: true,
    })
    await b.chat.discard(room, id)
    await until(b.chat, () => view()?.length === 2)
  })

  it('that is over is taken off a device with all that was kept of it, in one write, for good', async () => {
    const [a, b] = (await stand.join('kai', 'lea')) as [Peer, Peer]
    const room = await a.chat.openPrivate('lea')
    await a.chat.send(room, 'a word to find')
    await shown(b.chat, room, 1)
    await b.chat.send(room, 'an answer')
    await shown(a.chat, room, 2)
    const early = await b.chat.remove(room).catch((error: Error) => error.message)
    assert.equal(early, 'This conversation is not over.')
    for (const { chat } of [a, b]) chat.setDraft(room, 'half a sentence')
    await a.chat.leave(room)
    const view = ({ chat }: Peer) => chat.state.rooms.find((one) => one.room === room)
    await until(b.chat, () => view(b)?.phase === 'gone' && view(b)?.length === 3)
    await until(a.chat, () => view(a)?.length === 3)
    const kept = (peer: Peer) => peer.profile.storage.keys('')
    for (const peer of [a, b]) {
      await peer.chat.disconnect()
      const { storage } = peer.profile
      const before = (await kept(peer)).filter((key) => key.includes(room))
      const writes: ReadonlyMap<string, unknown>[] = []
      storage.onWrite = (changes) => writes.push(changes)
      await peer.chat.remove(room)
      assert.isUndefined(view(peer))
      assert.lengthOf(writes, 1)
      assert.includeMembers([...(writes[0]?.keys() ?? [])], [...before, 'drafts'])
      assert.isEmpty((await kept(peer)).filter((key) => key.includes(room) || key === 'drafts'))
      assert.equal(peer.chat.draft(room), '')
      assert.isEmpty((await peer.chat.search('word')).hits)
    }
    // The endpoint still counts lea among its members: she is told of it, and nothing comes of that.
    for (const peer of [a, b]) {
      peer.chat.connect()
      await until(peer.chat, ({ connection }) => connection.phase === 'online')
      stand.crash(peer)
      peer.chat.connect()
      await until(peer.chat, ({ connection }) => connection.phase === 'online')
      assert.isUndefined(view(peer))
    }
    const next = await b.chat.openPrivate('kai')
    assert.notEqual(next, room)
    await b.chat.send(next, 'from the beginning')
    assert.deepEqual(await shown(a.chat, next, 1), ['lea: from the beginning'])
    for (const peer of [a, b])
      assert.isEmpty((await kept(peer)).filter((key) => key.includes(room)))
  })

  it('is there or gone as a whole when the device dies while it is removed', async () => {
    const [a, b] = (await stand.join('mia', 'ned')) as [Peer, Peer]
    const room = await a.chat.openPrivate('ned')
    await a.chat.send(room, 'hello')
    await shown(b.chat, room, 1)
    await a.chat.leave(room)
    const view = () => b.chat.state.rooms.find((one) => one.room === room)
    await until(b.chat, () => view()?.length === 2)
    await b.chat.disconnect()
    for (const written of [false, true]) {
      const died = b.profile.storage.dieAt(0, written)
      void b.chat.remove(room)
      await died
      stand.crash(b)
      await b.chat.ready
      assert.equal(view()?.length, written ? undefined : 2)
    }
  })

  it('stays in the list when the device can’t delete it, and goes the next time', async () => {
    const [a, b] = (await stand.join('ola', 'pim')) as [Peer, Peer]
    const room = await a.chat.openPrivate('pim')
    await a.chat.send(room, 'hello')
    await shown(b.chat, room, 1)
    await a.chat.leave(room)
    const view = () => b.chat.state.rooms.find((one) => one.room === room)
    await until(b.chat, () => view()?.length === 2)
    b.chat.setDraft(room, 'half a sentence')
    await b.chat.disconnect()
    b.profile.storage.onWrite = () => {
      throw new SottoError('unavailable', 'This device has no room left.')
    }
    const failure = await b.chat.remove(room).catch((error: Error) => error.message)
    assert.equal(failure, 'This device has no room left.')
    assert.equal(view()?.length, 2)
    assert.equal(b.chat.draft(room), 'half a sentence')
    b.profile.storage.onWrite = undefined
    await b.chat.remove(room)
    assert.isUndefined(view())
  })

  it('that is over stands behind those that are not, whatever was said in them', async () => {
    const [a] = (await stand.join('quin', 'rae', 'sol')) as [Peer]
    const old = await a.chat.openPrivate('rae')
    await a.chat.send(old, 'said last')
    await shown(a.chat, old, 1)
    await a.chat.leave(old)
    const next = await a.chat.openPrivate('rae')
    const order = a.chat.state.rooms.map(({ room }) => room).slice(1)
    assert.deepEqual(order, [next, old])
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
