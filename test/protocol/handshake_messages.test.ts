import {
  clearAlert,
  clearAlertFor,
  readClearAlert,
  readSealedAlert,
  sealedAlert,
  sealedAlertFor,
} from '../../web/protocol/alerts.ts'
import { type Bytes, concat, EMPTY, hex, lp16, u8, u16 } from '../../web/protocol/bytes.ts'
import { ALERTS, SottoError } from '../../web/protocol/errors.ts'
import { startHandshake } from '../../web/protocol/handshake_client.ts'
import {
  decodeHello,
  decodeM2,
  decodeM3,
  decodeP2,
  decodeProof,
  decodeWelcome,
  encodeHello,
  encodeId,
  encodeProof,
  encodeServerHello,
  encodeWelcome,
} from '../../web/protocol/handshake_messages.ts'
import { acceptHandshake } from '../../web/protocol/handshake_server.ts'
import type { HandshakeStep } from '../../web/protocol/handshake_steps.ts'
import { decodeParams, encodeParams, type Params } from '../../web/protocol/params.ts'
import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { PARAMS, Rig, signer } from '../support/handshake_rig.ts'
import { full, type Random, seeded } from '../support/random.ts'
import { scripted } from '../support/scripted.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

const hello = {
  suites: [1],
  random: new Uint8Array(32).fill(1),
  shares: [{ group: 0x1d, share: new Uint8Array(32).fill(2) }],
  ticketId: EMPTY,
  binder: EMPTY,
}
const peer = { spki: signer('client').spki, user: 'zoë', device: new Uint8Array(16).fill(3) }

function code(work: () => unknown): string {
  try {
    work()
    return 'none'
  } catch (error) {
    return error instanceof SottoError ? error.code : `threw ${error}`
  }
}

describe('M1', () => {
  it('is read as it was written', () => {
    assert.deepEqual(decodeHello(encodeHello(hello)), hello)
    const more = {
      ...hello,
      suites: [7, 1],
      shares: [{ group: 0x11ec, share: new Uint8Array(1216) }, ...hello.shares],
      ticketId: new Uint8Array(16),
      binder: new Uint8Array(32),
    }
    assert.deepEqual(decodeHello(encodeHello(more)), more)
  })

  it('of another version is told so', () => {
    const m1 = encodeHello(hello)
    assert.equal(
      code(() => decodeHello(concat(u16(2), m1.slice(2)))),
      'protocol_version',
    )
  })

  it('over 4 KiB, with empty lists, half a ticket or one group twice is refused', () => {
    const [share] = hello.shares
    const wrong = [
      { ...hello, shares: [{ group: 9, share: new Uint8Array(4096) }] },
      { ...hello, suites: [] },
      { ...hello, shares: [] },
      { ...hello, ticketId: new Uint8Array(16) },
      { ...hello, binder: new Uint8Array(32) },
      { ...hello, ticketId: new Uint8Array(15), binder: new Uint8Array(32) },
      { ...hello, shares: share ? [share, share] : [] },
    ]
    for (const bad of wrong)
      assert.equal(
        code(() => decodeHello(encodeHello(bad))),
        'decode_error',
      )
  })
})

describe('the proof in E3b', () => {
  const sig = new Uint8Array(384).fill(4)
  const finC = new Uint8Array(32).fill(5)

  it('has one size for every key and name', () => {
    const short = { ...peer, spki: signer('short').spki, user: 'a' }
    for (const who of [peer, short, { ...peer, spki: new Uint8Array(550), user: 'é'.repeat(32) }])
      assert.lengthOf(encodeProof(encodeId(who), new Uint8Array(512), finC), 1536)
  })

  it('is read as it was written', () => {
    const id = encodeId(peer)
    assert.deepEqual(decodeProof(encodeProof(id, sig, finC)), { id, peer, sig, finC })
  })

  it('is refused with names that are not NFC, empty, too long or not UTF-8', () => {
    const raw = (name: Bytes) => concat(lp16(peer.spki), u8(name.length), name, peer.device)
    const text = (name: string) => raw(new TextEncoder().encode(name) as Bytes)
    const good = [text('zoë'), text('é'.repeat(32))]
    const bad = [text('zoe\u0308'), text(''), text('x'.repeat(65)), raw(Uint8Array.of(0xff))]
    for (const id of good)
      assert.equal(
        code(() => decodeProof(encodeProof(id, sig, finC))),
        'none',
      )
    for (const id of bad)
      assert.equal(
        code(() => decodeProof(encodeProof(id, sig, finC))),
        'decode_error',
      )
  })

  it('is refused with padding in another way', () => {
    const good = encodeProof(encodeId(peer), sig, finC)
    const end = good.lastIndexOf(0x80)
    const flip = (at: number) => {
      const changed = new Uint8Array(good)
      changed[at] = (changed[at] ?? 0) ^ 1
      return changed
    }
    const bad = [flip(end), flip(1535), good.slice(0, 1535), concat(good, new Uint8Array(1536))]
    for (const padded of bad)
      assert.equal(
        code(() => decodeProof(padded)),
        'decode_error',
      )
  })
})

describe('params', () => {
  it('are read as they were written, and in no other way', () => {
    const params: Params = {
      status: 'not_admitted',
      sessionId: new Uint8Array(16).fill(1),
      account: 'zoë',
      logPub: new Uint8Array(32).fill(2),
      limits: { maxMessage: 1_000_000, idle: 90 },
    }
    const bytes = encodeParams(params)
    assert.deepEqual(decodeParams(bytes), params)
    assert.equal(
      code(() => decodeParams(concat(bytes, u8(0)))),
      'decode_error',
    )
    assert.equal(
      code(() => decodeParams(bytes.slice(1))),
      'decode_error',
    )
    assert.equal(
      code(() => decodeParams(concat(u8(3), bytes.slice(1)))),
      'decode_error',
    )
  })
})

describe('alerts', () => {
  it('in clear are two bytes, and five of them exist', () => {
    const clear = ALERTS.filter((_, index) => {
      try {
        return readClearAlert(Uint8Array.of(0x15, index)) !== undefined
      } catch {
        return false
      }
    })
    assert.deepEqual(clear, [
      'protocol_version',
      'busy',
      'handshake_failed',
      'decode_error',
      'no_such_host',
    ])
    for (const alert of ['busy', 'no_such_host'] as const)
      assert.equal(readClearAlert(clearAlert(alert)), alert)
    assert.isUndefined(readClearAlert(new Uint8Array(3)))
    assert.isUndefined(readClearAlert(EMPTY))
  })

  it('in clear name no cause that a stranger should not know', () => {
    for (const secret of ['bad_key', 'crypto_failed', 'illegal_parameter', 'revoked'] as const)
      assert.deepEqual(clearAlertFor(new SottoError(secret, '')), clearAlert('handshake_failed'))
    assert.deepEqual(clearAlertFor(new TypeError('x')), clearAlert('handshake_failed'))
    assert.deepEqual(clearAlertFor(new SottoError('busy', '')), clearAlert('busy'))
  })

  it('that are sealed are one byte', () => {
    assert.equal(readSealedAlert(sealedAlert('revoked')), 'revoked')
    assert.equal(sealedAlertFor(new SottoError('limit', '')), 'limit')
    assert.equal(sealedAlertFor(new TypeError('x')), 'internal')
    for (const payload of [EMPTY, u8(1), u8(200), new Uint8Array(2)])
      assert.equal(
        code(() => readSealedAlert(payload)),
        'decode_error',
      )
  })
})

describe('the view of a handshake', () => {
  const roles = ['client', 'server'] as const

  async function traced() {
    const steps: Record<(typeof roles)[number], HandshakeStep[]> = { client: [], server: [] }
    const primitives = scripted(webPrimitives)
    const rig = new Rig(primitives, {
      client: { trace: (step) => steps.client.push(step) },
      server: { trace: (step) => steps.server.push(step) },
    })
    const first = await rig.run()
    const count = { client: steps.client.length, server: steps.server.length }
    const second = await rig.run({ pin: await rig.pin(), ticket: first.client.ticket })
    return { steps, count, first, second, keys: primitives.seen.keys }
  }

  it('ends with the transcript hash that both sides share', async () => {
    const { steps, count, first, second } = await traced()
    for (const role of roles) {
      assert.equal(steps[role][count[role] - 1]?.transcript, hex(first.client.transcript))
      assert.equal(steps[role].at(-1)?.transcript, hex(second.client.transcript))
    }
  })

  it('shows every frame with its size', async () => {
    const { steps, count, first } = await traced()
    for (const role of roles) {
      const wire = steps[role].slice(0, count[role]).filter(({ direction }) => direction !== 'own')
      assert.deepEqual(
        wire.map(({ bytes }) => bytes),
        first.frames.map(({ length }) => length),
      )
    }
  })

  it('never shows a secret: no key of the schedule is in it', async () => {
    const { steps, first, keys } = await traced()
    const shown = JSON.stringify(steps)
    for (const key of [...keys, hex(first.client.exporter)])
      if (!/^0+$/.test(key)) assert.notInclude(shown, key)
  })

  it('says in a sentence what each step proves', async () => {
    const { steps } = await traced()
    for (const { name, proves, at } of [...steps.client, ...steps.server]) {
      assert.isNotEmpty(name)
      assert.match(proves, /^[A-Z].{20,}\.$/)
      assert.isAtLeast(at, 0)
    }
  })
})

const ROUNDS = full ? 1_000_000 : 10_000
/** All that decoders may answer. */
const NAMED = new Set(['none', 'decode_error', 'protocol_version'])

/** Bytes that nearly are the message: changed, cut, lengthened, or chance. */
function mutate(random: Random, bytes: Bytes): Bytes {
  const changed = new Uint8Array(bytes)
  switch (random.below(4)) {
    case 0:
      for (let i = random.below(4); i >= 0; i--)
        changed[random.below(changed.length)] = random.pick([
          0,
          1,
          0x7f,
          0x80,
          0xff,
          random.below(256),
        ])
      return changed
    case 1:
      return changed.slice(0, random.below(changed.length + 1))
    case 2:
      return concat(changed, random.bytes(random.below(40)))
    default:
      return random.bytes(random.below(200))
  }
}

describe('decoders of M1 to M4, given any bytes', () => {
  const m2 = concat(
    encodeServerHello({
      suite: 1,
      group: 0x1d,
      random: hello.random,
      share: hello.random,
      mode: 0,
    }),
    lp16(new Uint8Array(30)),
  )
  const targets: readonly { name: string; seed: Bytes; decode: (bytes: Bytes) => unknown }[] = [
    { name: 'M1', seed: encodeHello(hello), decode: decodeHello },
    { name: 'M2', seed: m2, decode: decodeM2 },
    { name: 'P2', seed: concat(lp16(peer.spki), u8(1), u8(65)), decode: decodeP2 },
    { name: 'M3', seed: concat(lp16(hello.random), lp16(hello.random)), decode: decodeM3 },
    {
      name: 'E3b',
      seed: encodeProof(encodeId(peer), new Uint8Array(384), new Uint8Array(32)),
      decode: decodeProof,
    },
    { name: 'M4', seed: encodeWelcome(PARAMS, new Uint8Array(32)), decode: decodeWelcome },
    { name: 'params', seed: PARAMS, decode: decodeParams },
  ]
  for (const { name, seed, decode } of targets)
    it(`read ${name} or refuse it by name`, () =>
      seeded((random) => {
        for (let i = 0; i < ROUNDS; i++) {
          const bytes = mutate(random, seed)
          const got = code(() => decode(bytes))
          if (!NAMED.has(got)) assert.fail(`${got}: ${hex(bytes)}`)
        }
      }))

  it('read M1 in one way only: what is accepted is written again as it was', () =>
    seeded((random) => {
      for (let i = 0; i < ROUNDS; i++) {
        const bytes = mutate(random, encodeHello(hello))
        if (code(() => decodeHello(bytes)) === 'none')
          assert.equal(hex(encodeHello(decodeHello(bytes))), hex(bytes))
      }
    }))
})

describe('an endpoint or a client given rubbish', () => {
  it('refuses it by name, in every state', () =>
    seeded(async (random) => {
      const rig = new Rig(webPrimitives)
      const { frames } = await rig.run()
      const named =
        /^(decode_error|protocol_version|handshake_failed|illegal_parameter|crypto_failed|busy|no_such_host)$/
      for (let i = 0; i < (full ? 20_000 : 60); i++) {
        const m1 = mutate(random, frames[0] as Bytes)
        const started = await startHandshake(rig.client)
        const errors = await Promise.allSettled([
          acceptHandshake(rig.server, m1),
          started.receive(mutate(random, frames[1] as Bytes)),
        ])
        for (const outcome of errors)
          if (outcome.status === 'rejected') assert.match(outcome.reason.code, named)
      }
    }))

  it('takes no step twice', async () => {
    const rig = new Rig(webPrimitives)
    const started = await startHandshake(rig.client)
    await started.receive(EMPTY).catch(() => {})
    await fails('unexpected_message', () => started.receive(EMPTY))
  })
})
