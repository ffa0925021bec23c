/**
 * Makes the test vectors of the handshake, records, alerts and casts from fixed inputs, with our
 * code: `node test/vectors/make.ts` writes the files, a test compares. `check.py` recomputes all of
 * it with another implementation. Everything is hex; families are those of THREATS, C.4.
 */
import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { nodeX25519, nodePrimitives as p } from '../../relay/node_primitives.ts'
import {
  CLOSE_REASONS,
  clearAlert,
  readClearAlert,
  readSealedAlert,
  sealedAlert,
} from '../../web/protocol/alerts.ts'
import { type Bytes, concat, EMPTY, fromHex, hex, u8, u64, utf8 } from '../../web/protocol/bytes.ts'
import { CastSealer, chain, firstChain } from '../../web/protocol/cast.ts'
import { ALERTS } from '../../web/protocol/errors.ts'
import { startHandshake } from '../../web/protocol/handshake_client.ts'
import { acceptHandshake } from '../../web/protocol/handshake_server.ts'
import {
  ab,
  aeadOf,
  drv,
  ext,
  finished,
  nonceOf,
  seal1,
  transcriptOf,
  Z,
} from '../../web/protocol/key_schedule.ts'
import { encodeParams } from '../../web/protocol/params.ts'
import { CONTENT, type Content, encodeInner, RecordSealer } from '../../web/protocol/record.ts'
import { type Ticket, TicketStore } from '../../web/protocol/tickets.ts'
import { encryptOaep, signPss } from '../support/fixed_rsa.ts'
import { endpointKey } from '../support/handshake_rig.ts'
import { type Scripted, scripted } from '../support/scripted.ts'
import { negatives } from './make_negative.ts'

const keys = JSON.parse(
  readFileSync(fileURLToPath(new URL('keys.json', import.meta.url)), 'utf8'),
) as Record<'client' | 'server', { pkcs8: string; spki: string }>

export const HOST = 'host.example'
export const USER = 'zoë'
export const DEVICE = fill(0xd1, 16)

/** `length` bytes that are told from others by their first. */
export function fill(first: number, length: number): Bytes {
  return Uint8Array.from({ length }, (_, i) => (first + i * 7) & 0xff)
}

export const PARAMS = encodeParams({
  status: 'ok',
  sessionId: fill(0x51, 16),
  account: USER,
  logPub: fill(0x19, 32),
  limits: { maxMessage: 262_144, idle: 90 },
})

/** What is random in one handshake. */
export interface Inputs {
  readonly x25519Client: Bytes
  readonly x25519Server: Bytes
  readonly clientRandom: Bytes
  readonly serverRandom: Bytes
  readonly ss: Bytes
  readonly oaepSeed: Bytes
  readonly pssSalt: Bytes
}

export function inputs(run: number): Inputs {
  const at = (n: number) => fill(run * 16 + n, 32)
  return {
    x25519Client: at(1),
    x25519Server: at(2),
    clientRandom: at(3),
    serverRandom: at(4),
    ss: at(5),
    oaepSeed: at(6),
    pssSalt: at(7),
  }
}

const X25519_PKCS8 = fromHex('302e020100300506032b656e04220420')
const ED25519_PKCS8 = fromHex('302e020100300506032b657004220420')

function privateKey(prefix: Bytes, raw: Bytes) {
  const key = Buffer.from(concat(prefix, raw))
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
}

export function clientOptions(i: Inputs, ticket?: Ticket) {
  const primitives = scripted(
    {
      ...p,
      rsaEncrypt: (_, label, ss) => encryptOaep(keys.server.pkcs8, i.oaepSeed, label, ss),
    },
    {
      x25519: nodeX25519(privateKey(X25519_PKCS8, i.x25519Client)),
      random: [i.clientRandom, i.ss],
    },
  )
  return {
    primitives,
    host: HOST,
    pin: p.sha256(fromHex(keys.server.spki)) as Bytes,
    identity: {
      spki: fromHex(keys.client.spki),
      sign: async (data: Bytes) => signPss(keys.client.pkcs8, i.pssSalt, data),
    },
    user: USER,
    device: DEVICE,
    ticket,
    now: () => 0,
  }
}

export function serverOptions(i: Inputs, tickets = new TicketStore()) {
  const primitives = scripted(p, {
    x25519: nodeX25519(privateKey(X25519_PKCS8, i.x25519Server)),
    random: [i.serverRandom],
  })
  return {
    primitives,
    host: HOST,
    key: endpointKey(keys.server),
    tickets,
    admit: async () => ({ params: PARAMS, admission: '' }),
    rsa: <T>(work: () => Promise<T>) => work(),
    now: () => 0,
  }
}

/** Hex of everything that a run takes in. */
export function shown(i: Inputs) {
  return Object.fromEntries(Object.entries(i).map(([name, value]) => [name, hex(value)]))
}

async function run(name: string, i: Inputs, tickets: TicketStore, ticket?: Ticket) {
  const client = clientOptions(i, ticket)
  const server = serverOptions(i, tickets)
  const started = await startHandshake(client)
  const accepting = await acceptHandshake(server, started.m1)
  const answered = await started.receive(accepting.m2)
  const { m4 } = await accepting.receive(answered.m3)
  const established =
    answered.mode === 'full' ? await answered.receive(m4 ?? EMPTY) : answered.established
  const psk = client.primitives.seen.keys.at(-1) ?? ''
  const [c_ap, s_ap] = client.primitives.seen.keys.slice(-3)
  const vector = {
    name,
    mode: established.mode,
    inputs: shown(i),
    messages: [started.m1, accepting.m2, answered.m3, ...(m4 ? [m4] : [])].map(hex),
    hashes: client.primitives.seen.hashes,
    out: {
      c_ap,
      s_ap,
      exporter: hex(established.exporter),
      resumption: psk,
      ticket_id: hex(established.ticket.id),
      T_final: hex(established.transcript),
    },
  }
  return { vector, ticket: established.ticket }
}

const about = {
  host: HOST,
  user: USER,
  device: hex(DEVICE),
  params: hex(PARAMS),
  keys: 'keys.json: client signs, server decrypts',
}

/** Families 2, 3 and 4. */
async function handshakes() {
  const tickets = new TicketStore()
  const first = await run('full', inputs(1), tickets)
  const chainOf = [first.vector]
  let ticket = first.ticket
  for (let i = 2; i <= 4; i++) {
    const next = await run(`resumption ${i - 1}`, inputs(i), tickets, ticket)
    chainOf.push(next.vector)
    ticket = next.ticket
  }
  const refused = await run('the ticket is unknown: full', inputs(5), new TicketStore(), ticket)
  return {
    'handshake_full.json': { family: 2, ...about, runs: chainOf.slice(0, 1) },
    'resumption.json': { family: 3, ...about, runs: chainOf },
    'resumption_refused.json': { family: 4, ...about, runs: [...chainOf, refused.vector] },
  }
}

/** Family 1. */
async function keySchedule() {
  const noted: Scripted = scripted(p)
  const secret = await p.hmacKey(fill(1, 32))
  const last = () => noted.seen.keys.at(-1)
  const labels = ['derived', 's hs', 'c hs', 'c au', 's au', 'c ap', 's ap', 'exporter']
  const more = [
    'resumption',
    'early',
    'binder',
    'finished',
    'ticket id',
    'key',
    'iv',
    'upd',
    'cast kid',
  ]
  const drvs = []
  for (const label of [...labels, ...more])
    for (const context of [EMPTY, fill(2, 32)])
      drvs.push({ label, context: hex(context), out: hex(await drv(p, secret, label, context)) })
  const exts = []
  for (const [salt, ikm] of [
    [Z, Z],
    [fill(3, 32), Z],
    [fill(3, 32), fill(4, 32)],
  ] as const) {
    const given = hex(ikm)
    await ext(noted, await p.hmacKey(salt), ikm === Z ? Z : ikm.slice())
    exts.push({ salt: hex(salt), ikm: given, out: last() })
  }
  const message = utf8('message')
  const T = fill(5, 32)
  return {
    'key_schedule.json': {
      family: 1,
      drv: { secret: hex(fill(1, 32)), cases: drvs },
      ext: exts,
      seal1: {
        secret: hex(fill(1, 32)),
        aad: hex(T),
        message: hex(message),
        out: hex(await seal1(p, secret, T, message)),
      },
      transcript: [
        { host: 'localhost', out: hex(await transcriptOf(p, 'localhost')) },
        { host: 'zoë.example', out: hex(await transcriptOf(p, 'zoë.example')) },
      ],
      ab: [
        { T: hex(T), type: 1, body: '', out: hex(await ab(p, T, 1, EMPTY)) },
        { T: hex(T), type: 9, body: hex(message), out: hex(await ab(p, T, 9, message)) },
      ],
      finished: { secret: hex(fill(1, 32)), T: hex(T), out: hex(await finished(p, secret, T)) },
      nonce: [0, 1, 255, 2 ** 20, 2 ** 32 + 5].map((counter) => ({
        iv: hex(fill(9, 12)),
        counter,
        out: hex(nonceOf(fill(9, 12), counter)),
      })),
    },
  }
}

const SECRET = fill(0x77, 32)
/** A frame is given whole up to here, above it as its hash. */
const WHOLE = 600

async function frameOf(frame: Bytes) {
  const sha256 = hex(await p.sha256(frame))
  return frame.length <= WHOLE ? { frame: hex(frame) } : { length: frame.length, sha256 }
}

async function record(sealer: RecordSealer, content: Content, payload: Bytes, first = 0) {
  const seq = sealer.seq
  const frame = await sealer.seal({ content, payload })
  const given =
    payload.length <= WHOLE ? { payload: hex(payload) } : { first, length: payload.length }
  return { seq, content: CONTENT[content], given, out: await frameOf(frame) }
}

/** Family 6. A long payload is given by its first byte and length: byte i is first + 7 i. */
async function records() {
  const sealer = new RecordSealer(p, await p.hmacKey(SECRET))
  const cases = []
  const lengths = [0, 1, 253, 254, 255, 510, 511, 4093, 4094, 4095, 5117, 5118, 65_533, 65_534]
  for (const length of lengths)
    cases.push(await record(sealer, 'app', fill(length & 0xff, length), length & 0xff))
  for (const content of ['ping', 'pong'] as const) cases.push(await record(sealer, content, EMPTY))
  for (const [index] of CLOSE_REASONS.entries())
    cases.push(await record(sealer, 'close', concat(u8(index), u64(41))))
  cases.push(await record(sealer, 'close', concat(u8(0), new Uint8Array(8).fill(0xff))))
  cases.push(await record(sealer, 'keyUpdate', EMPTY))
  sealer.update()
  const updated = [await record(sealer, 'app', utf8('under the next key'))]
  const seq = 2 ** 20
  const { aead, iv } = await aeadOf(p, await p.hmacKey(SECRET))
  const inner = encodeInner({ content: 'keyUpdate', payload: EMPTY })
  const header = fromHex('17000110')
  const late = concat(header, await aead.seal(nonceOf(iv, seq), header, inner))
  const far = { seq, content: CONTENT.keyUpdate, given: { payload: '' }, out: { frame: hex(late) } }
  return {
    'records.json': { family: 6, secret: hex(SECRET), cases: [...cases, far], updated },
  }
}

/** Family 7. */
async function alerts() {
  const cases = []
  for (const [code, name] of ALERTS.entries()) {
    const clear = attempt(() => readClearAlert(Uint8Array.of(0x15, code)))
    const inside = attempt(() => readSealedAlert(u8(code)))
    const sealer = new RecordSealer(p, await p.hmacKey(SECRET))
    cases.push({
      code,
      name,
      clear: clear === undefined ? null : hex(clearAlert(clear)),
      sealed:
        inside === undefined
          ? null
          : (await record(sealer, 'alert', sealedAlert(inside))).out.frame,
    })
  }
  return { 'alerts.json': { family: 7, secret: hex(SECRET), cases } }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** Family 10. */
async function casts() {
  const room = fill(0x21, 16)
  const seed = fill(0x31, 32)
  const logKey = privateKey(ED25519_PKCS8, seed)
  const log = { sign: (data: Bytes) => new Uint8Array(sign(null, data, logKey)) }
  const secret = fill(0x41, 32)
  const sealer = new CastSealer(p, secret, log)
  const kid = hex(await sealer.kid())
  const start = await firstChain(p, room)
  let before = start
  const entries = []
  for (const [i, length] of [0, 1, 300].entries()) {
    const [seq, mls] = [i + 7, fill(i, length)]
    before = await chain(p, before, seq, mls)
    const frame = hex(await sealer.seal({ room, seq, chain: before, mls }))
    entries.push({ seq, mls: hex(mls), chain: hex(before), counter: i, frame })
  }
  const given = { room: hex(room), log_key_seed: hex(seed), cast_secret: hex(secret) }
  return { 'casts.json': { family: 10, ...given, kid, first_chain: hex(start), entries } }
}

/** Every file, as text. */
export async function make(): Promise<Record<string, string>> {
  const files = {
    ...(await keySchedule()),
    ...(await handshakes()),
    ...(await records()),
    ...(await alerts()),
    ...(await casts()),
    'negative.json': { family: 13, ...about, ...(await negatives()) },
  }
  return Object.fromEntries(
    Object.entries(files).map(([name, file]) => [name, `${JSON.stringify(file, null, 1)}\n`]),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [name, text] of Object.entries(await make()))
    writeFileSync(fileURLToPath(new URL(name, import.meta.url)), text)
