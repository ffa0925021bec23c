/**
 * A person who is truly in the lobby, keys and all, and says there whatever a test wants: the
 * hostile peer of THREATS. The endpoint and the cryptography take it for honest.
 */
import { nodePrimitives } from '../../relay/node_primitives.ts'
import { type Bytes, fromHex } from '../../web/protocol/bytes.ts'
import { chain } from '../../web/protocol/cast.ts'
import type { Identity } from '../../web/protocol/identity.ts'
import { type Body, encodeMessage } from '../../web/protocol/messages.ts'
import { mlsSuite } from '../../web/protocol/mls_provider.ts'
import { joinExternal, seal } from '../../web/protocol/room.ts'
import { makeDeviceKeys } from '../../web/protocol/room_keys.ts'
import { open } from '../../web/protocol/room_open.ts'
import type { RoomState } from '../../web/protocol/room_state.ts'
import { encodeView, type View } from '../../web/protocol/view.ts'
import { type BarePeer, enter, msgId } from './bare_peer.ts'
import { quickIdentity } from './peers.ts'

const MOST = 1_000
const PAGE = 200

interface Where {
  readonly port: number
  /** Hex SHA-256 of the endpoint's SPKI. */
  readonly fingerprint: string
}

export class EvilMember {
  readonly peer: BarePeer
  readonly identity: Identity
  readonly room: Bytes
  state: RoomState
  /** How far it has read. */
  #at: { readonly seq: number; readonly chain: Bytes }

  private constructor(
    peer: BarePeer,
    identity: Identity,
    room: Bytes,
    state: RoomState,
    at: { readonly seq: number; readonly chain: Bytes },
  ) {
    this.peer = peer
    this.identity = identity
    this.room = room
    this.state = state
    this.#at = at
  }

  /** Registers `user`, and joins the lobby's group, which somebody has to have made. */
  static async join({ port, fingerprint }: Where, user: string, identity?: Identity) {
    const me = identity ?? (await quickIdentity())
    const device = nodePrimitives.random(16)
    const peer = await enter(port, { user, identity: me, device, fingerprint })
    const { rooms } = await peer.ask({ op: 'sync' })
    const lobby = rooms.find(({ kind }) => kind === 'lobby')
    if (lobby === undefined) throw new Error('there is no lobby')
    const { room } = lobby
    const host = fromHex(fingerprint)
    const now = Date.now()
    const suite = await mlsSuite()
    const keys = await makeDeviceKeys({ suite, identity: me, user, device, hostKeyHash: host, now })
    const info = await peer.ask({ op: 'group_info', room })
    const groupId = new Uint8Array(20)
    groupId.set(room)
    new DataView(groupId.buffer).setUint32(16, info.generation)
    const expected = { groupId, policy: { kind: 'open', host } } as const
    const joined = await joinExternal(keys, info.groupInfo, expected, trusting())
    const commit = {
      groupInfo: joined.groupInfo,
      added: [{ user, device }],
      removed: [],
    }
    const place = await peer.ask({ op: 'send', room, msgId: msgId(), mls: joined.mls, commit })
    return new EvilMember(peer, me, room, joined.state, place)
  }

  /** Reads what has come since, commits included: its epoch is the room's again. */
  async catchUp(): Promise<void> {
    for (;;) {
      const after = this.#at.seq
      const { entries } = await this.peer.ask({ op: 'fetch', room: this.room, after, most: PAGE })
      if (entries.length === 0) return
      for (const { seq, mls } of entries) await this.#read(seq, mls)
    }
  }

  async #read(seq: number, mls: Bytes): Promise<void> {
    this.#at = { seq, chain: await chain(nodePrimitives, this.#at.chain, seq, mls) }
    const opened = await open(this.state, mls, trusting()).catch(() => undefined)
    if (opened !== undefined) this.state = opened.state
  }

  /** The view that an honest member would state now. */
  view(id: Bytes = msgId()): View {
    return { msgId: id, ...this.#at }
  }

  /** A message that is sealed as it should be, with this body and view. Not sent. */
  async seal(body: Bytes | string, view: View = this.view()): Promise<Bytes> {
    const said: Body = { t: 'text', text: String(body), at: Date.now() }
    const bytes = typeof body === 'string' ? encodeMessage(said) : body
    const { state, mls } = await seal(this.state, bytes, encodeView(view))
    this.state = state
    return mls
  }

  /** Hands any bytes to the endpoint as a message of the lobby. */
  send(mls: Bytes, id: Bytes = msgId()) {
    return this.peer.ask({ op: 'send', room: this.room, msgId: id, mls })
  }

  /** The last `most` entries of the log, as they are. */
  async log(most = MOST): Promise<readonly Bytes[]> {
    const { entries } = await this.peer.ask({ op: 'fetch', room: this.room, after: 0, most })
    return entries.map(({ mls }) => mls)
  }

  close(): Promise<void> {
    return this.peer.close()
  }
}

function trusting() {
  return { now: Date.now(), verify: async () => {} }
}
