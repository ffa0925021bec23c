/** Both ends of a handshake in one place, without a wire: what protocol and attack tests use. */
import type { Bytes } from '../../web/protocol/bytes.ts'
import { fromHex } from '../../web/protocol/bytes.ts'
import type { EndpointKey } from '../../web/protocol/endpoint_key.ts'
import {
  type AwaitParams,
  type ClientOptions,
  type Resumed,
  startHandshake,
} from '../../web/protocol/handshake_client.ts'
import type { Established } from '../../web/protocol/handshake_keys.ts'
import {
  acceptHandshake,
  type ServerEstablished,
  type ServerOptions,
} from '../../web/protocol/handshake_server.ts'
import type { Signer } from '../../web/protocol/identity.ts'
import { encodeParams } from '../../web/protocol/params.ts'
import type { Primitives } from '../../web/protocol/primitives.ts'
import { Session } from '../../web/protocol/session.ts'
import { TicketStore } from '../../web/protocol/tickets.ts'
import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import keys from '../vectors/keys.json' with { type: 'json' }

export const HOST = 'host.example'
export const USER = 'alice'
export const DEVICE: Bytes = new Uint8Array(16).fill(0xd1)
export const MAX_MESSAGE = 1 << 20

export const PARAMS = encodeParams({
  status: 'ok',
  sessionId: new Uint8Array(16).fill(5),
  account: USER,
  logPub: new Uint8Array(32).fill(7),
  limits: { maxMessage: MAX_MESSAGE, idle: 90 },
})

const PSS = { name: 'RSA-PSS', hash: 'SHA-256' }
const OAEP = { name: 'RSA-OAEP', hash: 'SHA-256' }

/** A person's key of test/vectors/keys.json. */
export function signer(name: 'client' | 'other' | 'short' | 'server'): Signer {
  const { pkcs8, spki } = keys[name]
  const key = crypto.subtle.importKey('pkcs8', fromHex(pkcs8), PSS, false, ['sign'])
  return {
    spki: fromHex(spki),
    async sign(data) {
      const algorithm = { name: 'RSA-PSS', saltLength: 32 }
      return new Uint8Array(await crypto.subtle.sign(algorithm, await key, data))
    },
  }
}

/** An endpoint's key, from PKCS#8 and SPKI. */
export function endpointKey({ pkcs8, spki }: { pkcs8: string; spki: string }): EndpointKey {
  const key = crypto.subtle.importKey('pkcs8', fromHex(pkcs8), OAEP, false, ['decrypt'])
  return {
    spki: fromHex(spki),
    async decrypt(ct, label) {
      const algorithm = { name: 'RSA-OAEP', label }
      return new Uint8Array(await crypto.subtle.decrypt(algorithm, await key, ct))
    },
  }
}

export const serverKey = endpointKey(keys.server)
export const otherServerKey = endpointKey(keys.other)

/** X25519 pair from PKCS#8, in either engine. */
export async function fixedX25519(pkcs8: Bytes, publicKey: Bytes) {
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'X25519' }, false, [
    'deriveBits',
  ])
  const share = await crypto.subtle.importKey('raw', publicKey, { name: 'X25519' }, true, [])
  const { webX25519 } = await import('../../web/protocol/web_primitives.ts')
  return webX25519(key, share)
}

/** One endpoint and as many clients as a test wants, on one clock that it moves. */
export class Rig {
  readonly primitives: Primitives
  readonly tickets = new TicketStore()
  time = 1_000_000
  readonly server: ServerOptions
  readonly client: ClientOptions

  constructor(
    primitives: Primitives = webPrimitives,
    change: { server?: Partial<ServerOptions>; client?: Partial<ClientOptions> } = {},
  ) {
    this.primitives = primitives
    this.server = {
      primitives,
      host: HOST,
      key: serverKey,
      tickets: this.tickets,
      admit: async (peer) =>
        peer.user === '' ? 'refused' : { params: PARAMS, admission: 'member' },
      rsa: (work) => work(),
      now: () => this.time,
      ...change.server,
    }
    this.client = {
      primitives,
      host: HOST,
      pin: undefined,
      identity: signer('client'),
      user: USER,
      device: DEVICE,
      now: () => this.time,
      ...change.client,
    }
  }

  async pin(): Promise<Bytes> {
    return this.primitives.sha256(this.server.key.spki)
  }

  /** A whole handshake. */
  async run(change: Partial<ClientOptions> = {}): Promise<Ends> {
    const started = await startHandshake({ ...this.client, ...change })
    const accepting = await acceptHandshake(this.server, started.m1)
    const answered = await started.receive(accepting.m2)
    const { m4, established } = await accepting.receive(answered.m3)
    const client = await finish(answered, m4)
    const frames = [started.m1, accepting.m2, answered.m3, ...(m4 ? [m4] : [])]
    return { client, server: established, frames }
  }

  /** A full handshake, then a resumption with its ticket. */
  async resumed(): Promise<Ends> {
    const first = await this.run()
    return this.run({ pin: await this.pin(), ticket: first.client.ticket })
  }

  /** Sessions over two finished ends. Frames go to `wire` until the test moves them. */
  sessions({ client, server }: Pick<Ends, 'client' | 'server'>): Wired {
    const wire = { toServer: [] as Bytes[], toClient: [] as Bytes[] }
    const common = {
      primitives: this.primitives,
      maxMessage: MAX_MESSAGE,
      now: () => this.time,
    }
    return {
      wire,
      client: new Session({
        ...common,
        established: client,
        role: 'client',
        write: (frame) => wire.toServer.push(frame),
      }),
      server: new Session({
        ...common,
        established: server,
        role: 'server',
        write: (frame) => wire.toClient.push(frame),
      }),
    }
  }
}

export interface Ends {
  readonly client: Established
  readonly server: ServerEstablished
  /** M1 to M4, as they went over the wire. */
  readonly frames: readonly Bytes[]
}

export interface Wired {
  readonly client: Session
  readonly server: Session
  readonly wire: { readonly toServer: Bytes[]; readonly toClient: Bytes[] }
}

function finish(answered: AwaitParams | Resumed, m4: Bytes | undefined): Promise<Established> {
  if (answered.mode === 'resumed') return Promise.resolve(answered.established)
  if (m4 === undefined) throw new Error('M4 is missing')
  return answered.receive(m4)
}
