import { Away } from '../support/away.ts'
import { full } from '../support/random.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'

const COUNT = full ? 10_000 : 1_500

describe('a member who was away', () => {
  let away: Away

  before(async () => {
    away = await Away.start()
    await away.write(COUNT)
  })
  after(() => away.close())

  it(`gets all ${COUNT} messages, though endpoint and client are killed in the middle`, async () => {
    const { reader, writer, room, stack, ledger } = away
    for (const member of [reader, writer]) member.storm = true
    reader.dieSoon({ at: 'write', left: 8, done: true })
    reader.chat.connect()
    await away.until(() => away.shown >= COUNT / 4)
    await stack.restart('endpoint')
    await away.until(() => away.shown >= COUNT / 2)
    reader.dieSoon({ at: 'received', left: 1, done: false })
    await stack.restart('relay')
    await away.until(() => away.shown >= COUNT && reader.deaths >= 1)
    const orders = new Map([
      ['writer', await writer.order(room)],
      ['reader', await reader.order(room)],
    ])
    assert.lengthOf(orders.get('writer') ?? [], COUNT)
    ledger.judge(room, orders, new Map(), `${COUNT} messages`)
  })
})
