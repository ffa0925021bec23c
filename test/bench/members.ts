/**
 * Many WebSocket clients in one process: `members PORT COUNT`. They only count bytes, so that the
 * server is what is measured. Says `{ open }` when all are connected, then after each message
 * `{ until: bytes }` answers `{ reached: bytes }` when all together have received so many.
 */
import { connect } from 'node:net'

const [port, count] = process.argv.slice(2).map(Number)
/** One buffer for all: nobody reads what came. */
const buffer = Buffer.alloc(65_536)
const HEAD_END = Buffer.from('\r\n\r\n')
const REQUEST =
  'GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
/** A masked binary message of one byte: whoever connects says something. */
const HELLO = Buffer.from([0x82, 0x81, 0, 0, 0, 0, 1])
let received = 0
const awaited: number[] = []

function check(): void {
  while (awaited[0] !== undefined && received >= awaited[0])
    process.send?.({ reached: awaited.shift() })
}

/** Resolves when the upgrade's answer has come; what follows it is counted. */
function member(): Promise<void> {
  return new Promise((resolve, reject) => {
    let open = false
    const socket = connect({
      port: port ?? 0,
      host: '127.0.0.1',
      onread: {
        buffer,
        callback(length, bytes) {
          if (open) received += length
          else {
            const end = Buffer.from(bytes.buffer, bytes.byteOffset, length).indexOf(HEAD_END)
            received += length - end - HEAD_END.length
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
