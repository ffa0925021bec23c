import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Endpoint,
  type EndpointOptions,
  startEndpoint,
} from '../../relay/endpoint/endpoint.ts'
import type { BuildService } from '../../relay/endpoint/service.ts'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { dialTcp } from '../../relay/peer/tcp.ts'
import { Chat, type ChatOptions } from '../../web/chat/chat.ts'
import type { MessageView, Notice, RoomId } from '../../web/chat/model.ts'
import type { Profile } from '../../web/chat/profile.ts'
import type { Dial } from '../../web/chat/transport.ts'
import { openVault } from '../../web/chat/vault.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { Identity } from '../../web/protocol/identity.ts'
import { MemoryStorage } from './memory_storage.ts'
import { until } from './until.ts'

/** One person's device in a test: the chat, and what outlives it. */
export interface Peer {
  readonly name: string
  readonly identity: Identity
  chat: Chat
  profile: Profile & { storage: MemoryStorage }
}

export interface PeerOptions extends Partial<ChatOptions> {
  /** Another device of the same person. */
  readonly identity?: Identity
}

/**
 * A real endpoint in this process with a data directory of its own, and peers over TCP whose
 * stores can crash. `restart` keeps port and data.
 */
export class Stand {
  readonly directory: string
  readonly peers: Peer[] = []
  readonly #options: Partial<EndpointOptions>
  endpoint: Endpoint

  readonly #build: BuildService | undefined

  private constructor(
    directory: string,
    endpoint: Endpoint,
    options: Partial<EndpointOptions>,
    build: BuildService | undefined,
  ) {
    this.directory = directory
    this.endpoint = endpoint
    this.#options = options
    this.#build = build
  }

  /** `build` makes the endpoint's service: a hostile one, for instance. */
  static async start(options: Partial<EndpointOptions> = {}, build?: BuildService): Promise<Stand> {
    const directory = mkdtempSync(join(tmpdir(), 'sotto-stand-'))
    const endpoint = await listen(join(directory, 'endpoint'), 0, options, build)
    return new Stand(directory, endpoint, options, build)
  }

  get dial(): Dial {
    // The port is looked up at each try: it may be another one after a restart.
    return (signal) => dialTcp('127.0.0.1', this.endpoint.port)(signal)
  }

  /** A new person (or device) who is not connected yet. */
  async peer(name: string, options: PeerOptions = {}): Promise<Peer> {
    const identity = options.identity ?? (await quickIdentity())
    const algorithm = { name: 'AES-GCM', length: 256 }
    const key = await crypto.subtle.generateKey(algorithm, false, ['encrypt', 'decrypt'])
    const profile = {
      user: name,
      device: crypto.getRandomValues(new Uint8Array(16)),
      identity,
      storage: new MemoryStorage(),
      vault: openVault(key),
      backedUp: false,
    }
    const peer = { name, identity, profile, chat: this.chat(profile, options) }
    this.peers.push(peer)
    return peer
  }

  chat(profile: Profile, options: Partial<ChatOptions> = {}): Chat {
    const host = 'localhost'
    const log = (error: unknown) => console.error(profile.user, error)
    const base = { profile, dial: this.dial, host, pin: undefined, primitives: nodePrimitives, log }
    return new Chat({ ...base, ...options })
  }

  /** New people who are in the lobby. */
  async join(...names: string[]): Promise<Peer[]> {
    const peers = await Promise.all(names.map((name) => this.peer(name)))
    for (const { chat } of peers) chat.connect()
    await Promise.all(peers.map(({ chat }) => inLobby(chat)))
    return peers
  }

  /** The process of this peer dies at once; the next one finds what was stored. */
  crash(peer: Peer, options: Partial<ChatOptions> = {}): void {
    const storage = peer.profile.storage.crash()
    void peer.chat.disconnect()
    peer.profile = { ...peer.profile, storage }
    peer.chat = this.chat(peer.profile, options)
  }

  /** Ends the endpoint in order and starts it again; `meanwhile` may do things to its data. */
  async restart(meanwhile: () => void | Promise<void> = () => undefined): Promise<void> {
    const { port } = this.endpoint
    await this.endpoint.close()
    await meanwhile()
    this.endpoint = await listen(join(this.directory, 'endpoint'), port, this.#options, this.#build)
  }

  async close(): Promise<void> {
    await Promise.all(this.peers.map(({ chat }) => chat.disconnect().catch(() => undefined)))
    await this.endpoint.close()
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** An identity of 2048 bits, as an imported one may be: made in a fifth of the time. */
export async function quickIdentity(): Promise<Identity> {
  const kind = { name: 'RSA-PSS', hash: 'SHA-256' }
  const publicExponent = Uint8Array.of(1, 0, 1)
  const generate = { ...kind, modulusLength: 2048, publicExponent }
  const pair = await crypto.subtle.generateKey(generate, true, ['sign', 'verify'])
  const spki: Bytes = new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey))
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', pair.privateKey)
  const signing = await crypto.subtle.importKey('pkcs8', pkcs8, kind, false, ['sign'])
  return Identity.open({ spki, signing, backup: pair.privateKey })
}

function listen(
  dataDir: string,
  port: number,
  options: Partial<EndpointOptions>,
  build: BuildService | undefined,
) {
  return startEndpoint({ dataDir, host: 'localhost', port, trunkPort: 0, ...options }, build)
}

export async function inLobby(chat: Chat): Promise<void> {
  await until(chat, ({ connection, rooms }) => {
    return connection.phase === 'online' && rooms[0]?.phase === 'ready'
  })
}

export function lobbyOf({ state }: Chat): RoomId {
  const lobby = state.rooms.find(({ kind }) => kind === 'lobby')
  if (lobby === undefined) throw new Error('there is no lobby')
  return lobby.room
}

/** The messages of a room in order, own ones that are not in the log yet left out. */
export async function messages(chat: Chat, room: RoomId): Promise<MessageView[]> {
  const view = chat.state.rooms.find((one) => one.room === room)
  const settled = (view?.length ?? 0) - (view?.outgoing ?? 0)
  const items = await chat.timeline(room, 0, settled)
  return items.filter((item) => item.kind === 'text')
}

export async function texts(chat: Chat, room: RoomId): Promise<string[]> {
  return (await messages(chat, room)).map(({ from, text }) => `${from}: ${text}`)
}

/** Waits until `count` messages have their place in the room. */
export async function shown(chat: Chat, room: RoomId, count: number): Promise<string[]> {
  await until(chat, async () => (await messages(chat, room)).length >= count, `${count} messages`)
  return texts(chat, room)
}

/** The notice that this person's key has changed. */
export function keyNotice({ state }: Chat, user: string): Notice | undefined {
  return state.notices.find(({ id }) => id.startsWith(`key/${user}#`))
}

/** Decides about the key that the notice shows. */
export function decideKey(chat: Chat, user: string, choice: 'trust' | 'stay'): Promise<void> {
  return chat.decide(keyNotice(chat, user)?.id ?? '', choice)
}
