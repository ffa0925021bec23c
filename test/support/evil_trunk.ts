/** The hostile relay's other form: between the real relay's process and the endpoint's. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { TRUNK, type TrunkMessage, TrunkReader } from '../../web/protocol/envelope.ts'
import { type Direction, type Script, Tamper } from './evil_script.ts'
import { trunkMessage } from './trunk_message.ts'

export interface EvilTrunk {
  /** Where a relay finds its endpoint. */
  readonly port: number
  readonly tamper: Tamper
  /** Resolves when a relay and the endpoint are connected. */
  up(): Promise<void>
  /** Ends the trunk at both of its ends; the relay dials again. */
  cut(): void
  close(): Promise<void>
}

/** Carries relays' trunks to `target`; every frame of a tab or topic goes through the script. */
export async function startEvilTrunk(target: number, script: Script): Promise<EvilTrunk> {
  const tamper = new Tamper(script, false)
  const sockets = new Set<Socket>()
  const standing = new Set<Socket>()
  const waiting = new Set<() => void>()
  const server = createServer((relay) => {
    const endpoint = connect({ host: '127.0.0.1', port: target, noDelay: true })
    endpoint.on('connect', () => {
      standing.add(endpoint)
      for (const go of waiting) go()
      waiting.clear()
    })
    endpoint.on('close', () => standing.delete(endpoint))
    carry(relay.setNoDelay(true), endpoint, 'up')
    carry(endpoint, relay, 'down')
  })
  const carry = (from: Socket, to: Socket, direction: Direction): void => {
    const reader = new TrunkReader()
    sockets.add(from)
    from.on('data', (chunk) => {
      for (const message of reader.push(chunk))
        for (const { op, id, body } of altered(tamper, message, direction))
          if (to.writable) to.write(trunkMessage(op, id, body))
    })
    from.on('end', () => to.end())
    from.on('error', () => to.destroy())
    from.on('close', () => {
      sockets.delete(from)
      to.destroySoon()
    })
  }
  const cut = (): void => {
    standing.clear()
    for (const socket of sockets) socket.destroy()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    tamper,
    cut,
    async up() {
      if (standing.size === 0) await new Promise<void>((resolve) => waiting.add(resolve))
    },
    async close() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}

function altered(tamper: Tamper, message: TrunkMessage, direction: Direction): TrunkMessage[] {
  const { op, id, body } = message
  const beat = op === TRUNK.data && id === 0
  if (beat || (op !== TRUNK.data && op !== TRUNK.cast)) return [message]
  const frames = tamper.take(id, direction, body, op === TRUNK.cast)
  return frames.map((frame) => ({ op, id, body: frame }))
}
