import { readFileSync } from 'node:fs'
import { lobbyOf } from '../../relay/endpoint/rooms.ts'
import { LIMITS } from '../../relay/limits.ts'
import { nodePrimitives } from '../../relay/node_primitives.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { type BarePeer, enter, msgId, sealed } from '../support/bare_peer.ts'
import { quickIdentity } from '../support/peers.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { wsLine } from '../support/ws_line.ts'
import { type Figure, median } from './figure.ts'

const READERS = 20
const BODY = 16 * 1024
const MESSAGES = 800
const WINDOW = 16
/** Quick readers are never further behind: a relay under load may take who is for slow. */
const LEAD = 64
const ROUNDS = 5
const MEGABYTE = 2 ** 20

interface Room {
  readonly stack: Stack
  readonly writer: BarePeer
  readonly readers: readonly BarePeer[]
  readonly room: Bytes
}

async function reader(stack: Stack, room: Bytes, n: number): Promise<BarePeer> {
  const line = await wsLine(stack.relayPort, `127.0.${1 + (n % 200)}.1`)
  const who = { user: `reader${n}`, identity: await identity, device: msgId() }
  const peer = await enter(stack.endpointPort, who, line)
  await peer.subscribe(room)
  return peer
}

const identity = quickIdentity()

/** Messages a second that all quick readers have received. */
async function delivered({ writer, readers, room }: Room): Promise<number> {
  const before = readers.map(({ casts }) => casts.length)
  let sent = 0
  const have = (least: number) => (peer: BarePeer, i: number) =>
    peer.until(() => (peer.casts.length >= (before[i] ?? 0) + least ? true : undefined))
  const write = async (): Promise<void> => {
    while (sent < MESSAGES) {
      sent += 1
      await Promise.all(readers.map(have(sent - LEAD)))
      await writer.ask({
        ...{ op: 'send', room, msgId: msgId() },
        mls: sealed({ room, epoch: 0, body: nodePrimitives.random(BODY) }),
      })
    }
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: WINDOW }, write))
  await Promise.all(readers.map(have(MESSAGES)))
  const seconds = (performance.now() - start) / 1000
  for (const { casts } of readers) casts.length = 0
  return MESSAGES / seconds
}

async function open(): Promise<Room> {
  const stack = await startStack({ unwatched: true, env: { SOTTO_LOG: 'error' } })
  const room = lobbyOf(stack.host)
  const who = { user: 'writer', identity: await identity, device: msgId() }
  const writer = await enter(stack.endpointPort, who)
  await writer.ask({ op: 'create_group', room, generation: 0, groupInfo: Uint8Array.of(1) })
  const readers: BarePeer[] = []
  for (let n = 0; n < READERS; n++) readers.push(await reader(stack, room, n))
  return { stack, writer, readers, room }
}

/** Peak of resident memory over the process's life, in MB. */
function peak(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024
}

/** They take every cast of the room, and read nothing of it. */
async function add({ stack, room }: Room, count: number): Promise<(() => void)[]> {
  const cuts: (() => void)[] = []
  for (let n = 0; n < count; n++) {
    const line = await wsLine(stack.relayPort, `127.0.${1 + (n % 200)}.1`)
    const who = { user: `slow${n}`, identity: await identity, device: msgId() }
    const peer = await enter(stack.endpointPort, who, line)
    await peer.subscribe(room)
    line.socket.pause()
    cuts.push(() => line.cut())
  }
  return cuts
}

async function beside(count: number): Promise<Figure[]> {
  const room = await open()
  try {
    await delivered(room)
    const alone = peak(room.stack.pid('relay'))
    const filling: number[] = []
    const fillingRatios: number[] = []
    const ratios: number[] = []
    const rates: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const without = await delivered(room)
      const cuts = await add(room, count)
      const first = await delivered(room)
      const rate = await delivered(room)
      for (const cut of cuts) cut()
      filling.push(first)
      fillingRatios.push(first / without)
      rates.push(rate)
      ratios.push(rate / without)
    }
    const slow =
      count === 1 ? 'one reader that reads nothing' : `${count} readers that read nothing`
    return [
      {
        name: `messages of ${BODY / 1024} KB delivered to ${READERS} readers, beside ${slow}`,
        value: median(rates),
        unit: '/s',
        ratio: median(ratios),
        against: 'without',
        goal: { atLeast: 0.9 },
      },
      {
        // Each is given a window of them, then they wait, then it is ended.
        name: `the same, of the first ${MESSAGES}, until the slow ones are ended`,
        value: median(filling),
        unit: '/s',
        ratio: median(fillingRatios),
        against: 'without',
        goal: { atLeast: 0.9 },
      },
      {
        name: `most memory of the relay, beside ${slow}`,
        value: peak(room.stack.pid('relay')),
        unit: 'MB',
        // A buffer may have twice the room of what waits in it.
        goal: { atMost: alone + (2 * LIMITS.allTabsBuffer) / MEGABYTE },
      },
    ]
  } finally {
    await room.stack.stop()
  }
}

/** Whether who reads slowly slows down who does not. */
export async function bench(): Promise<readonly Figure[]> {
  return [...(await beside(1)), ...(await beside(1_000))]
}
