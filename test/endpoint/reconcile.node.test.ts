import { nodePrimitives } from '../../relay/node_primitives.ts'
import { type Bytes, equal } from '../../web/protocol/bytes.ts'
import { type BarePeer, joining, msgId, sealed } from '../support/bare_peer.ts'
import { EndpointStand } from '../support/endpoint_stand.ts'
import { afterEach, assert, beforeEach, describe, it } from '../support/suite.ts'

const GROUP_INFO = Uint8Array.of(1)
const TURN_MS = 150
const device = () => nodePrimitives.random(16)

function change(
  peer: BarePeer,
  room: Bytes,
  epoch: number,
  added: { user: string; device: Bytes }[],
  removed: { user: string; device: Bytes }[] = [],
) {
  const mls = sealed({ room, epoch, kind: 'commit' })
  const commit = { groupInfo: GROUP_INFO, added, removed }
  return peer.ask({ op: 'send', room, msgId: msgId(), mls, commit })
}

const stock = (peer: BarePeer) =>
  peer.ask({ op: 'publish_key_packages', packages: [nodePrimitives.random(100)] })

describe('a group’s devices', () => {
  let stand: EndpointStand
  beforeEach(async () => {
    stand = await EndpointStand.start({ turnMs: TURN_MS, lobbyAbsence: 1 })
  })
  afterEach(() => stand.stop())

  it('are brought in line by one member after the other, until one has done it', async () => {
    const devices = { first: device(), second: device(), bob: device() }
    const first = await stand.enter('alice', { device: devices.first })
    const second = await stand.enter('alice', { device: devices.second })
    const bob = await stand.enter('bob', { device: devices.bob })
    await stock(second)
    const { room } = (await first.ask({ op: 'open_private', user: 'bob' })).room
    await first.ask({ op: 'create_group', room, generation: 0, groupInfo: GROUP_INFO })

    const asked = await first.event('reconcile')
    assert.deepEqual(asked.add, [{ user: 'alice', device: devices.second }])
    await change(first, room, 0, asked.add)
    // Bob can be added as soon as he has a key package; alone the first is asked, then the second.
    await stock(bob)
    const wanted = { user: 'bob', device: devices.bob }
    const wants =
      (device: Bytes) =>
      ({ add }: { add: readonly { device: Bytes }[] }): boolean =>
        add.length === 1 && add[0] !== undefined && equal(add[0].device, device)
    const wantsBob = wants(devices.bob)
    const asks = (peer: BarePeer) =>
      peer.events.filter((event) => event.ev === 'reconcile' && wantsBob(event)).length
    await first.event('reconcile', wantsBob)
    assert.equal(asks(second), 0)
    await second.event('reconcile', wantsBob)
    assert.equal(asks(first), 1)
    await change(second, room, 1, [wanted])
    await bob.event('room', (event) => event.room.joined)
    // For another device both are asked, a turn apart: in that time nobody is asked for the first.
    const later = device()
    await stock(await stand.enter('bob', { device: later }))
    const others = [first, second].map((peer) => peer.event('reconcile', wants(later)))
    await Promise.all(others)
    assert.equal(asks(first) + asks(second) + asks(bob), 2)
  })

  it('lose a removed device: the members are asked to take it out of every room', async () => {
    const devices = { first: device(), second: device() }
    const first = await stand.enter('carol', { device: devices.first })
    const second = await stand.enter('carol', { device: devices.second })
    await stand.enter('dan')
    await stock(second)
    const { room } = (await first.ask({ op: 'open_private', user: 'dan' })).room
    await first.ask({ op: 'create_group', room, generation: 0, groupInfo: GROUP_INFO })
    const added = { user: 'carol', device: devices.second }
    await change(first, room, 0, [added])
    await first.ask({ op: 'remove_device', device: devices.second })
    const { remove } = await first.event('reconcile', (event) => event.remove.length > 0)
    assert.deepEqual(remove, [added])
  })

  it('of those who are away too long leave the lobby’s group', async () => {
    const devices = { stays: device(), goes: device() }
    const stays = await stand.enter('erin', { device: devices.stays })
    const goes = await stand.enter('finn', { device: devices.goes })
    await stand.makeLobby(stays)
    await stays.ask({ op: 'sync' })
    const away = { user: 'finn', device: devices.goes }
    await goes.ask({
      op: 'send',
      room: stand.lobby,
      msgId: msgId(),
      mls: await joining(goes, { room: stand.lobby, epoch: 0 }, away),
      commit: { groupInfo: GROUP_INFO, added: [away], removed: [] },
    })
    await goes.close()
    const { add, remove } = await stays.event('reconcile')
    assert.deepEqual({ add, remove }, { add: [], remove: [away] })
    await change(stays, stand.lobby, 1, [], [away])
    const back = await stand.enter('finn', { device: devices.goes })
    const { rooms } = await back.ask({ op: 'sync' })
    assert.isFalse(rooms[0]?.joined)
  })
})
