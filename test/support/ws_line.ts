import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { concat, u8, u16, u64 } from '../../web/protocol/bytes.ts'
import { Arrivals, type Line } from './bare_peer.ts'

const HEAD_END = Buffer.from('\r\n\r\n')
/** FIN and "binary" (RFC 6455, 5.2). */
const BINARY = 0x82
const PING = 9
const PONG = 0x8a
const CLOSE = 8
/** A mask of zeros leaves the bytes as they are. */
const MASKED = 0x80
const MASK = new Uint8Array(4)

function frameOf(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload
  const size =
    length < 126
      ? u8(MASKED | length)
      : length < 65_536
        ? concat(u8(MASKED | 126), u16(length))
        : concat(u8(MASKED | 127), u64(length))
  return concat(u8(opcode), size, MASK, payload)
}

/** Takes a server's frames apart; what is not whole yet waits. */
class ServerFrames {
  #waiting: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): { readonly opcode: number; readonly payload: Buffer }[] {
    const frames: { opcode: number; payload: Buffer }[] = []
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk])
    for (;;) {
      const data = this.#waiting
      const short = (data[1] ?? 0) & 0x7f
      const head = short < 126 ? 2 : short === 126 ? 4 : 10
      if (data.length < head) return frames
      const length =
        short < 126 ? short : short === 126 ? data.readUInt16BE(2) : Number(data.readBigUInt64BE(2))
      if (data.length < head + length) return frames
      this.#waiting = data.subarray(head + length)
      const payload = data.subarray(head, head + length)
      frames.push({ opcode: (data[0] ?? 0) & 0x0f, payload })
    }
  }
}

/**
 * A tab's line to a relay, cheap enough for ten thousand in one process. `from` is the loopback
 * address that it comes from. Rejects when the relay can't be reached.
 */
export async function wsLine(
  port: number,
  from = '127.0.0.1',
): Promise<Line & { readonly socket: Socket }> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from, noDelay: true })
  const arrivals = new Arrivals()
  const frames = new ServerFrames()
  socket.on('error', () => undefined)
  socket.on('close', () => arrivals.end())
  await Promise.race([once(socket, 'connect'), once(socket, 'close').then(gone)])
  const key = randomBytes(16).toString('base64')
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  )
  await new Promise<void>((resolve, reject) => {
    let head: Buffer = Buffer.alloc(0)
    const take = (chunk: Buffer): void => {
      for (const { opcode, payload } of frames.push(chunk))
        if (opcode === PING) socket.write(frameOf(PONG, payload))
        else if (opcode === CLOSE) socket.end()
        else arrivals.put(new Uint8Array(payload))
    }
    const upgrade = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf(HEAD_END)
      if (end === -1) return
      socket.off('data', upgrade)
      socket.on('data', take)
      take(head.subarray(end + HEAD_END.length))
      resolve()
    }
    socket.on('data', upgrade)
    socket.once('close', () => reject(new Error('the relay ended the connection')))
  })
  return {
    socket,
    send: (frame) => void socket.write(frameOf(BINARY, frame)),
    next: () => arrivals.next(),
    cut: () => void socket.destroy(),
  }
}

function gone(): never {
  throw new Error('the relay can’t be reached')
}
