import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Refused } from '../../relay/endpoint/refusal.ts'
import { answering } from '../support/answering.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown } from '../support/peers.ts'
import { steadyPort } from '../support/ports.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { TerminalProcess, type Whereabouts } from '../support/terminal.ts'

describe('sotto chat, when there is no lobby yet', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sotto-terminal-'))
  let stand: Stand
  let alice: Peer
  let there: Whereabouts
  let nowhere: Whereabouts
  let wrongPin: Whereabouts
  before(async () => {
    stand = await Stand.start()
    ;[alice] = (await stand.join('alice')) as [Peer]
    const { port, fingerprint } = stand.endpoint
    there = { endpointPort: port, host: 'localhost', fingerprint, dataDir }
    nowhere = { ...there, endpointPort: await steadyPort() }
    wrongPin = { ...there, fingerprint: 'ab'.repeat(32) }
  })
  after(async () => {
    await stand.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  it('takes the decision about an endpoint with another key than the one given', async () => {
    const bob = new TerminalProcess('bob', wrongPin)
    bob.type('this waits for the decision')
    await bob.prints('/choose trust: Trust the new key', '* Stopped.')
    assert.lengthOf(bob.shown(/\n {4}Seen now: /), 1)
    bob.type('/help')
    await bob.prints('/choose <choice>')
    bob.type('/choose trust')
    await bob.prints('bob: this waits for the decision')
    assert.equal(await bob.quit(), 0)
  })

  it('ends in words when that decision is left open at the end of input', async () => {
    const carol = new TerminalProcess('carol', wrongPin)
    carol.type('nobody reads this')
    await carol.prints('* Stopped.')
    carol.end()
    assert.equal(await carol.exit(), 1)
    await carol.prints('The lobby can’t be entered. Not sent: 1 of your lines.')
  })

  it('obeys /help and /quit while there is no endpoint', async () => {
    const dave = new TerminalProcess('dave', nowhere)
    await dave.prints('* Not connected.')
    dave.type('/help')
    await dave.prints('/quit                 says goodbye')
    assert.equal(await dave.quit(), 0)
  })

  it('sends what was typed before /quit first', async () => {
    const erin = new TerminalProcess('erin', there)
    erin.type('typed at once')
    erin.type('/quit')
    erin.type('typed too late')
    assert.equal(await erin.exit(), 0)
    await inLobby(alice.chat)
    const seen = await shown(alice.chat, lobbyOf(alice.chat), 2)
    assert.deepEqual(seen.slice(-1), ['erin: typed at once'])
  })
})

describe('sotto chat, when the endpoint does not take something', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sotto-terminal-'))
  let stand: Stand
  let bob: TerminalProcess
  let refuses = false
  before(async () => {
    const picky = answering(async ({ request, serve }) => {
      if (request.op === 'send' && refuses) throw new Refused('denied', 'Not now.')
      return serve()
    })
    stand = await Stand.start({}, picky)
    await stand.join('alice')
    const { port, fingerprint } = stand.endpoint
    bob = new TerminalProcess('bob', {
      endpointPort: port,
      host: 'localhost',
      fingerprint,
      dataDir,
    })
    await bob.prints('* Connected')
  })
  after(async () => {
    await bob.quit()
    await stand.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  it('says what was not sent and why, once, and sends it again at /retry', async () => {
    refuses = true
    bob.type('first try')
    await bob.prints('! Not sent: first try', '!   Not now. /retry or /discard?')
    refuses = false
    bob.type('/retry')
    await bob.prints('bob: first try')
    assert.lengthOf(bob.shown(/Not sent: /), 1)
    bob.type('/retry')
    await bob.prints('Nothing has failed.')
  })

  it('gives it up at /discard, and then has nothing that waits', async () => {
    refuses = true
    bob.type('never mind')
    await bob.prints('! Not sent: never mind')
    bob.type('/discard')
    refuses = false
    bob.type('after it')
    await bob.prints('bob: after it')
    assert.isEmpty(bob.shown(/bob: never mind/))
    assert.equal(await bob.quit(), 0)
  })
})
