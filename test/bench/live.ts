import { lobbyOf } from '../../relay/endpoint/rooms.ts'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import type { Ticket } from '../../web/protocol/tickets.ts'
import { type BarePeer, enter, joining, msgId, sealed } from '../support/bare_peer.ts'
import { quickIdentity } from '../support/peers.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { wsLine } from '../support/ws_line.ts'
import { type Figure, median } from './figure.ts'
import { bareAppends } from './store.ts'

/** Sessions, and messages of each that are on their way at once. */
const SENDERS = 16
const WINDOW = 16
const MESSAGES = 4_800
const ROUNDS = 3
/** An MLS message of a few words, padded. */
const BODY = 520
const CONNECTIONS = 60
const GROUP_INFO = Uint8Array.of(1, 2, 3)

/** Sessions over the relay, all in the lobby's group. Resolves with the group's epoch too. */
async function people(stack: Stack): Promise<{ peers: BarePeer[]; room: Bytes; epoch: number }> {
  const room = lobbyOf(stack.host)
  const peers: BarePeer[] = []
  for (let i = 0; i < SENDERS; i++) {
    const who = { user: `sender${i}`, identity: await quickIdentity(), device: msgId() }
    const peer = await enter(stack.endpointPort, who, await wsLine(stack.relayPort))
    if (i === 0) await peer.ask({ op: 'create_group', room, generation: 0, groupInfo: GROUP_INFO })
    else
      await peer.ask({
        ...{ op: 'send', room, msgId: msgId() },
        mls: await joining(peer, { room, epoch: i - 1 }, who),
        commit: {
          groupInfo: GROUP_INFO,
          added: [{ user: who.user, device: who.device }],
          removed: [],
        },
      })
    peers.push(peer)
  }
  return { peers, room, epoch: SENDERS - 1 }
}

/** Acknowledged messages a second through relay and endpoint. */
async function acknowledged(peers: BarePeer[], room: Bytes, epoch: number): Promise<number> {
  let left = MESSAGES
  const send = async (peer: BarePeer): Promise<void> => {
    while (left-- > 0) {
      const mls = sealed({ room, epoch, body: nodePrimitives.random(BODY) })
      await peer.ask({ op: 'send', room, msgId: msgId(), mls })
    }
  }
  const start = performance.now()
  await Promise.all(peers.flatMap((peer) => Array.from({ length: WINDOW }, () => send(peer))))
  return MESSAGES / ((performance.now() - start) / 1000)
}

async function messages(stack: Stack): Promise<Figure> {
  const { peers, room, epoch } = await people(stack)
  const ours: number[] = []
  const ratios: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const rate = await acknowledged(peers, room, epoch)
    const bare = await bareAppends(SENDERS * WINDOW, MESSAGES)
    ours.push(rate)
    ratios.push(rate / bare)
  }
  await Promise.all(peers.map((peer) => peer.close()))
  return {
    name: `acknowledged messages through relay and endpoint, ${SENDERS * WINDOW} at a time`,
    value: median(ours),
    unit: '/s',
    ratio: median(ratios),
    against: `bare SQLite, a synced commit for every ${SENDERS * WINDOW}`,
  }
}

/** From dialling the relay to the first answer of the endpoint, full and by ticket. */
async function reconnects(stack: Stack): Promise<Figure> {
  const { fingerprint } = stack
  const who = { user: 'again', identity: await quickIdentity(), device: msgId(), fingerprint }
  let ticket: Ticket | undefined
  const once = async (resume: boolean): Promise<number> => {
    const start = performance.now()
    const line = await wsLine(stack.relayPort)
    const peer = await enter(
      stack.endpointPort,
      { ...who, ticket: resume ? ticket : undefined },
      line,
    )
    await peer.ask({ op: 'devices' })
    const ms = performance.now() - start
    ticket = peer.established.ticket
    await peer.close()
    return ms
  }
  await once(false)
  const full: number[] = []
  const resumed: number[] = []
  for (let i = 0; i < CONNECTIONS; i++) {
    full.push(await once(false))
    resumed.push(await once(true))
  }
  return {
    name: 'reconnecting by ticket through relay and endpoint, to the first answer',
    value: median(resumed),
    unit: 'ms',
    ratio: median(full) / median(resumed),
    against: 'a full handshake',
  }
}

/** Through a whole Sotto of two processes. */
export async function bench(): Promise<readonly Figure[]> {
  const stack = await startStack({ unwatched: true, env: { SOTTO_LOG: 'warn' } })
  try {
    return [await messages(stack), await reconnects(stack)]
  } finally {
    await stack.stop()
  }
}
