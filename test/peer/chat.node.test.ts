import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { type ChatCommand, runChat } from '../../relay/peer/chat.ts'
import { fromHex } from '../../web/protocol/bytes.ts'
import { inLobby, lobbyOf, type Peer, Stand, shown } from '../support/peers.ts'
import { steadyPort } from '../support/ports.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'

/** A terminal chat with a pipe at each end. */
class Terminal {
  readonly input = new PassThrough()
  readonly done: Promise<number>
  output = ''
  #look: (() => void)[] = []

  constructor(name: string, dataDir: string, stand: Stand, other: Partial<ChatCommand> = {}) {
    const output = new PassThrough()
    output.on('data', (chunk: Buffer) => {
      this.output += chunk
      for (const look of this.#look) look()
    })
    this.done = runChat({
      name,
      host: 'localhost',
      address: '127.0.0.1',
      port: stand.endpoint.port,
      pin: fromHex(stand.endpoint.fingerprint),
      dataDir,
      input: this.input,
      output,
      stopped: new Promise(() => undefined),
      ...other,
    })
  }

  type(line: string): void {
    this.input.write(`${line}\n`)
  }

  /** Resolves once the output has `text`. */
  prints(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`waited in vain for ${text} in:\n${this.output}`)),
        20_000,
      )
      const look = () => {
        if (!this.output.includes(text)) return
        clearTimeout(timer)
        resolve()
      }
      this.#look.push(look)
      look()
    })
  }
}

describe('chat in a terminal', () => {
  const data = mkdtempSync(join(tmpdir(), 'sotto-peer-'))
  let stand: Stand
  let alice: Peer
  let bob: Terminal

  before(async () => {
    stand = await Stand.start()
    alice = (await stand.join('alice'))[0] as Peer
    bob = new Terminal('bob', data, stand)
    await bob.prints('Connected')
  })
  after(async () => {
    await stand.close()
    rmSync(data, { recursive: true, force: true })
  })

  it('shows every step of the handshake and the hash that both sides share', async () => {
    await bob.prints('Transcript hash: ')
    for (const step of ['→ M1 hello', '← M2 answer', '→ M3 identity', '← M4 welcome'])
      assert.include(bob.output, step)
    assert.include(bob.output, `Endpoint key (verified): ${stand.endpoint.fingerprint}`)
  })

  it('talks in the lobby and in private', async () => {
    bob.type('hello from the terminal')
    await bob.prints('bob: hello from the terminal')
    const lobby = lobbyOf(alice.chat)
    await shown(alice.chat, lobby, 1)
    await alice.chat.send(lobby, 'hello back')
    await bob.prints('alice: hello back')
    bob.type('/pm alice only for you')
    await bob.prints('[private, alice] ')
    const room = await alice.chat.openPrivate('bob')
    assert.deepEqual(await shown(alice.chat, room, 1), ['bob: only for you'])
  })

  it('lists who is there and helps with what it does not know', async () => {
    bob.type('/list')
    await bob.prints('alice (online)')
    await bob.prints('bob (online, you)')
    await bob.prints('…, not verified yet')
    bob.type('/frobnicate')
    await bob.prints('There is no /frobnicate')
    bob.type('/help')
    await bob.prints('/pm <user> <message>')
    bob.type('/pm nobody hello')
    await bob.prints('/list shows who is there')
  })

  it('prints nothing that a terminal could take for a command', async () => {
    const lobby = lobbyOf(alice.chat)
    await alice.chat.send(lobby, '\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u009b31m\r12:00 carol: hi')
    await bob.prints('gnp.exe')
    assert.notMatch(bob.output, /[^\P{Cc}\n]|\u202e/u)
    assert.include(bob.output, '⟨1b⟩]0;owned⟨07⟩')
  })

  it('keeps the identity in a file that only its owner can read', () => {
    const path = join(data, 'peers', 'bob', 'identity.pem')
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.match(readFileSync(path, 'utf8'), /^-----BEGIN PRIVATE KEY-----/)
  })

  it('says who holds the profile when it is started a second time', async () => {
    const second = new Terminal('bob', data, stand)
    assert.equal(await second.done, 1)
    assert.include(second.output, `in use by process ${process.pid}`)
  })

  it('says goodbye at /quit, and is the same person with the same messages next time', async () => {
    bob.type('/quit')
    await bob.done
    assert.match(bob.output, /\* Disconnected\.\n$/)
    assert.notInclude(bob.output.slice(bob.output.indexOf('hello back')), 'Not connected')
    bob = new Terminal('bob', data, stand)
    await bob.prints('alice: hello back')
    await bob.prints('Connected')
  })

  it('sends all lines of a pipe before it ends', async () => {
    for (let i = 0; i < 5; i++) bob.type(`line ${i}`)
    bob.input.end()
    assert.equal(await bob.done, 0)
    await inLobby(alice.chat)
    const seen = await shown(alice.chat, lobbyOf(alice.chat), 8)
    assert.deepEqual(
      seen.slice(-5),
      [0, 1, 2, 3, 4].map((i) => `bob: line ${i}`),
    )
  })

  it('sends a private line of a pipe too, though the lobby is known before the people are', async () => {
    const again = new Terminal('bob', data, stand)
    again.type('/pm alice from a pipe')
    again.type('/list')
    again.input.end()
    assert.equal(await again.done, 0)
    assert.include(again.output, 'alice (online)')
    const room = await alice.chat.openPrivate('bob')
    assert.include(await shown(alice.chat, room, 2), 'bob: from a pipe')
  })

  it('ends with 1 when a line of a pipe was refused, and with 0 when a person reads along', async () => {
    for (const line of ['/pm nobody hello', '/frobnicate', 'x'.repeat(16_385)]) {
      const again = new Terminal('bob', data, stand)
      again.type(line)
      again.type('/quit')
      assert.equal(await again.done, 1, line.slice(0, 20))
    }
    const input = Object.assign(new PassThrough(), { isTTY: true })
    const person = new Terminal('bob', data, stand, { input })
    input.write('/frobnicate\n')
    await person.prints('There is no /frobnicate')
    input.write('/quit\n')
    assert.equal(await person.done, 0)
  })

  it('says at the end of a pipe when a private line had nobody to go to', async () => {
    const port = await steadyPort()
    const late = new Terminal('bob', data, stand, { port, patience: 50 })
    late.type('/pm alice nobody reads this')
    late.input.end()
    assert.equal(await late.done, 1)
    assert.include(late.output, 'Not sent: 1 of your lines.')
  })

  it('ends in words when there is no endpoint to send the lines of a pipe to', async () => {
    const port = await steadyPort()
    const late = new Terminal('late', data, stand, { port, patience: 50 })
    late.type('one')
    late.type('two')
    late.input.end()
    assert.equal(await late.done, 1)
    assert.include(late.output, 'The lobby can’t be entered. Not sent: 2 of your lines.')
  })

  it('names the key file that it can’t use', async () => {
    const path = join(data, 'peers', 'odette', 'identity.pem')
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, 'no key')
    const odette = new Terminal('odette', data, stand)
    assert.equal(await odette.done, 1)
    assert.include(odette.output, `The key in ${path} can’t be used. This is not a PEM file`)
  })

  it('refuses a name that can’t be one, in words', async () => {
    const odd = new Terminal('\u202ebob', data, stand)
    assert.equal(await odd.done, 1)
    assert.notEqual(odd.output.trim(), '')
  })
})

describe('an endpoint with a password', () => {
  it('is asked for in the terminal and never shown', async () => {
    const data = mkdtempSync(join(tmpdir(), 'sotto-peer-'))
    const stand = await Stand.start({ serverPassword: 'open sesame' })
    try {
      const carol = new Terminal('carol', data, stand)
      await carol.prints('Server password')
      assert.notInclude(carol.output, 'not verified yet')
      carol.type('open nothing')
      await carol.prints('Account password')
      carol.type('')
      await carol.prints('Server password (empty for none): \nAccount')
      carol.type('open sesame')
      carol.type('')
      await carol.prints('Connected')
      carol.type('/quit')
      assert.equal(await carol.done, 0)
      assert.notInclude(carol.output, 'sesame')
      const dora = new Terminal('dora', data, stand, { pin: undefined })
      dora.type('open nothing')
      dora.input.end()
      assert.equal(await dora.done, 1)
      assert.include(dora.output, 'The lobby can’t be entered.')
      const [before = ''] = dora.output.split('Server password')
      assert.include(before, 'This server’s key is not verified yet.')
      assert.include(before, stand.endpoint.fingerprint)
    } finally {
      await stand.close()
      rmSync(data, { recursive: true, force: true })
    }
  })
})
