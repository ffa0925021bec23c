/**
 * Handshakes, both sides in this process: ours against node:tls with TLS 1.3, RSA-3072 and client
 * certificates, and a resumption against the full one. They take turns, so that whatever else
 * the machine does hits all of them; medians of the turns are compared.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Duplex, duplexPair } from 'node:stream'
import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { Rig } from '../support/handshake_rig.ts'
import { type Figure, median } from './figure.ts'

const ROUNDS = 15
const PER_ROUND = 20
/** Our RSA runs in libuv's threads, that of node:tls on the main one. */
const FLIGHTS = 4

type Handshake = () => Promise<void>

/** M1 to M4 with RSA on both sides, sessions ready to carry records. */
export function fullHandshake(): Handshake {
  const rig = new Rig(nodePrimitives)
  return async () => {
    await rig.run()
  }
}

/** M1 to M3, each with the ticket that the one before left. */
export async function resumption(): Promise<Handshake> {
  const rig = new Rig(nodePrimitives)
  const pin = await rig.pin()
  let last = await rig.run()
  return async () => {
    last = await rig.run({ pin, ticket: last.client.ticket })
    if (last.client.mode !== 'resumed') throw new Error('the ticket was not taken')
  }
}

/** A self-signed RSA-3072 certificate, made by openssl. */
function certificate(folder: string, name: string): { key: Buffer; cert: Buffer } {
  const key = join(folder, `${name}.key`)
  const cert = join(folder, `${name}.pem`)
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:3072', '-nodes', '-keyout', key, '-out', cert].concat([
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=DNS:${name}`,
      '-days',
      '2',
    ]),
    { stdio: 'ignore' },
  )
  return { key: readFileSync(key), cert: readFileSync(cert) }
}

/**
 * TLS 1.3 with X25519, RSA-3072 on both sides, certificates checked on both sides, no session
 * reuse, over a pair of streams in memory: neither of the two pays for sockets.
 */
export function tlsHandshake(): Handshake {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-bench-'))
  try {
    const server = certificate(folder, 'localhost')
    const client = certificate(folder, 'client')
    const common = { minVersion: 'TLSv1.3', ecdhCurve: 'X25519' } as const
    const ours = createSecureContext({ ...common, ...server, ca: client.cert })
    const theirs = createSecureContext({ ...common, ...client, ca: server.cert })
    return () => tlsOnce(duplexPair(), ours, theirs)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function tlsOnce(
  [near, far]: [Duplex, Duplex],
  ours: SecureContext,
  theirs: SecureContext,
): Promise<void> {
  const server = new TLSSocket(far, {
    isServer: true,
    secureContext: ours,
    requestCert: true,
    rejectUnauthorized: true,
  })
  const client = connect({ socket: near, secureContext: theirs, servername: 'localhost' })
  await Promise.all([
    new Promise((resolve, reject) => server.once('secure', resolve).once('error', reject)),
    new Promise((resolve, reject) => client.once('secureConnect', resolve).once('error', reject)),
  ])
  if (!client.authorized || client.getProtocol() !== 'TLSv1.3')
    throw new Error('not what was meant')
  if (server.getPeerCertificate().subject === undefined) throw new Error('no client certificate')
  client.destroy()
  server.destroy()
}

/** Milliseconds for one, over a round with this many under way at any time. */
async function round(handshake: Handshake, flights: number): Promise<number> {
  let left = PER_ROUND
  const flight = async (): Promise<void> => {
    while (left-- > 0) await handshake()
  }
  // What the kind before has left behind is not ours to clear away.
  globalThis.gc?.()
  const start = performance.now()
  await Promise.all(Array.from({ length: flights }, flight))
  return (performance.now() - start) / PER_ROUND
}

/** Medians, in milliseconds for one, of kinds that take turns. */
async function compare(kinds: readonly Handshake[], flights: number): Promise<number[]> {
  const times = kinds.map((): number[] => [])
  for (const kind of kinds) await round(kind, flights)
  for (let i = 0; i < ROUNDS; i++)
    for (const [index, kind] of kinds.entries()) times[index]?.push(await round(kind, flights))
  return times.map(median)
}

export async function bench(): Promise<readonly Figure[]> {
  const kinds = [fullHandshake(), tlsHandshake(), await resumption()]
  const [full = 0, tls = 0, resumed = 0] = await compare(kinds, 1)
  const [fullBusy = 0, tlsBusy = 0] = await compare(kinds.slice(0, 2), FLIGHTS)
  const peer = 'node:tls, TLS 1.3, RSA-3072 on both sides'
  return [
    {
      name: `full handshakes, both sides, ${FLIGHTS} under way`,
      value: 1000 / fullBusy,
      unit: '/s',
      ratio: tlsBusy / fullBusy,
      against: `${peer} (${(1000 / tlsBusy).toFixed(0)} /s)`,
      goal: { atLeast: 1 },
    },
    {
      name: 'full handshake, both sides, one at a time',
      value: full,
      unit: 'ms',
      ratio: tls / full,
      against: `${peer} (${tls.toFixed(2)} ms)`,
    },
    {
      name: 'resumption, both sides, one at a time',
      value: resumed,
      unit: 'ms',
      ratio: full / resumed,
      against: 'the full handshake',
      goal: { atLeast: 5 },
    },
  ]
}
