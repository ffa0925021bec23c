import type { Bytes } from '../../web/protocol/bytes.ts'
import { answering } from '../support/answering.ts'
import { repeatedNonce } from '../support/nonce_watch.ts'
import { inLobby, type Peer, Stand, shown } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

const DAY_MS = 86_400_000
/** Of one stock, the last resort included. */
const PACKAGES = 17

/** An endpoint, with a hand on how key packages come and go. */
async function start() {
  const published: Bytes[][] = []
  const hooks = {
    published,
    /** Packages that are handed out for dave’s, the last one first. */
    instead: [] as Bytes[],
    /** Called when a stock is there; the publisher is answered when it resolves. */
    onPublish: async () => {},
  }
  const hooked = answering(async ({ request, serve }) => {
    const outcome = await serve()
    if (request.op === 'publish_key_packages') {
      published.push([...request.packages])
      await hooks.onPublish()
    }
    const other = request.op === 'take_key_packages' ? hooks.instead.pop() : undefined
    if (other === undefined || !('packages' in outcome.reply)) return outcome
    const packages = outcome.reply.packages.map((one) => ({ ...one, package: other }))
    return { ...outcome, reply: { packages } }
  })
  return { stand: await Stand.start({}, hooked), hooks }
}

/** Resolves when this device writes something to its store that matches. */
function writes({ profile }: Peer, matches: (key: string, value: unknown) => boolean) {
  return new Promise<void>((resolve) => {
    profile.storage.onWrite = (changes) => {
      if ([...changes].some(([key, value]) => matches(key, value))) resolve()
    }
  })
}

/** Resolves when this device knows that the endpoint has its stock. */
const stocked = (peer: Peer) => writes(peer, (key) => key === 'stock')

async function comesBack(stand: Stand, peer: Peer): Promise<void> {
  stand.crash(peer)
  peer.chat.connect()
  await inLobby(peer.chat)
}

describe('devices whose key packages have ended', () => {
  let stand: Stand
  let hooks: Awaited<ReturnType<typeof start>>['hooks']
  let alice: Peer
  let bob: Peer
  let carol: Peer
  let dave: Peer
  /** Where dave stored those that end. */
  let ended: string[]
  const roomOf = (name: string) => alice.chat.state.rooms.find(({ title }) => title === name)
  // All clocks are this one: ts-mls asks no other.
  const today = Date.now

  before(async () => {
    ;({ stand, hooks } = await start())
    const come = async (name: string): Promise<Peer> => {
      const peer = await stand.peer(name)
      peer.chat.connect()
      await stocked(peer)
      await inLobby(peer.chat)
      return peer
    }
    alice = await come('alice')
    bob = await come('bob')
    carol = await come('carol')
    dave = await come('dave')
    ended = await dave.profile.storage.keys('kp/')
    assert.lengthOf(ended, PACKAGES)
    for (const { chat } of stand.peers) await chat.disconnect()
    Date.now = () => today() + 91 * DAY_MS
    await comesBack(stand, alice)
  })
  after(async () => {
    Date.now = today
    await stand.close()
  })

  it('publish new ones when they are back, and can be written to at once', async () => {
    await comesBack(stand, bob)
    const room = await alice.chat.openPrivate('bob')
    await alice.chat.send(room, 'long time no see')
    assert.deepEqual(await shown(bob.chat, room, 1), ['alice: long time no see'])
  })

  it('and are still away are named, and get what was written when they come back', async () => {
    const room = await alice.chat.openPrivate('carol')
    await alice.chat.send(room, 'where are you?')
    await until(alice.chat, () => /^carol has been away for too/.test(roomOf('carol')?.text ?? ''))
    assert.match(roomOf('carol')?.text ?? '', /goes out when carol comes back/)
    await comesBack(stand, carol)
    assert.deepEqual(await shown(carol.chat, room, 1), ['alice: where are you?'])
    await until(alice.chat, () => roomOf('carol')?.phase === 'ready')
  })

  it('and are looked at without a key being used that the change itself will use', () => {
    assert.isUndefined(repeatedNonce())
  })

  it('in part are passed over: the first that is good is taken', async () => {
    const old = hooks.published[3] ?? []
    stand.crash(dave)
    const back = stocked(dave)
    dave.chat.connect()
    await back
    hooks.instead = old.slice(0, 3)
    const room = await alice.chat.openPrivate('dave')
    await alice.chat.send(room, 'at last')
    assert.deepEqual(await shown(dave.chat, room, 1), ['alice: at last'])
    assert.deepEqual(hooks.instead, [])
  })

  it('are not on the device any more, once those in their place have been used for a while', async () => {
    stand.crash(dave)
    const tidied = writes(dave, (key, value) => key.startsWith('kp/') && value === undefined)
    dave.chat.connect()
    await tidied
    const kept = await dave.profile.storage.keys('kp/')
    assert.isNotEmpty(kept)
    for (const key of ended) assert.notInclude(kept, key)
  })
})

describe('a device’s stock of key packages', () => {
  let stand: Stand
  let hooks: Awaited<ReturnType<typeof start>>['hooks']
  let peer: Peer
  const stored = () => peer.profile.storage.keys('kp/')

  before(async () => {
    ;({ stand, hooks } = await start())
    peer = await stand.peer('erin')
  })
  after(() => stand.close())

  it('that nobody has confirmed is published again as it is', async () => {
    const there = new Promise<void>((resolve) => {
      hooks.onPublish = () => {
        resolve()
        return new Promise(() => {})
      }
    })
    peer.chat.connect()
    await there
    hooks.onPublish = async () => {}
    stand.crash(peer)
    const confirmed = stocked(peer)
    peer.chat.connect()
    await confirmed
    assert.lengthOf(hooks.published, 2)
    assert.sameDeepMembers(hooks.published[1] ?? [], hooks.published[0] ?? [])
    assert.lengthOf(await stored(), PACKAGES)
  })

  it('of which a private half is damaged is replaced, and the damaged one goes', async () => {
    const [key = ''] = await stored()
    await peer.profile.storage.write(new Map([[key, new Uint8Array(100)]]))
    stand.crash(peer)
    const replaced = stocked(peer)
    peer.chat.connect()
    await replaced
    const now = await stored()
    assert.notInclude(now, key)
    assert.lengthOf(now, 2 * PACKAGES - 1)
    const [, before = [], after = []] = hooks.published
    assert.isFalse(after.some((one) => before.includes(one)))
  })
})
