import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../../relay/endpoint/sqlite_store.ts'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { hex } from '../../web/protocol/bytes.ts'
import { startHandshake } from '../../web/protocol/handshake_client.ts'
import { generateIdentity, type Identity } from '../../web/protocol/identity.ts'
import { KEPT_EPOCHS } from '../../web/protocol/mls_header.ts'
import { skeleton } from '../../web/protocol/names.ts'
import { BarePeer, type Enter, shakeHands, tcpLine } from '../support/bare_peer.ts'
import { EndpointStand } from '../support/endpoint_stand.ts'
import { full, seeded } from '../support/random.ts'
import { after, assert, before, describe, fails, it } from '../support/suite.ts'
import { TELLING, welch } from '../support/welch.ts'

const device = () => nodePrimitives.random(16)

async function knock(stand: EndpointStand, who: Enter): Promise<BarePeer> {
  const line = await tcpLine(stand.endpoint.port)
  return new BarePeer(line, await shakeHands(line, who))
}

/** Everything that the endpoint says to this M3, until it hangs up, and how long that took. */
async function answerTo(stand: EndpointStand, who: Enter, spoil = (m3: Uint8Array) => m3) {
  const line = await tcpLine(stand.endpoint.port)
  const first = await startHandshake({
    primitives: nodePrimitives,
    host: 'localhost',
    pin: undefined,
    identity: who.identity,
    user: who.user,
    device: who.device ?? device(),
    now: () => performance.now(),
  })
  line.send(first.m1)
  const second = await first.receive((await line.next()) ?? assert.fail('no M2'))
  const began = performance.now()
  line.send(spoil(second.m3))
  const said: string[] = []
  const frame = await line.next()
  const ms = performance.now() - began
  for (let next = frame; next !== undefined; next = await line.next()) said.push(hex(next))
  return { said, ms }
}

/** So that thirty thousand refusals are refusals, and not `busy`. */
const UNLIMITED = { burst: 1e6, perSecond: 1e6 }

describe('who claims a name', () => {
  let stand: EndpointStand
  let owner: Identity
  let thief: Identity
  let dataDir: string

  before(async () => {
    ;[owner, thief] = await Promise.all([generateIdentity(), generateIdentity()])
    dataDir = await mkdtemp(join(tmpdir(), 'sotto-names-'))
    const store = await openStore(dataDir, { keptEpochs: KEPT_EPOCHS })
    await store.createAccount({
      skeleton: skeleton('barred'),
      user: 'barred',
      spki: owner.spki,
      password: null,
      disabled: true,
      createdAt: 0,
    })
    await store.close()
    stand = await EndpointStand.start({ dataDir, limits: { begun: UNLIMITED, proofs: UNLIMITED } })
    // She has many devices and `barred` has none: that must not be told by time either.
    for (let i = 0; i < 12; i++) await (await stand.enter('alice', { identity: owner })).close()
  })
  after(async () => {
    await stand.stop()
    await rm(dataDir, { recursive: true })
  })

  it('that another key has, in whatever case or look-alike letters, is not let in', async () => {
    for (const user of ['alice', 'ALICE', 'a1ice', 'alicе', 'Alíce', 'аlice']) {
      const error = await fails('handshake_failed', () => knock(stand, { user, identity: thief }))
      assert.equal(error.message, 'clear alert handshake_failed', user)
    }
    const peer = await knock(stand, { user: 'Alice', identity: owner })
    assert.equal(peer.params.account, 'alice')
    await peer.close()
  })

  it('that is not in its one form is not let in', async () => {
    for (const user of [' alice2', 'al\u200bice', 'a\u202elice', 'system', 'x'.repeat(40), 'аbс'])
      await fails('handshake_failed', () => knock(stand, { user, identity: thief }))
  })

  it('that two want at once gets it alone; the other is told so', async () => {
    const peers = await Promise.all(
      [owner, thief].map((identity) => knock(stand, { user: 'zoe', identity })),
    )
    const results = await Promise.allSettled(peers.map((peer) => peer.ask({ op: 'register' })))
    assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    const lost = results.find(({ status }) => status === 'rejected') as PromiseRejectedResult
    assert.equal(lost.reason.code, 'denied')
    await Promise.all(peers.map((peer) => peer.close()))
  })

  it('hears the same, byte for byte, whatever was wrong (D2)', async () => {
    const revoked = device()
    const here = await stand.enter('alice', { identity: owner })
    const there = await stand.enter('alice', { identity: owner, device: revoked })
    await there.ask({ op: 'sync' })
    await there.close()
    await here.ask({ op: 'remove_device', device: revoked })
    const forger = { ...thief, spki: owner.spki, sign: (data: never) => thief.sign(data) }
    const forged = forger as unknown as Identity
    const flip = (m3: Uint8Array) => m3.map((byte, i) => (i === m3.length - 1 ? byte ^ 1 : byte))
    const answers = [
      await answerTo(stand, { user: 'alice', identity: thief }),
      await answerTo(stand, { user: 'barred', identity: owner }),
      await answerTo(stand, { user: 'barred', identity: thief }),
      await answerTo(stand, { user: 'alice', identity: owner, device: revoked }),
      await answerTo(stand, { user: 'alice', identity: forged }),
      await answerTo(stand, { user: 'nobody', identity: forged }),
      await answerTo(stand, { user: 'alice', identity: owner }, flip),
      await answerTo(stand, { user: 'no\u200bname', identity: owner }),
    ]
    for (const { said } of answers) assert.deepEqual(said, ['1502'])
    await here.close()
  })

  it('cannot tell the causes apart by time (D2)', () =>
    seeded(async (random) => {
      if (!full) return // Thirty thousand handshakes, for the full run only.
      const causes = [
        { user: 'alice', identity: thief },
        { user: 'barred', identity: thief },
        { user: 'barred', identity: owner },
      ]
      const times: number[][] = causes.map(() => [])
      for (let i = 0; i < 30_000; i++) {
        const which = random.below(causes.length)
        const { said, ms } = await answerTo(stand, causes[which] as Enter)
        assert.deepEqual(said, ['1502'])
        times[which]?.push(ms)
      }
      const [first = [], ...others] = times
      for (const other of others) {
        const t = welch(first, other)
        console.log(`D2: t = ${t.toFixed(2)} over ${first.length} and ${other.length} refusals`)
        assert.isBelow(Math.abs(t), TELLING)
      }
    }))
})

describe('who guesses a password', () => {
  const SERVER = 'canary-server-password'
  const ACCOUNT = 'canary-account-password'
  let stand: EndpointStand
  let identity: Identity

  before(async () => {
    identity = await generateIdentity()
    stand = await EndpointStand.start({ serverPassword: SERVER })
  })
  after(() => stand.stop())

  const say = (
    peer: BarePeer,
    op: 'login' | 'register',
    accountPassword?: string,
    serverPassword?: string,
  ) =>
    peer.ask({
      op,
      ...(accountPassword === undefined ? {} : { accountPassword }),
      ...(serverPassword === undefined ? {} : { serverPassword }),
    })

  it('hears one answer for a missing, a wrong and a nearly right server password', async () => {
    const peer = await knock(stand, { user: 'alice', identity })
    assert.equal(peer.params.status, 'register')
    const answers: string[] = []
    for (const password of [undefined, `${SERVER}x`])
      answers.push(
        (await fails('denied', () => say(peer, 'register', undefined, password))).message,
      )
    assert.equal(answers[0], answers[1])
    await say(peer, 'register', ACCOUNT, SERVER)
    await peer.ask({ op: 'sync' })
    await peer.close()
  })

  it('needs the account password at a new connection, and not at a resumed one', async () => {
    const own = device()
    const { fingerprint } = stand.endpoint
    const who = { user: 'alice', identity, device: own, fingerprint }
    const peer = await knock(stand, who)
    assert.equal(peer.params.status, 'not_admitted')
    await fails('not_admitted', () => peer.ask({ op: 'sync' }))
    await say(peer, 'login', ACCOUNT)
    await peer.ask({ op: 'sync' })
    await peer.close()
    const again = await knock(stand, { ...who, ticket: peer.established.ticket })
    assert.equal(again.established.mode, 'resumed')
    assert.equal(again.params.status, 'ok')
    // A new password ends that: tickets of the old one are worth nothing.
    await fails('denied', () => again.ask({ op: 'set_password', next: 'other' }))
    await again.ask({ op: 'set_password', current: ACCOUNT, next: `${ACCOUNT}2` })
    await again.close()
    const third = await knock(stand, { ...who, ticket: again.established.ticket })
    assert.equal(third.established.mode, 'full')
    assert.equal(third.params.status, 'not_admitted')
    await say(third, 'login', `${ACCOUNT}2`)
    await third.close()
  })

  it('has five tries, many at once included; then even the right one is no use (D1)', async () => {
    const peers = await Promise.all(
      Array.from({ length: 7 }, () => knock(stand, { user: 'alice', identity })),
    )
    const passwords = ['1', '2', '3', '4', '5', '6', `${ACCOUNT}2`]
    const results = await Promise.allSettled(
      peers.map((peer, i) => say(peer, 'login', passwords[i])),
    )
    const texts = results.map((result) =>
      result.status === 'rejected' ? result.reason.message : 'let in',
    )
    assert.lengthOf(new Set(texts), 1)
    assert.match(texts[0] ?? '', /^denied/)
    await Promise.all(peers.map((peer) => peer.close()))
  })

  it('finds no password in the log', () => {
    const log = JSON.stringify(stand.log)
    assert.notInclude(log, SERVER)
    assert.notInclude(log, ACCOUNT)
    assert.include(log, 'login_refused')
  })
})
