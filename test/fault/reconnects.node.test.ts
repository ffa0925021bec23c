import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { anIdentity, enter } from '../support/bare_peer.ts'
import type { CrowdNews, CrowdOptions } from '../support/crowd.ts'
import { full } from '../support/random.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'

/** F15. A process has about 10,000 sockets to give: a crowd of them each. */
const COUNT = full ? 10_000 : 400
const CROWDS = full ? 2 : 1
const WITHIN_MS = 60_000
/** An honest request meanwhile is answered within so long. */
const RESPONSIVE_MS = 2_000
const CROWD = new URL('../support/crowd.ts', import.meta.url).pathname

async function news(crowd: ChildProcess): Promise<CrowdNews> {
  const [told] = (await once(crowd, 'message')) as [CrowdNews]
  return told
}

describe('a relay that is started again under very many people', () => {
  let stack: Stack
  const crowds: ChildProcess[] = []

  before(async () => {
    stack = await startStack({ env: { SOTTO_LOG: 'warn' } })
  })
  after(async () => {
    for (const crowd of crowds) crowd.disconnect()
    await stack.stop()
  })

  it(`has all ${COUNT} back within a minute, by ticket, while the endpoint answers others`, async () => {
    const count = COUNT / CROWDS
    for (let i = 0; i < CROWDS; i++) {
      const port = stack.relayPort
      const options: CrowdOptions = { way: 'websocket', port, first: i * count, count, back: true }
      const crowd = fork(CROWD, [JSON.stringify(options)])
      crowds.push(crowd)
      assert.equal((await news(crowd)).online, count)
    }
    const probe = await enter(stack.endpointPort, { user: 'probe', identity: await anIdentity() })
    const back = Promise.all(crowds.map(news))
    await stack.kill('relay')
    await stack.restart('relay')
    const began = performance.timeOrigin + performance.now()
    let done = false
    void back.then(() => {
      done = true
    })
    const waits: number[] = []
    while (!done) {
      const asked = performance.now()
      await probe.ask({ op: 'devices' })
      waits.push(performance.now() - asked)
      await Promise.race([back, new Promise((resolve) => setTimeout(resolve, 20))])
    }
    const all = await back
    const took = Math.max(...all.map(({ at }) => at)) - began
    const resumed = all.reduce((sum, one) => sum + one.resumed, 0)
    const slowest = Math.max(...waits)
    console.log(
      `${COUNT} back in ${took.toFixed(0)} ms, ${resumed} by ticket, slowest answer ${slowest.toFixed(0)} ms`,
    )
    assert.isAtMost(took, WITHIN_MS)
    assert.isAtLeast(resumed, COUNT * 0.9)
    assert.isAtMost(slowest, RESPONSIVE_MS)
    await probe.close()
  })
})
