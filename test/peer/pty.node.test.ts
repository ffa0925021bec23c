import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Logged } from '../support/logged.ts'
import { lobbyOf, type Peer, Stand, shown } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { noTerminal, ON_TERMINAL, TerminalProcess, type Whereabouts } from '../support/terminal.ts'

const CTRL_C = '\x03'
const CTRL_D = '\x04'
/** The last line, when what was typed and the prompt before it are wiped away. */
const GOODBYE = '\r\x1b[K* Disconnected.\r\n'

const missing = noTerminal()
if (missing !== undefined) console.log(`sotto chat on a terminal was not run: it ${missing}.`)
const where = missing === undefined ? describe : describe.skip

where('sotto chat on a terminal', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sotto-pty-'))
  let stand: Stand
  let alice: Peer
  let there: Whereabouts
  let bob: TerminalProcess
  const logged = new Logged()

  before(async () => {
    stand = await Stand.start({ log: logged.log })
    ;[alice] = (await stand.join('alice')) as [Peer]
    const { port, fingerprint } = stand.endpoint
    there = { endpointPort: port, host: 'localhost', fingerprint, dataDir }
    bob = new TerminalProcess('bob', there, ON_TERMINAL)
    await bob.prints('* Connected', '> ')
  })
  after(async () => {
    await stand.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  it('talks in the lobby, and leaves what is being typed where it is', async () => {
    bob.type('hello from a terminal')
    await bob.prints('bob: hello from a terminal')
    bob.press('half a li')
    await bob.prints('half a li')
    await alice.chat.send(lobbyOf(alice.chat), 'hello back')
    // Above the line, which is written anew below.
    await bob.printsInOrder('half a li', 'alice: hello back\r\n', '> half a li')
    bob.type('ne')
    await bob.prints('bob: half a line')
    assert.deepEqual(await shown(alice.chat, lobbyOf(alice.chat), 3), [
      'bob: hello from a terminal',
      'alice: hello back',
      'bob: half a line',
    ])
  })

  it('talks in private, and lists who is there', async () => {
    bob.type('/pm alice only for you')
    await bob.prints('[private, alice] ')
    const room = await alice.chat.openPrivate('bob')
    assert.deepEqual(await shown(alice.chat, room, 1), ['bob: only for you'])
    bob.type('/list')
    await bob.prints('alice (online)', 'bob (online, you)')
  })

  it('ends at /quit, with no prompt left behind', async () => {
    assert.equal(await bob.quit(), 0)
    assert.isTrue(bob.output.endsWith(GOODBYE), bob.output)
  })

  for (const [name, key] of [
    ['Ctrl+C', CTRL_C],
    ['Ctrl+D', CTRL_D],
  ] as const)
    it(`ends at ${name}, with no prompt left behind`, async () => {
      const again = new TerminalProcess('bob', there, ON_TERMINAL)
      await again.prints('* Connected', 'bob: half a line')
      again.press(key)
      assert.equal(await again.exit(), 0)
      assert.isTrue(again.output.endsWith(GOODBYE), again.output)
    })

  it('says goodbye when its terminal is closed', async () => {
    const again = new TerminalProcess('eve', there, ON_TERMINAL)
    await again.prints('* Connected')
    // What holds the terminal is gone, as when a window is closed.
    again.signal('SIGKILL')
    await logged.over('eve', 1)
    assert.deepEqual(logged.ends('eve'), ['closed: done'])
  })
})
