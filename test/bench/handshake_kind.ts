/**
 * One kind of handshake, both sides of it in this process and nothing else: `full`, `tls` or
 * `resumed`. Each kind has its own heap and its own warm code, as in a server that does only that.
 * A round is asked for as a message and answered with what one handshake of it took.
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { connect, createSecureContext, createServer, type TLSSocket } from 'node:tls'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { signerOf } from '../../relay/peer/signer.ts'
import { fromHex } from '../../web/protocol/bytes.ts'
import { importIdentityPem } from '../../web/protocol/identity.ts'
import { writePem } from '../../web/protocol/pem.ts'
import { Rig } from '../support/handshake_rig.ts'
import keys from '../vectors/keys.json' with { type: 'json' }

export type Kind = 'full' | 'tls' | 'resumed'

export interface Round {
  readonly handshakes: number
  /** So many under way at any time. */
  readonly flights: number
}

/** For one handshake, in milliseconds: by the clock, and of the processor in all threads. */
export interface Took {
  readonly wall: number
  readonly cpu: number
}

type Handshake = () => Promise<void>

/** Before each round: the other kinds have had the processor's caches since the last one. */
const WARM_UP = 4

/** An endpoint, and a headless peer with the RSA-3072 key that it would have in a file. */
async function rigged(): Promise<Rig> {
  const pem = writePem('PRIVATE KEY', fromHex(keys.client.pkcs8))
  const identity = signerOf(await importIdentityPem(pem))
  return new Rig(nodePrimitives, { client: { identity } })
}

/** M1 to M4 with RSA on both sides, sessions ready to carry records. */
async function full(): Promise<Handshake> {
  const rig = await rigged()
  const pin = await rig.pin()
  return async () => {
    const { client } = await rig.run({ pin })
    if (client.mode !== 'full') throw new Error('a ticket was taken')
  }
}

/** M1 to M3, each with a ticket that one before has left. */
async function resumed(): Promise<Handshake> {
  const rig = await rigged()
  const pin = await rig.pin()
  let { ticket } = (await rig.run()).client
  return async () => {
    const { client } = await rig.run({ pin, ticket })
    if (client.mode !== 'resumed') throw new Error('the ticket was not taken')
    ticket = client.ticket
  }
}

/** A self-signed RSA-3072 certificate, made by openssl. */
function certificate(folder: string, name: string): { key: Buffer; cert: Buffer } {
  const key = join(folder, `${name}.key`)
  const cert = join(folder, `${name}.pem`)
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-days', '2']
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:3072', '-nodes', '-keyout', key, '-out', cert, ...subject],
    { stdio: 'ignore' },
  )
  return { key: readFileSync(key), cert: readFileSync(cert) }
}

/**
 * TLS 1.3 with X25519, RSA-3072 on both sides, certificates checked on both sides, no session
 * reuse, over a pair of streams in memory: neither of the two pays for sockets.
 */
async function tls(): Promise<Handshake> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-bench-'))
  const server = certificate(folder, 'localhost')
  const client = certificate(folder, 'client')
  rmSync(folder, { recursive: true })
  const common = { minVersion: 'TLSv1.3', ecdhCurve: 'X25519' } as const
  const checked = { ca: client.cert, requestCert: true, rejectUnauthorized: true }
  const accepting = createServer({ ...common, ...server, ...checked })
  const secureContext = createSecureContext({ ...common, ...client, ca: server.cert })
  return async () => {
    const [socket, far] = duplexPair()
    const near = connect({ socket, secureContext, servername: 'localhost' })
    const ends = Promise.all([once(accepting, 'secureConnection'), once(near, 'secureConnect')])
    accepting.emit('connection', far)
    const [[accepted]] = (await ends) as [[TLSSocket], unknown]
    const known = accepted.authorized && near.authorized
    if (!known || near.isSessionReused() || near.getProtocol() !== 'TLSv1.3')
      throw new Error('not what was meant')
    near.destroy()
    accepted.destroy()
  }
}

async function round(handshake: Handshake, { handshakes, flights }: Round): Promise<Took> {
  for (let i = 0; i < WARM_UP; i++) await handshake()
  let left = handshakes
  const flight = async (): Promise<void> => {
    while (left-- > 0) await handshake()
  }
  const [before, began] = [process.cpuUsage(), performance.now()]
  await Promise.all(Array.from({ length: flights }, flight))
  const wall = (performance.now() - began) / handshakes
  const { user, system } = process.cpuUsage(before)
  return { wall, cpu: (user + system) / 1000 / handshakes }
}

const KINDS: Record<Kind, () => Promise<Handshake>> = { full, tls, resumed }
const handshake = await KINDS[process.argv[2] as Kind]()
process.on('message', async (asked: Round) => process.send?.(await round(handshake, asked)))
process.send?.('ready')
