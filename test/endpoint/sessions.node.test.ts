import { REQUEST_RATE } from '../../relay/endpoint/conversation.ts'
import { TAKE_RATE } from '../../relay/endpoint/device_requests.ts'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { equal, fromHex } from '../../web/protocol/bytes.ts'
import { startHandshake } from '../../web/protocol/handshake_client.ts'
import { encodeMessage } from '../../web/protocol/messages.ts'
import { anIdentity, BarePeer, shakeHands, tcpLine } from '../support/bare_peer.ts'
import { EndpointStand } from '../support/endpoint_stand.ts'
import { after, assert, before, describe, fails, it } from '../support/suite.ts'

const device = () => nodePrimitives.random(16)

describe('a session at the endpoint', () => {
  let stand: EndpointStand
  before(async () => {
    stand = await EndpointStand.start()
  })
  after(() => stand.stop())

  const resume = async (peer: BarePeer, user: string, own: ReturnType<typeof device>) => {
    const line = await tcpLine(stand.endpoint.port)
    const { ticket } = peer.established
    const identity = await anIdentity()
    const { fingerprint } = stand.endpoint
    const who = { user, identity, device: own, ticket, fingerprint }
    return new BarePeer(line, await shakeHands(line, who))
  }

  it('begins with registration for a new name and is let in at once the next time', async () => {
    const own = device()
    const first = await stand.enter('ada', { device: own })
    assert.equal(first.params.status, 'register')
    await first.close()
    const second = await stand.enter('ada', { device: own })
    assert.equal(second.params.status, 'ok')
    assert.equal(second.params.account, 'ada')
    assert.deepEqual(second.params.logPub, first.params.logPub)
    await second.close()
  })

  it('is resumed by its ticket, once, and stays let in', async () => {
    const own = device()
    const first = await stand.enter('bea', { device: own })
    await first.close()
    const second = await resume(first, 'bea', own)
    assert.equal(second.established.mode, 'resumed')
    assert.equal(second.params.status, 'ok')
    await second.ask({ op: 'sync' })
    const again = await resume(first, 'bea', own)
    assert.equal(again.established.mode, 'full')
    await again.close()
  })

  it('is told `replaced` when its device connects again', async () => {
    const own = device()
    const older = await stand.enter('cleo', { device: own })
    const newer = await stand.enter('cleo', { device: own })
    assert.equal(await older.ended, 'replaced')
    await newer.ask({ op: 'sync' })
    const other = await stand.enter('cleo')
    await newer.ask({ op: 'sync' })
    await other.close()
    await newer.close()
  })

  it('takes nothing but registration before it is let in', async () => {
    const line = await tcpLine(stand.endpoint.port)
    const identity = await anIdentity()
    const peer = new BarePeer(line, await shakeHands(line, { user: 'dora', identity }))
    await fails('not_admitted', () => peer.ask({ op: 'sync' }))
    await fails('not_admitted', () => peer.ask({ op: 'subscribe', room: stand.lobby }))
    const early = await fails('denied', () => peer.ask({ op: 'login' }))
    assert.match(early.message, /Register it/)
    await peer.ask({ op: 'register' })
    await fails('bad_request', () => peer.ask({ op: 'register' }))
    await peer.ask({ op: 'sync' })
    await peer.close()
  })

  it('is ended when it sends more than 4 KiB before it is let in', async () => {
    const line = await tcpLine(stand.endpoint.port)
    const identity = await anIdentity()
    const peer = new BarePeer(line, await shakeHands(line, { user: 'eve', identity }))
    const password = 'x'.repeat(1000)
    await fails('not_admitted', () => peer.ask({ op: 'set_password', next: password }))
    void peer.session.send(nodePrimitives.random(5000))
    assert.equal(await peer.ended, 'limit')
  })

  it('answers a request that it does not know, and goes on', async () => {
    const peer = await stand.enter('fay')
    for (const wrong of [{ op: 'dance' }, { op: 'sync', more: 1 }, { op: 'fetch', after: -1 }])
      await fails('bad_request', () => peer.ask(wrong as never))
    await peer.ask({ op: 'sync' })
    await peer.close()
  })

  it('is ended by a message that is no request at all', async () => {
    for (const wrong of [encodeMessage({ op: 'sync' }), nodePrimitives.random(50)]) {
      const peer = await stand.enter('gwen')
      await peer.session.send(wrong)
      assert.equal(await peer.ended, 'decode_error')
    }
  })

  it('is slowed down when it asks too fast, and loses no answer', async () => {
    let time = 0
    const still = await EndpointStand.start({ now: () => time })
    const peer = await still.enter('hana')
    // Registration was the first request.
    const allowed = REQUEST_RATE.burst - 1
    const ask = (count: number) =>
      Promise.allSettled(Array.from({ length: count }, () => peer.ask({ op: 'devices' })))
    const answers = await ask(allowed + 3)
    const refused = answers.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    assert.lengthOf(refused, 3)
    for (const { code, refusal } of refused) {
      assert.equal(code, 'slow_down')
      assert.equal(refusal.retryAfter, 1000 / REQUEST_RATE.perSecond)
    }
    time += 2 * refused[0].refusal.retryAfter
    const later = await ask(3)
    assert.deepEqual(
      later.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected'],
    )
    await peer.close()
    await still.stop()
  })

  it('hears who comes and goes, in one event for all that happened meanwhile', async () => {
    const watcher = await stand.enter('iris')
    const crowd = await Promise.all(['jo', 'kim', 'lea'].map((user) => stand.enter(user)))
    const seen = (user: string, online: boolean) =>
      watcher.event('people', ({ people }) =>
        people.some((one) => one.user === user && one.online === online),
      )
    await Promise.all(['jo', 'kim', 'lea'].map((user) => seen(user, true)))
    const { people } = await seen('jo', true)
    const jo = people.find(({ user }) => user === 'jo')
    assert.isTrue(equal(jo?.spki ?? new Uint8Array(), (await anIdentity()).spki))
    await Promise.all(crowd.map((peer) => peer.close()))
    await seen('kim', false)
    await watcher.close()
  })

  it('of a removed device ends at once, and the device is never taken again', async () => {
    const [kept, lost] = [device(), device()]
    const here = await stand.enter('mia', { device: kept })
    const there = await stand.enter('mia', { device: lost })
    await there.ask({ op: 'sync' })
    await here.ask({ op: 'remove_device', device: lost })
    assert.equal(await there.ended, 'revoked')
    await fails('handshake_failed', () => stand.enter('mia', { device: lost }))
    await fails('handshake_failed', () => resume(there, 'mia', lost))
    const { devices } = await here.ask({ op: 'devices' })
    assert.lengthOf(devices, 1)
    await fails('denied', () => here.ask({ op: 'remove_device', device: device() }))
    await here.close()
  })

  it('of a device that is removed while it resumes ends before it is let in', async () => {
    const [kept, lost] = [device(), device()]
    const here = await stand.enter('mona', { device: kept })
    const there = await stand.enter('mona', { device: lost })
    await there.close()
    const line = await tcpLine(stand.endpoint.port)
    const first = await startHandshake({
      ...{ primitives: nodePrimitives, host: 'localhost', user: 'mona', device: lost },
      ...{ identity: await anIdentity(), pin: fromHex(stand.endpoint.fingerprint) },
      ...{ ticket: there.established.ticket, now: () => performance.now() },
    })
    line.send(first.m1)
    const second = await first.receive((await line.next()) ?? assert.fail('no answer'))
    await here.ask({ op: 'remove_device', device: lost })
    line.send(second.m3)
    if (second.mode === 'full') return assert.fail('not resumed')
    assert.equal(await new BarePeer(line, second.established).ended, 'revoked')
    await here.close()
  })

  it('may take away a password that there never was, to no effect', async () => {
    const own = device()
    const peer = await stand.enter('nick', { device: own })
    await peer.ask({ op: 'set_password', next: null })
    await peer.close()
    assert.isEmpty(stand.log.filter(({ event, user }) => event === 'password' && user === 'nick'))
    const again = await resume(peer, 'nick', own)
    assert.equal(again.established.mode, 'resumed')
    await again.close()
  })

  it('is not let in from a seventeenth device, and is told why', async () => {
    for (let i = 0; i < 16; i++) {
      const one = await stand.enter('nina')
      await one.ask({ op: 'sync' })
      await one.close()
    }
    const line = await tcpLine(stand.endpoint.port)
    const identity = await anIdentity()
    const peer = new BarePeer(line, await shakeHands(line, { user: 'nina', identity }))
    assert.equal(peer.params.status, 'not_admitted')
    const error = await fails('denied', () => peer.ask({ op: 'login' }))
    assert.match(error.message, /16 devices/)
    await peer.close()
  })

  it('gets key packages of those with whom it shares a room, each once, and hears of a low stock', async () => {
    const own = device()
    const olga = await stand.enter('olga', { device: own })
    const pia = await stand.enter('pia')
    const packages = Array.from({ length: 10 }, () => nodePrimitives.random(100))
    const lastResort = nodePrimitives.random(100)
    const { stock } = await olga.ask({ op: 'publish_key_packages', packages, lastResort })
    assert.equal(stock, 10)
    await fails('denied', () => pia.ask({ op: 'take_key_packages', user: 'olga' }))
    await pia.ask({ op: 'open_private', user: 'olga' })
    const taken: string[] = []
    for (let i = 0; i < 4; i++) {
      const reply = await pia.ask({ op: 'take_key_packages', user: 'olga', devices: [own] })
      taken.push(String(reply.packages[0]?.package))
    }
    assert.lengthOf(new Set(taken), 4)
    assert.notInclude(taken, String(lastResort))
    await olga.event('stock', (event) => event.stock === 6)
    // One's own go as one wants, to the last; then there is the last resort.
    const mine = []
    for (let i = 0; i < 8; i++) {
      const reply = await olga.ask({ op: 'take_key_packages', user: 'olga' })
      mine.push(String(reply.packages[0]?.package))
    }
    assert.lengthOf(new Set([...taken, ...mine]), 11)
    assert.deepEqual(mine.slice(6), [String(lastResort), String(lastResort)])
    await olga.close()
    await pia.close()
  })

  it('can’t use up another’s key packages: beyond some there is the last resort alone', async () => {
    let time = 0
    const still = await EndpointStand.start({ now: () => time })
    const own = device()
    const olga = await still.enter('olga', { device: own })
    const pia = await still.enter('pia')
    const quin = await still.enter('quin')
    const packages = Array.from({ length: 20 }, () => nodePrimitives.random(100))
    const lastResort = nodePrimitives.random(100)
    await olga.ask({ op: 'publish_key_packages', packages, lastResort })
    const take = async (peer: BarePeer) => {
      const reply = await peer.ask({ op: 'take_key_packages', user: 'olga' })
      return String(reply.packages[0]?.package)
    }
    const stock = async () => (await olga.ask({ op: 'sync' })).stock
    for (const peer of [pia, quin]) await peer.ask({ op: 'open_private', user: 'olga' })
    for (let i = 0; i < TAKE_RATE.burst; i++) await take(pia)
    for (let i = 0; i < 3; i++) assert.equal(await take(pia), String(lastResort))
    assert.equal(await stock(), 20 - TAKE_RATE.burst)
    // Others have their own share, and there is more after a while.
    assert.notEqual(await take(quin), String(lastResort))
    time += 1000 / TAKE_RATE.perSecond
    assert.notEqual(await take(pia), String(lastResort))
    assert.equal(await take(pia), String(lastResort))
    await still.stop()
  })

  it('is closed in order when the endpoint goes down, and the store keeps what it had', async () => {
    const own = device()
    const rosa = await stand.enter('rosa', { device: own })
    await stand.makeLobby(rosa)
    const before = stand.endpoint.fingerprint
    await stand.down()
    assert.equal(await rosa.ended, 'closed restart')
    await stand.up()
    assert.equal(stand.endpoint.fingerprint, before)
    const again = await stand.enter('rosa', { device: own })
    const { rooms } = await again.ask({ op: 'sync' })
    assert.isTrue(rooms[0]?.joined)
    await again.close()
  })
})
