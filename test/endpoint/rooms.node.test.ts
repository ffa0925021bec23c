import { nodePrimitives } from '../../relay/node_primitives.ts'
import { type Bytes, hex } from '../../web/protocol/bytes.ts'
import { firstChain, chain as nextChain } from '../../web/protocol/cast.ts'
import {
  type BarePeer,
  BareTrunk,
  type Joining,
  joining,
  msgId,
  sealed,
} from '../support/bare_peer.ts'
import { EndpointStand, say } from '../support/endpoint_stand.ts'
import { quickIdentity } from '../support/peers.ts'
import {
  after,
  afterEach,
  assert,
  before,
  beforeEach,
  describe,
  fails,
  it,
} from '../support/suite.ts'

const GROUP_INFO = Uint8Array.of(7)

function commit(
  peer: BarePeer,
  room: Bytes,
  epoch: number,
  change: {
    added?: { user: string; device: Bytes }[]
    removed?: { user: string; device: Bytes }[]
  } = {},
  id = msgId(),
) {
  return peer.ask({
    op: 'send',
    room,
    msgId: id,
    mls: sealed({ room, epoch, kind: 'commit' }),
    commit: { groupInfo: GROUP_INFO, added: change.added ?? [], removed: change.removed ?? [] },
  })
}

async function join(peer: BarePeer, user: string, device: Bytes, room: Bytes, epoch: number) {
  const added = [{ user, device }]
  const mls = await joining(peer, { room, epoch }, { user, device })
  return peer.ask({
    op: 'send',
    room,
    msgId: msgId(),
    mls,
    commit: { groupInfo: GROUP_INFO, added, removed: [] },
  })
}

const device = () => nodePrimitives.random(16)

describe('a room’s log at the endpoint', () => {
  let stand: EndpointStand
  before(async () => {
    stand = await EndpointStand.start()
  })
  after(() => stand.stop())

  it('gives every message one place, which chains to all before it', async () => {
    const device1 = device()
    const alice = await stand.enter('anna', { device: device1 })
    await stand.makeLobby(alice)
    const mls = [1, 2, 3].map(() => sealed({ room: stand.lobby, epoch: 0 }))
    const sent = mls.map((one) =>
      alice.ask({ op: 'send', room: stand.lobby, msgId: msgId(), mls: one }),
    )
    const places = await Promise.all(sent)
    assert.deepEqual(
      places.map(({ seq }) => seq),
      [1, 2, 3],
    )
    let chain = await firstChain(nodePrimitives, stand.lobby)
    for (const [i, one] of mls.entries()) {
      chain = await nextChain(nodePrimitives, chain, i + 1, one)
      assert.equal(hex(places[i]?.chain ?? new Uint8Array()), hex(chain))
    }
    const { entries } = await alice.ask({ op: 'fetch', room: stand.lobby, after: 1, most: 10 })
    assert.deepEqual(
      entries.map((entry) => hex(entry.mls)),
      mls.slice(1).map(hex),
    )
    await alice.close()
  })

  it('answers a message that comes again with its first place, and casts it once', async () => {
    const trunk = await BareTrunk.dial(stand.endpoint.trunkPort)
    const bob = await stand.enter('bob', {}, trunk.open())
    const { room, epoch } = await bob
      .ask({ op: 'sync' })
      .then(({ rooms }) => rooms.find(({ kind }) => kind === 'lobby') ?? assert.fail('no lobby'))
    const self = device()
    const twice = await stand.enter('bob', { device: self }, trunk.open())
    await join(twice, 'bob', self, room, epoch)
    await bob.subscribe(room)
    await twice.subscribe(room)
    const request = {
      op: 'send',
      room,
      msgId: msgId(),
      mls: sealed({ room, epoch: epoch + 1 }),
    } as const
    const first = await twice.ask(request)
    assert.deepEqual(await twice.ask(request), first)
    await say(twice, room, epoch + 1)
    await bob.until(() => (bob.casts.length >= 2 ? true : undefined))
    assert.deepEqual(
      bob.casts.map(({ seq }) => seq),
      [first.seq, first.seq + 1],
    )
    // One frame on the trunk for both subscribers.
    assert.equal(trunk.casts(), 2)
    trunk.close()
  })

  it('takes one commit per epoch; the other is told where the room is', async () => {
    const self = device()
    const carol = await stand.enter('carol', { device: self })
    const { epoch } = await carol.ask({ op: 'group_info', room: stand.lobby })
    await join(carol, 'carol', self, stand.lobby, epoch)
    const both = await Promise.allSettled([
      commit(carol, stand.lobby, epoch + 1),
      commit(carol, stand.lobby, epoch + 1),
    ])
    assert.deepEqual(
      both.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    )
    const [, lost] = both
    assert.include((lost as PromiseRejectedResult).reason.refusal, {
      error: 'stale_epoch',
      epoch: epoch + 2,
      generation: 0,
    })
    await carol.close()
  })

  it('refuses a message that members could not open any more, before acknowledging it', async () => {
    const self = device()
    const dave = await stand.enter('dave', { device: self })
    const { epoch } = await dave.ask({ op: 'group_info', room: stand.lobby })
    await join(dave, 'dave', self, stand.lobby, epoch)
    for (let i = 1; i <= 5; i++) await commit(dave, stand.lobby, epoch + i)
    const before = await dave.ask({ op: 'fetch', room: stand.lobby, after: 0, most: 1 })
    await fails('stale_epoch', () => say(dave, stand.lobby, epoch + 1))
    const { head } = await dave.ask({ op: 'fetch', room: stand.lobby, after: 0, most: 1 })
    assert.equal(head.seq, before.head.seq)
    await say(dave, stand.lobby, epoch + 2)
    await dave.close()
  })

  it('tells of an entry that fits no cast by its head, to be fetched', async () => {
    const self = device()
    const erin = await stand.enter('erin', { device: self })
    const { epoch } = await erin.ask({ op: 'group_info', room: stand.lobby })
    await join(erin, 'erin', self, stand.lobby, epoch)
    await erin.subscribe(stand.lobby)
    const { seq } = await say(erin, stand.lobby, epoch + 1, nodePrimitives.random(200_000))
    await erin.event('head', ({ head }) => head.seq === seq)
    assert.notInclude(
      erin.casts.map((cast) => cast.seq),
      seq,
    )
    const { entries } = await erin.ask({ op: 'fetch', room: stand.lobby, after: seq - 1, most: 1 })
    assert.isAbove(entries[0]?.mls.length ?? 0, 200_000)
    await erin.close()
  })

  it('lets who joins from outside replace its own place in the group, and take nobody else’s', async () => {
    const [self, other] = [device(), device()]
    const hugo = await stand.enter('hugo', { device: self })
    const ina = await stand.enter('ina', { device: other })
    const { epoch } = await hugo.ask({ op: 'group_info', room: stand.lobby })
    await join(hugo, 'hugo', self, stand.lobby, epoch)
    const inas = { user: 'ina', device: other }
    const joins = async (removed: { user: string; device: Bytes }[], leaf: Joining = inas) =>
      ina.ask({
        ...{ op: 'send', room: stand.lobby, msgId: msgId() },
        mls: await joining(ina, { room: stand.lobby, epoch: epoch + 1 }, leaf),
        commit: { groupInfo: GROUP_INFO, added: [inas], removed },
      })
    const own = { user: 'ina', device: other }
    await fails('denied', () => joins([own, { user: 'hugo', device: self }]))
    // Whatever stands beside the message: it is the leaf inside that the members will see.
    const identity = await quickIdentity()
    await fails('denied', () => joins([own], { user: 'hugo', device: other }))
    await fails('denied', () => joins([own], { user: 'zoe', device: other }))
    await fails('denied', () => joins([own], { user: 'ina', device: self }))
    await fails('denied', () => joins([own], { user: 'ina', device: other, identity }))
    await say(hugo, stand.lobby, epoch + 1)
    await joins([own])
    await say(ina, stand.lobby, epoch + 2)
    await hugo.close()
    await ina.close()
  })

  it('says the head within a second after casts, so that who missed one notices', async () => {
    const self = device()
    const frank = await stand.enter('frank', { device: self })
    const { epoch } = await frank.ask({ op: 'group_info', room: stand.lobby })
    await join(frank, 'frank', self, stand.lobby, epoch)
    await frank.subscribe(stand.lobby)
    const { seq, chain } = await say(frank, stand.lobby, epoch + 1)
    const { head } = await frank.event('head', (event) => event.head.seq >= seq)
    assert.deepEqual(head, { room: stand.lobby, seq, chain })
    await frank.close()
  })

  it('refuses what does not say what it is', async () => {
    const self = device()
    const grace = await stand.enter('grace', { device: self })
    const { epoch: before } = await grace.ask({ op: 'group_info', room: stand.lobby })
    await join(grace, 'grace', self, stand.lobby, before)
    const room = stand.lobby
    const epoch = before + 1
    const send = (mls: Bytes, beside = {}) =>
      grace.ask({ op: 'send', room, msgId: msgId(), mls, ...beside })
    const change = { commit: { groupInfo: GROUP_INFO, added: [], removed: [] } }
    await fails('bad_request', () => send(nodePrimitives.random(100)))
    await fails('bad_request', () => send(sealed({ room: device(), epoch })))
    await fails('bad_request', () => send(sealed({ room, epoch, kind: 'proposal' })))
    await fails('bad_request', () => send(sealed({ room, epoch, kind: 'commit' })))
    await fails('bad_request', () => send(sealed({ room, epoch }), change))
    const another = await joining(grace, { room, epoch }, { user: 'grace', device: device() })
    await fails('denied', () => send(another, change))
    await fails('stale_epoch', () => send(sealed({ room, epoch: epoch + 100 })))
    await fails('stale_epoch', () => send(sealed({ room, epoch, generation: 1 })))
    await send(sealed({ room, epoch }))
    await grace.close()
  })
})

describe('a private room', () => {
  let stand: EndpointStand
  let alice: BarePeer
  let bob: BarePeer
  let mallory: BarePeer
  let room: Bytes
  const ofAlice = device()
  const ofBob = device()

  beforeEach(async () => {
    stand = await EndpointStand.start()
    ;[alice, bob, mallory] = await Promise.all([
      stand.enter('alice', { device: ofAlice }),
      stand.enter('bob', { device: ofBob }),
      stand.enter('mallory'),
    ])
    const opened = await Promise.all([
      alice.ask({ op: 'open_private', user: 'bob' }),
      bob.ask({ op: 'open_private', user: 'alice' }),
    ])
    room = opened[0].room.room
    assert.deepEqual(opened[1].room.room, room)
    await alice.ask({ op: 'create_group', room, generation: 0, groupInfo: GROUP_INFO })
  })
  afterEach(() => stand.stop())

  it('is one for the two, whoever opens it and however often', async () => {
    const again = await bob.ask({ op: 'open_private', user: 'ALICE' })
    assert.deepEqual(again.room.room, room)
    assert.deepEqual(again.room.members.map(({ user }) => user).sort(), ['alice', 'bob'])
  })

  it('does not exist for anybody else, by any request', async () => {
    const id = msgId()
    const mls = sealed({ room, epoch: 0 })
    const asks = [
      { op: 'subscribe', room },
      { op: 'fetch', room, after: 0, most: 10 },
      { op: 'send', room, msgId: id, mls },
      { op: 'create_group', room, generation: 1, groupInfo: GROUP_INFO },
      { op: 'group_info', room },
      { op: 'welcome', room },
      { op: 'rejoin', room },
      { op: 'leave_room', room },
    ] as const
    for (const ask of asks) await fails('not_a_member', () => mallory.ask(ask))
    await fails('denied', () => mallory.ask({ op: 'take_key_packages', user: 'bob' }))
    const { rooms } = await mallory.ask({ op: 'sync' })
    assert.deepEqual(
      rooms.map(({ kind }) => kind),
      ['lobby'],
    )
  })

  it('lets nobody in from outside, and nobody but the two be added', async () => {
    await fails('denied', () => join(bob, 'bob', ofBob, room, 0))
    await fails('denied', () => alice.ask({ op: 'group_info', room }))
    const { device: stranger } = { device: device() }
    await fails('denied', () =>
      commit(alice, room, 0, { added: [{ user: 'mallory', device: stranger }] }),
    )
    await fails('denied', () =>
      commit(alice, room, 0, { added: [{ user: 'bob', device: stranger }] }),
    )
  })

  it('brings a Welcome to the device that was added, until it is used', async () => {
    const welcome = nodePrimitives.random(5000)
    const added = [{ user: 'bob', device: ofBob }]
    const { seq } = await alice.ask({
      op: 'send',
      room,
      msgId: msgId(),
      mls: sealed({ room, epoch: 0, kind: 'commit' }),
      commit: { groupInfo: GROUP_INFO, added, removed: [], welcome },
    })
    await bob.event('room', (event) => event.room.welcome && event.room.joined)
    const got = await bob.ask({ op: 'welcome', room })
    assert.deepInclude(got.welcome, { mls: welcome, seq, generation: 0 })
    await bob.ask({ op: 'welcome_done', room, welcome: got.welcome?.id ?? -1 })
    assert.isNull((await bob.ask({ op: 'welcome', room })).welcome)
    await say(bob, room, 1)
  })

  it('is closed to who has left it: no word, no entry, no cast, another secret', async () => {
    await commit(alice, room, 0, { added: [{ user: 'bob', device: ofBob }] })
    await alice.subscribe(room)
    const { castSecret } = await bob.subscribe(room)
    await say(alice, room, 1)
    await bob.until(() => bob.casts[0])
    await bob.ask({ op: 'leave_room', room })
    await bob.event('room_gone')
    await fails('not_a_member', () => say(bob, room, 1))
    await fails('not_a_member', () => bob.ask({ op: 'fetch', room, after: 0, most: 10 }))
    await fails('not_a_member', () => bob.ask({ op: 'subscribe', room }))
    // The one who stays is asked to take the devices of the other out.
    const { remove } = await alice.event('reconcile', (event) => event.remove.length > 0)
    assert.deepEqual(remove, [{ user: 'bob', device: ofBob }])
    await say(alice, room, 1)
    await alice.until(() => (alice.casts.length === 2 ? true : undefined))
    const told = await alice.event('cast_secret')
    assert.notEqual(hex(told.castSecret), hex(castSecret))
    assert.lengthOf(bob.casts, 1)
  })

  it('is begun anew by either of the two, one generation after the other', async () => {
    const create = (generation: number) =>
      ({ op: 'create_group', room, generation, groupInfo: GROUP_INFO }) as const
    await fails('stale_epoch', () => bob.ask(create(2)))
    await bob.ask(create(1))
    await fails('stale_epoch', () => alice.ask(create(1)))
    await fails('stale_epoch', () => say(alice, room, 0))
    await alice.ask(create(2))
  })

  it('lets a device that is out of the group make the next when nobody could add it', async () => {
    await commit(alice, room, 0, { added: [{ user: 'bob', device: ofBob }] })
    const create = { op: 'create_group', room, generation: 1, groupInfo: GROUP_INFO } as const
    assert.isNull((await alice.ask({ op: 'rejoin', room })).generation)
    await fails('stale_epoch', () => say(alice, room, 1))
    assert.equal((await bob.ask({ op: 'rejoin', room })).generation, 1)
    await bob.ask(create)
    await bob.ask(create)
    await fails('stale_epoch', () => alice.ask(create))
  })
})
