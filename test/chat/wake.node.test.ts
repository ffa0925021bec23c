import { SottoError } from '../../web/protocol/errors.ts'
import { JumpingClock } from '../support/jumping_clock.ts'
import { Stand } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

describe('a tab that nobody has looked at while there was no network', () => {
  let stand: Stand
  before(async () => {
    stand = await Stand.start()
  })
  after(() => stand.close())

  it('tries as often as at first from the moment it is looked at', async () => {
    const clock = new JumpingClock()
    const dial = () => Promise.reject(new SottoError('unavailable', 'The relay can’t be reached.'))
    const { chat } = await stand.peer('alice', { dial, clock, random: () => 0.5 })
    let retryAt: number | undefined
    /** Milliseconds that it will wait after the next failure. */
    const fails = async () => {
      const { connection } = await until(
        chat,
        ({ connection }) => connection.phase === 'offline' && connection.retryAt !== retryAt,
      )
      retryAt = connection.phase === 'offline' ? connection.retryAt : undefined
      return (retryAt ?? 0) - clock.now()
    }
    chat.connect()
    for (let wait = await fails(); wait < 20_000; wait = await fails()) clock.sleep(wait + 1)
    chat.wake()
    assert.isAtMost(await fails(), 500)
  })
})
