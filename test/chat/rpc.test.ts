import { RefusedError, Rpc } from '../../web/chat/rpc.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { encodeMessage } from '../../web/protocol/messages.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

const room = new Uint8Array(16)
const chain = new Uint8Array(32)

describe('requests and replies', () => {
  it('find each other, in whatever order the replies come', async () => {
    const rpc = new Rpc()
    const one = rpc.ask({ op: 'send', room, msgId: room, mls: chain })
    const two = rpc.ask({ op: 'leave_room', room })
    const settle = (message: object) => {
      const taken = rpc.take(encodeMessage(message))
      if (taken.kind !== 'event') taken.settle()
    }
    settle({ re: two.id })
    assert.isFalse(rpc.idle)
    settle({ re: one.id, seq: 7, chain })
    assert.isTrue(rpc.idle)
    assert.deepEqual(await two.reply, {})
    assert.deepEqual(await one.reply, { seq: 7, chain })
  })

  it('hand on a refusal with the endpoint’s text', async () => {
    const rpc = new Rpc()
    const asked = rpc.ask({ op: 'leave_room', room })
    const error = { re: asked.id, error: 'stale_epoch', text: 'Too late.', epoch: 3 }
    const taken = rpc.take(encodeMessage(error))
    if (taken.kind !== 'event') taken.settle()
    const refused = await fails('stale_epoch', () => asked.reply)
    assert.instanceOf(refused, RefusedError)
    assert.equal(refused.message, 'Too late.')
  })

  it('take nothing that nobody asked for, nor what has another shape', async () => {
    const rpc = new Rpc()
    await fails('decode_error', () => rpc.take(encodeMessage({ re: 5 })))
    const asked = rpc.ask({ op: 'leave_room', room })
    await fails('decode_error', () => rpc.take(encodeMessage({ re: asked.id, more: 1 })))
    await fails('decode_error', () => rpc.take(encodeMessage({ ev: 'surprise' })))
    await fails('decode_error', () => rpc.take(encodeMessage({ hello: 1 })))
    await fails('decode_error', () => rpc.take(Uint8Array.of(0xff)))
    asked.reply.catch(() => undefined)
    rpc.end(new SottoError('closed', ''))
  })

  it('all fail when the connection ends', async () => {
    const rpc = new Rpc()
    const asked = [rpc.ask({ op: 'sync' }), rpc.ask({ op: 'devices' })]
    rpc.end(new SottoError('closed', 'over'))
    for (const { reply } of asked) await fails('closed', () => reply)
  })
})
