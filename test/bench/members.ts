/**
 * Many WebSocket clients in one process: `members PORT COUNT`. They only count bytes and answer
 * pings, so that the server is what is measured. Says `{ open }` when all are connected, then after each message
 * `{ until: bytes }` answers `{ reached: bytes }` when all together have received so many.
 */
import { connect } from 'node:net'

const [port, count] = process.argv.slice(2).map(Number)
/** One buffer for all: nobody keeps what came. */
const buffer = Buffer.alloc(65_536)
const HEAD_END = Buffer.from('\r\n\r\n')
const REQUEST =
  'GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
/** A masked binary message of one byte: whoever connects says something. */
const HELLO = Buffer.from([0x82, 0x81, 0, 0, 0, 0, 1])
const PING = 0x89
const PONG = 0x8a
/** A mask of zeros leaves the bytes as they are. */
const MASK = Buffer.alloc(4)
const NOTHING = Buffer.alloc(0)
/** Bytes of messages that all together have. */
let received = 0
const awaited: number[] = []

function check(): void {
  while (awaited[0] !== undefined && received >= awaited[0])
    process.send?.({ reached: awaited.shift() })
}

/** Goes from head to head through a server's frames (up to 64 KB), whatever the chunking. */
class Frames {
  readonly #answer: (ping: Buffer) => void
  /** Bytes still to come of a frame whose head has been read. */
  #left = 0
  /** The beginning of a head, or of a ping. */
  #begun: Buffer = NOTHING

  constructor(answer: (ping: Buffer) => void) {
    this.#answer = answer
  }

  /** Says how many bytes of these are not of a ping. */
  take(chunk: Buffer): number {
    const before = this.#begun.length
    const bytes = before === 0 ? chunk : Buffer.concat([this.#begun, chunk])
    let pings = 0
    let at = this.#left
    while (at + 4 <= bytes.length || (at + 2 <= bytes.length && bytes[at + 1] === 0)) {
      const short = bytes[at + 1] ?? 0
      const end = at + (short < 126 ? 2 + short : 4 + bytes.readUInt16BE(at + 2))
      if (bytes[at] === PING) {
        if (end > bytes.length) break
        this.#answer(bytes.subarray(at + 2, end))
        pings += end - at
      }
      at = end
    }
    this.#left = Math.max(0, at - bytes.length)
    this.#begun = at < bytes.length ? Buffer.from(bytes.subarray(at)) : NOTHING
    return bytes.length - before - pings
  }
}

/** Resolves when the upgrade's answer has come; what follows it is counted. */
function member(): Promise<void> {
  return new Promise((resolve, reject) => {
    let open = false
    const frames = new Frames((ping) =>
      socket.write(Buffer.concat([Buffer.of(PONG, 0x80 | ping.length), MASK, ping])),
    )
    const socket = connect({
      port: port ?? 0,
      host: '127.0.0.1',
      onread: {
        buffer,
        callback(length, bytes) {
          const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, length)
          if (open) received += frames.take(chunk)
          else {
            received += frames.take(chunk.subarray(chunk.indexOf(HEAD_END) + HEAD_END.length))
            open = true
            socket.write(HELLO)
            resolve()
          }
          check()
          return true
        },
      },
    })
    socket.on('error', reject)
    socket.on('connect', () => socket.write(REQUEST))
  })
}

process.on('message', (message: { until: number }) => {
  awaited.push(message.until)
  check()
})
process.on('disconnect', () => process.exit())
const STEP = 100
for (let open = 0; open < (count ?? 0); open += STEP)
  await Promise.all(Array.from({ length: Math.min(STEP, (count ?? 0) - open) }, member))
process.send?.({ open: count })
