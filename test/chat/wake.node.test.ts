import { type Clock, systemClock } from '../../web/chat/clock.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { JumpingClock } from '../support/jumping_clock.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

let stand: Stand
before(async () => {
  stand = await Stand.start()
})
after(() => stand.close())

describe('a tab that nobody has looked at while there was no network', () => {
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

describe('a tab that is open for days', () => {
  it('connects anew before a day is over, by ticket, and nobody is told', async () => {
    const stand = await Stand.start()
    try {
      const [bob] = (await stand.join('bob')) as [Peer]
      const clock = new JumpingClock()
      const { chat } = await stand.peer('alice', { clock })
      chat.connect()
      await inLobby(chat)
      let said = 0
      /** Resolves when both have read the log to its end. */
      const talk = async () => {
        await chat.send(lobbyOf(chat), `message ${++said}`)
        for (const one of [chat, bob.chat]) await shown(one, lobbyOf(one), said)
      }
      await talk()
      const phases = new Set<string>()
      chat.addEventListener('change', () => phases.add(chat.state.connection.phase))
      for (let day = 0; day < 3; day++) {
        const before = chat.state.handshake?.transcript
        clock.sleep(23 * 3_600_000)
        await until(chat, ({ handshake }) => {
          return handshake?.done === true && handshake.transcript !== before
        })
        assert.equal(chat.state.handshake?.mode, 'resumed')
        await talk()
      }
      assert.deepEqual([...phases], ['online'])
      // For the endpoint not a day has passed, and its clock is compared.
      const told = chat.state.notices.map(({ id }) => id)
      assert.deepEqual(told, ['clocks'])
    } finally {
      await stand.close()
    }
  })
})

describe('a tab that is looked at', () => {
  it('again and again keeps its connection: it asks once whether the other side is there', async () => {
    const { chat } = await stand.peer('bob')
    chat.connect()
    await inLobby(chat)
    const phases = new Set<string>()
    chat.addEventListener('change', () => phases.add(chat.state.connection.phase))
    for (let i = 0; i < 20; i++) chat.wake()
    // Answered after all that went before it.
    await chat.send(lobbyOf(chat), 'still here')
    await shown(chat, lobbyOf(chat), 1)
    assert.deepEqual([...phases], ['online'])
  })

  it('and has said goodbye waits for nothing any more', async () => {
    const waits = new Set<() => void>()
    const clock: Clock = {
      ...systemClock,
      after(ms, work) {
        const wait = () => {
          waits.delete(wait)
          work()
        }
        waits.add(wait)
        const cancel = systemClock.after(ms, wait)
        return () => {
          waits.delete(wait)
          cancel()
        }
      },
    }
    const { chat } = await stand.peer('carol', { clock })
    chat.connect()
    await inLobby(chat)
    chat.wake()
    await chat.disconnect()
    assert.equal(waits.size, 0)
  })
})
