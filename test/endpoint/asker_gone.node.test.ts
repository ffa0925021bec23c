/**
 * What is on disk has happened, for everybody: also when whoever asked for it was gone before the
 * answer. Here every outcome of the service is held back until the asker's session is over.
 */
import { type BuildService, buildService } from '../../relay/endpoint/service.ts'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import type { Ask, Op } from '../../web/protocol/messages.ts'
import { answering } from '../support/answering.ts'
import { type BarePeer, BareTrunk, joining, msgId, sealed } from '../support/bare_peer.ts'
import { EndpointStand, say } from '../support/endpoint_stand.ts'
import { afterEach, assert, beforeEach, describe, it } from '../support/suite.ts'

const GROUP_INFO = Uint8Array.of(7)
const device = () => nodePrimitives.random(16)

/** A service that keeps the outcome of the next request of one kind until the asker is gone. */
class Held {
  #op: Op | undefined
  #taken = Promise.withResolvers<void>()
  #gone = Promise.withResolvers<void>()

  readonly build: BuildService = (needs) => {
    const service = buildService(needs)
    return {
      ...service,
      gone: (peer) => {
        service.gone(peer)
        this.#gone.resolve()
      },
      handle: async (peer, request) => {
        const outcome = await service.handle(peer, request)
        if (request.op !== this.#op) return outcome
        this.#op = undefined
        this.#gone = Promise.withResolvers()
        this.#taken.resolve()
        await this.#gone.promise
        return outcome
      },
    }
  }

  /** `peer` asks, and its connection is cut when the disk has it and before the answer. */
  async askAndGo(peer: BarePeer, ask: Ask): Promise<void> {
    this.#op = ask.op
    this.#taken = Promise.withResolvers()
    peer.ask(ask).catch(() => undefined)
    await this.#taken.promise
    peer.line.cut()
    await peer.ended
  }
}

describe('what was accepted of somebody who is gone before the answer', () => {
  let stand: EndpointStand
  let held: Held
  let bob: BarePeer
  let room: Bytes
  const ofBob = device()
  const ofCarol = device()

  beforeEach(async () => {
    held = new Held()
    stand = await EndpointStand.start({}, held.build)
    room = stand.lobby
    bob = await stand.enter('bob', { device: ofBob })
    await stand.makeLobby(bob)
    await bob.subscribe(room)
  })
  afterEach(() => stand.stop())

  const carol = () => stand.enter('carol', { device: ofCarol })
  const joins = async (user: string, own: Bytes, epoch: number): Promise<Ask> => {
    const one = { user, device: own }
    const mls = await joining(bob, { room, epoch }, one)
    const commit = { groupInfo: GROUP_INFO, added: [one], removed: [] }
    return { op: 'send', room, msgId: msgId(), mls, commit }
  }

  it('is cast to the others, once, and answered with its place when it comes again', async () => {
    const peer = await carol()
    await peer.ask(await joins('carol', ofCarol, 0))
    const mls = sealed({ room, epoch: 1 })
    const message = { op: 'send', room, msgId: msgId(), mls } as const
    await held.askAndGo(peer, message)
    await bob.until(() => bob.casts[1])
    const again = await carol()
    const { seq } = await again.ask(message)
    await say(bob, room, 1)
    await bob.until(() => bob.casts.find((cast) => cast.seq === seq + 1))
    assert.deepEqual(
      bob.casts.map((cast) => cast.seq),
      [1, 2, 3],
    )
  })

  it('counts as the group’s, and those whom it concerns are told', async () => {
    const peer = await carol()
    const joined = await joins('carol', ofCarol, 0)
    await held.askAndGo(peer, joined)
    await bob.until(() => bob.casts[0])
    const again = await carol()
    await say(again, room, 1)
    const { rooms } = await again.ask({ op: 'sync' })
    assert.isTrue(rooms[0]?.joined)
  })

  it('is announced by the head when it comes again, for its first answer may have been lost', async () => {
    const mls = sealed({ room, epoch: 0 })
    const message = { op: 'send', room, msgId: msgId(), mls } as const
    const { seq } = await bob.ask(message)
    await bob.event('head', ({ head }) => head.seq === seq)
    bob.events.length = 0
    await bob.ask(message)
    await bob.event('head', ({ head }) => head.seq === seq)
    assert.lengthOf(bob.casts, 1)
  })

  it('ends the session of a device that was removed, and changes the cast secret', async () => {
    const owner = await carol()
    const stolen = device()
    const thief = await stand.enter('carol', { device: stolen })
    await thief.subscribe(room)
    await held.askAndGo(owner, { op: 'remove_device', device: stolen })
    assert.equal(await thief.ended, 'revoked')
    await say(bob, room, 0)
    await bob.event('cast_secret')
  })

  it('takes a room from those who left, and tells the one who stays', async () => {
    const [peer, other] = [await carol(), await stand.enter('carol')]
    const opened = await peer.ask({ op: 'open_private', user: 'bob' })
    const id = opened.room.room
    await peer.ask({ op: 'create_group', room: id, generation: 0, groupInfo: GROUP_INFO })
    bob.events.length = 0
    await held.askAndGo(peer, { op: 'leave_room', room: id })
    await other.event('room_gone')
    const { room: left } = await bob.event('room', (event) => event.room.kind === 'private')
    assert.deepEqual(
      left.members.map(({ user }) => user),
      ['bob'],
    )
  })

  it('opens a room for the other, and brings a new device in when it has key packages', async () => {
    const peer = await carol()
    await held.askAndGo(peer, { op: 'open_private', user: 'bob' })
    const { room: opened } = await bob.event('room', (event) => event.room.kind === 'private')
    const create = { generation: 0, groupInfo: GROUP_INFO } as const
    await bob.ask({ op: 'create_group', room: opened.room, ...create })
    const packages = [nodePrimitives.random(100)]
    await held.askAndGo(await carol(), { op: 'publish_key_packages', packages })
    const { add } = await bob.event('reconcile')
    assert.deepEqual(add, [{ user: 'carol', device: ofCarol }])
  })

  it('is told to the asker after the answer: even that its own device is removed', async () => {
    const trunk = await BareTrunk.dial(stand.endpoint.trunkPort)
    const peer = await stand.enter('carol', { device: ofCarol }, trunk.open())
    await peer.ask({ op: 'remove_device', device: ofCarol })
    assert.equal(await peer.ended, 'revoked')
    trunk.close()
  })

  it('is answered once, also when what follows from it fails', async () => {
    const fault = (): never => {
      throw new Error('broken on purpose')
    }
    const broken = answering(async ({ request, serve }) => {
      const outcome = await serve()
      return request.op === 'devices' ? { ...outcome, done: fault, sent: fault } : outcome
    })
    const other = await EndpointStand.start({}, broken)
    const peer = await other.enter('dora')
    // A second answer to the same request would end the session: nobody waits for it.
    assert.lengthOf((await peer.ask({ op: 'devices' })).devices, 1)
    await peer.ask({ op: 'sync' })
    assert.lengthOf(
      other.log.filter(({ text }) => text === 'broken on purpose'),
      2,
    )
    await peer.close()
    await other.stop()
  })
})
