/**
 * THREATS R17: casts, as a relay and a subscriber together can forge, move and lose them. The
 * subscriber gives the relay every secret that it was told; the clients are whole ones.
 */
import { nodePrimitives as p } from '../../relay/node_primitives.ts'
import type { Dial } from '../../web/chat/transport.ts'
import { type Bytes, concat, equal, hex, u64 } from '../../web/protocol/bytes.ts'
import { chain, encodeEntry } from '../../web/protocol/cast.ts'
import { aeadOf, drv, nonceOf } from '../../web/protocol/key_schedule.ts'
import { EvilMember } from '../support/evil_member.ts'
import { inLobby, lobbyOf, type Peer, Stand, texts } from '../support/peers.ts'
import { full, type Random, random, seeded } from '../support/random.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'
import { explained } from '../support/whereabouts.ts'

const SEEDS = full ? 100 : 5
const KID = 16
const HEAD = KID + 8
const SIGNATURE = 64

/** What a cast secret opens and seals, without a look at any signature. */
async function underSecret(secret: Bytes) {
  const key = await p.hmacKey(secret)
  const kid = (await drv(p, key, 'cast kid')).slice(0, KID)
  const { aead, iv } = await aeadOf(p, key)
  return {
    kid,
    owns: (frame: Bytes) => equal(frame.slice(0, KID), kid),
    counter: (frame: Bytes) => Number(new DataView(frame.buffer).getBigUint64(KID)),
    open: (frame: Bytes) =>
      aead.open(
        nonceOf(iv, Number(new DataView(frame.slice(0, HEAD).buffer).getBigUint64(KID))),
        frame.slice(0, HEAD),
        frame.slice(HEAD),
      ),
    async seal(counter: number, plaintext: Bytes): Promise<Bytes> {
      const aad = concat(kid, u64(counter))
      return concat(aad, await aead.seal(nonceOf(iv, counter), aad, plaintext))
    },
  }
}
type Secret = Awaited<ReturnType<typeof underSecret>>

/** Alice's way to the endpoint, in the hands of a relay. */
class Relay {
  /** What becomes of a cast on its way to alice. */
  casts: (frame: Bytes) => Bytes[] = (frame) => [frame]
  /** The casts that it has carried to her in this session: those of others are no casts to her. */
  readonly carried: Bytes[] = []
  readonly secrets: Secret[] = []
  #inject: (frame: Bytes) => void = () => undefined

  through(dial: Dial): Dial {
    return async (signal) => {
      const real = await dial(signal)
      this.carried.length = 0
      const waiting: Bytes[] = []
      let wake: () => void = () => undefined
      let over = false
      const give = (frame: Bytes): void => {
        waiting.push(frame)
        wake()
      }
      void (async () => {
        for await (const frame of real) {
          const copy = new Uint8Array(frame)
          if (!this.isCast(copy)) give(copy)
          else {
            this.carried.push(copy)
            for (const out of this.casts(copy)) give(out)
          }
        }
        over = true
        wake()
      })()
      this.#inject = give
      return {
        send: (frame) => real.send(frame),
        get buffered() {
          return real.buffered
        },
        close: () => real.close(),
        closed: real.closed,
        async *[Symbol.asyncIterator]() {
          for (;;) {
            for (let frame = waiting.shift(); frame; frame = waiting.shift()) yield frame
            if (over) return
            await new Promise<void>((resolve) => {
              wake = resolve
            })
          }
        },
      }
    }
  }

  isCast(frame: Bytes): boolean {
    return this.secrets.some((secret) => secret.owns(frame))
  }

  inject(frame: Bytes): void {
    this.#inject(frame)
  }
}

describe('a relay and a subscriber who work together', () => {
  let stand: Stand
  let alice: Peer
  let bob: Peer
  let eve: EvilMember
  let relay: Relay
  let room: ReturnType<typeof lobbyOf>
  let said = 0

  before(async () => {
    stand = await Stand.start()
    ;[bob] = (await stand.join('bob')) as [Peer]
    room = lobbyOf(bob.chat)
    eve = await EvilMember.join(stand.endpoint, 'eve')
    const { castSecret } = await eve.peer.subscribe(eve.room)
    relay = new Relay()
    relay.secrets.push(await underSecret(castSecret))
    alice = await stand.peer('alice', { dial: relay.through(stand.dial), random: () => 0 })
    alice.chat.addEventListener('change', () => {
      if (alice.chat.state.connection.phase === 'offline') setTimeout(() => alice.chat.wake(), 10)
    })
    alice.chat.connect()
    await explained([alice, bob], async () => {
      await inLobby(alice.chat)
      await untilSame()
      await talk(1)
    })
  })
  after(async () => {
    await eve?.close()
    await stand?.close()
  })

  /** Every secret that eve was told so far, newest first. */
  async function secret(): Promise<Secret> {
    for (const event of eve.peer.events.splice(0))
      if (event.ev === 'cast_secret' && equal(event.room, eve.room))
        relay.secrets.unshift(await underSecret(event.castSecret))
    return relay.secrets[0] ?? assert.fail('no secret')
  }

  async function untilSame(): Promise<string[]> {
    const wanted = (await texts(bob.chat, room)).filter((text) => /: said/.test(text))
    const last = wanted.at(-1)
    await until(
      alice.chat,
      async () => last === undefined || (await texts(alice.chat, room)).includes(last),
      `alice has ${last}`,
    )
    return wanted
  }

  /** Bob says `count` things and has them back; alice may not have them yet. */
  async function talk(count: number): Promise<void> {
    const first = said
    for (let i = 0; i < count; i++) await bob.chat.send(room, `said ${said++}`)
    const all = Array.from({ length: count }, (_, i) => `bob: said ${first + i}`)
    await until(bob.chat, async () => {
      const seen = await texts(bob.chat, room)
      return all.every((text) => seen.includes(text))
    })
    await secret()
  }

  /** Alice has what bob has: each once, in one order, and nothing else (I2, I3). */
  async function agreed(): Promise<void> {
    const wanted = await untilSame()
    assert.deepEqual(
      (await texts(alice.chat, room)).filter((text) => /: /.test(text)),
      wanted,
    )
  }

  /** A cast that the endpoint signed, opened: entry and signature. */
  async function signed(chance: Random): Promise<{ frame: Bytes; plaintext: Bytes; by: Secret }> {
    while (relay.carried.length === 0) {
      await talk(1)
      await agreed()
    }
    const frame = chance.pick(relay.carried.slice(-20))
    const by = relay.secrets.find((one) => one.owns(frame)) ?? assert.fail('unknown secret')
    return { frame, plaintext: await by.open(frame), by }
  }

  /** A counter that alice has not seen under the newest secret. */
  const fresh = (chance: Random) => 2 ** 30 + chance.below(2 ** 20)

  const tampered = () => alice.chat.state.notices.some(({ id }) => id === 'tampered')

  /** The session ends with a notice, another one begins, and nothing of it was believed. */
  async function foundOut(): Promise<void> {
    await until(alice.chat, tampered, 'it is noticed')
    alice.chat.dismiss('tampered')
    await inLobby(alice.chat)
    await talk(1)
    await agreed()
  }

  /** Nothing happens: no notice, no other session. */
  async function ignored(): Promise<void> {
    await talk(1)
    await agreed()
    assert.isFalse(tampered())
  }

  const ATTACKS: Record<string, (chance: Random) => Promise<void>> = {
    async 'forge an entry with the true cast secret'(chance) {
      const newest = await secret()
      const { plaintext } = await signed(chance)
      const log = await eve.log()
      const mls = chance.below(2) ? (log.at(-1) as Bytes) : chance.bytes(300)
      const seq = log.length + 1
      const at = await chain(p, chance.bytes(32), seq, mls)
      const forger = await p.ed25519()
      const entry = encodeEntry({ room: eve.room, seq, chain: at, mls })
      const own = await forger.sign(entry)
      const borrowed = plaintext.slice(-SIGNATURE)
      const signature = chance.pick([own, borrowed, new Uint8Array(SIGNATURE)])
      relay.inject(await newest.seal(fresh(chance), concat(entry, signature)))
      await foundOut()
    },
    async 'change a signed entry'(chance) {
      const newest = await secret()
      const { plaintext } = await signed(chance)
      const changed = new Uint8Array(plaintext)
      const bit = chance.below(changed.length * 8)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      relay.inject(await newest.seal(fresh(chance), changed))
      await foundOut()
    },
    async 'replay casts as they were'(chance) {
      for (let i = 0; i < 5; i++) relay.inject((await signed(chance)).frame)
      await ignored()
    },
    async 'seal an old entry anew, under the newest secret or its own'(chance) {
      const newest = await secret()
      const { plaintext, by } = await signed(chance)
      const under = chance.pick([newest, by])
      // The last counter that alice has taken, and one more: those in between still have to come.
      const seen = relay.carried.filter((frame) => under.owns(frame)).map(under.counter)
      const counter = Math.max(-1, ...seen) + 1
      relay.inject(await under.seal(counter, plaintext))
      await talk(1)
      await agreed()
      assert.isFalse(tampered())
    },
    async 'move an entry to another room'(chance) {
      const { room: other } = await eve.peer.ask({ op: 'open_private', user: 'alice' })
      const { castSecret } = await eve.peer.subscribe(other.room)
      const id = hex(other.room)
      await until(alice.chat, ({ rooms }) => rooms.some((one) => one.room === id))
      const there = await underSecret(castSecret)
      const { plaintext } = await signed(chance)
      relay.inject(await there.seal(fresh(chance), plaintext))
      // Until alice has subscribed there it is no cast at all to her, and no record either.
      await foundOut()
    },
    async 'make up a secret that was never told'(chance) {
      const own = await underSecret(chance.bytes(32))
      const { plaintext } = await signed(chance)
      relay.inject(await own.seal(0, plaintext))
      await foundOut()
    },
    async 'lose casts'(chance) {
      const lost = 1 + chance.below(6)
      let left = lost
      relay.casts = (frame) => (left-- > 0 ? [] : [frame])
      await talk(lost + chance.below(3))
      await agreed()
      relay.casts = (frame) => [frame]
      await ignored()
    },
    async 'put casts into another order, or double them'(chance) {
      const held: Bytes[] = []
      relay.casts = (frame) => {
        held.push(frame)
        if (chance.below(3) > 0) return []
        const out = held.splice(0)
        out.sort(() => chance.below(2) - 0.5)
        return chance.below(2) ? out : [...out, ...out]
      }
      await talk(3 + chance.below(5))
      relay.casts = (frame) => [frame]
      for (const frame of held) relay.inject(frame)
      await ignored()
    },
    async 'cut a cast short'(chance) {
      const newest = await secret()
      const whole = await newest.seal(fresh(chance), chance.bytes(120))
      relay.inject(whole.slice(0, KID + chance.below(whole.length - KID)))
      await foundOut()
    },
  }

  for (const [name, attack] of Object.entries(ATTACKS))
    it(`${name}: in vain, over ${SEEDS} seeds`, () =>
      seeded(async (chance) => {
        for (let i = 0; i < SEEDS; i++) {
          const one = random(chance.u32())
          try {
            await explained([alice, bob], () => attack(one))
          } catch (error) {
            if (error instanceof Error) error.message += ` (case of seed ${one.seed})`
            throw error
          }
        }
      }))
})
