import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { importIdentityPem } from '../../web/protocol/identity.ts'
import { Logged } from '../support/logged.ts'
import { Network } from '../support/network.ts'
import { inLobby, type Peer, Stand } from '../support/peers.ts'
import { stranger } from '../support/stranger.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { TerminalProcess, type Whereabouts } from '../support/terminal.ts'

describe('sotto chat, connecting again and ending', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sotto-ending-'))
  const logged = new Logged()
  let stand: Stand
  let network: Network
  let there: Whereabouts
  let away: Whereabouts

  before(async () => {
    stand = await Stand.start({ log: logged.log })
    await stand.join('alice')
    network = await Network.open(() => stand.endpoint.port)
    const { port, fingerprint } = stand.endpoint
    there = { endpointPort: port, host: 'localhost', fingerprint, dataDir }
    away = { ...there, endpointPort: network.port }
  })
  after(async () => {
    await network.close()
    await stand.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  /** Another device of the person at a terminal, and the name of the terminal's one. */
  async function otherDevice(user: string): Promise<{ other: Peer; device: string }> {
    const pem = readFileSync(join(dataDir, 'peers', user, 'identity.pem'), 'utf8')
    const other = await stand.peer(user, { identity: await importIdentityPem(pem) })
    other.chat.connect()
    await inLobby(other.chat)
    const devices = await other.chat.devices()
    return { other, device: devices.find(({ me }) => !me)?.device ?? '' }
  }

  it('ends when the name has another key: once said, and what to do', async () => {
    const alice = new TerminalProcess('alice', { ...there, fingerprint: undefined })
    alice.type('nobody reads this')
    assert.equal(await alice.exit(), 1)
    assert.match(alice.output, /did not accept you as alice .* take another name\.\n/)
    assert.lengthOf(alice.shown(/did not accept/), 1)
    assert.lengthOf(alice.shown(/M1 hello/), 1)
    assert.notInclude(alice.output, 'tried again')
    assert.include(alice.output, '* Not sent: 1 of your lines.')
    assert.match(alice.output, /\* Disconnected\.\n$/)
  })

  it('promises to keep the first key, and does not say that it has', async () => {
    const alice = new TerminalProcess('alice', { ...there, fingerprint: undefined })
    assert.equal(await alice.exit(), 1)
    const [step = ''] = alice.shown(/Endpoint key, .*/)
    assert.include(step, 'it will be kept once')
    assert.notInclude(step, 'it is kept')
  })

  it('ends when another device has removed this one, and the next time at once', async () => {
    const bob = new TerminalProcess('bob', there)
    await bob.prints('* Connected')
    const { other, device } = await otherDevice('bob')
    await other.chat.removeDevice(device)
    assert.equal(await bob.exit(), 1)
    const again = new TerminalProcess('bob', there)
    assert.equal(await again.exit(), 1)
    for (const { output } of [bob, again]) {
      assert.match(output, /\* Stopped\. This device was removed\. .* take another name\.\n/)
      assert.notInclude(output, 'browser')
    }
  })

  it('ends when the same device has connected elsewhere', async () => {
    const frank = new TerminalProcess('frank', there)
    await frank.prints('* Connected')
    // As a copy of the directory would.
    const copy = join(dataDir, 'copy')
    cpSync(join(dataDir, 'peers'), join(copy, 'peers'), { recursive: true })
    const again = new TerminalProcess('frank', { ...there, dataDir: copy })
    assert.equal(await frank.exit(), 1)
    assert.match(
      frank.output,
      /\* Stopped\. .* To go on here, start again: .*\n\* Disconnected\.\n$/,
    )
    assert.equal(await again.quit(), 0)
  })

  it('ends when an unknown endpoint has another name: once said, and what to do', async () => {
    const unknown = { ...there, fingerprint: undefined }
    const gil = new TerminalProcess('gil', { ...unknown, host: 'elsewhere' })
    gil.type('nobody reads this')
    assert.equal(await gil.exit(), 1)
    const [said = '', ...more] = gil.shown(/\* Not connected\. .*/)
    assert.match(said, /may go by another name than elsewhere\. .* --host at a terminal\./)
    assert.lengthOf(more, 0)
    assert.notInclude(gil.output, '!')
    assert.include(gil.output, '* Not sent: 1 of your lines.')
    // What was wrong then is nothing to be told of now.
    const again = new TerminalProcess('gil', there)
    await again.prints('* Connected')
    assert.equal(await again.quit(), 0)
    assert.notInclude(again.output, '!')
  })

  it('says what it may be when the answer of an endpoint whose key is known does not open', async () => {
    const hal = new TerminalProcess('hal', { ...there, host: 'elsewhere' })
    await hal.prints('may go by another name than elsewhere')
    await hal.prints('man-in-the-middle')
    await hal.quit()
  })

  for (const [alert, what] of [
    ['protocol_version', /another version of Sotto\. Update the older of the two\.\n/],
    ['no_such_host', /does not go by this name\. .* --host at a terminal\.\n/],
  ] as const)
    it(`ends at ${alert}: once said, and what to do`, async () => {
      const other = await stranger(alert)
      try {
        const ida = new TerminalProcess('ida', { ...there, endpointPort: other.port })
        assert.equal(await ida.exit(), 1)
        assert.match(ida.output, what)
        assert.lengthOf(ida.shown(/\* Not connected/), 1)
        assert.match(ida.output, /\* Disconnected\.\n$/)
      } finally {
        other.close()
      }
    })

  it('tries on when who was in meets another version, and says it once', async () => {
    const other = await stranger('protocol_version')
    let port = stand.endpoint.port
    const way = await Network.open(() => port)
    try {
      const jon = new TerminalProcess('jon', { ...there, endpointPort: way.port })
      await jon.prints('* Connected')
      port = other.port
      way.cut()
      await other.came(3)
      port = stand.endpoint.port
      await jon.prints('* Connected again')
      assert.equal(await jon.quit(), 0)
      assert.lengthOf(jon.shown(/another version of Sotto.* It is tried again by itself/), 1)
    } finally {
      other.close()
      await way.close()
    }
  })

  it('shows the handshake once, and each later connection in one line', async () => {
    const carol = new TerminalProcess('carol', away)
    await carol.prints('* Connected')
    assert.match(carol.output, /^\* Connecting\n/)
    await carol.prints('Endpoint key (verified)')
    const before = carol.output.length
    network.cut()
    await carol.prints('* Connected again, by ticket')
    assert.equal(await carol.quit(), 0)
    const lines = carol.output.slice(before).split('\n')
    assert.match(lines[0] ?? '', /^\* Not connected\. /)
    assert.match(
      lines[1] ?? '',
      /^\* Connected again, by ticket: \d+ steps in \d+ ms, transcript hash [0-9a-f]{64}$/,
    )
    assert.deepEqual(lines.slice(2), ['* Disconnected.', ''])
  })

  it('tries on when who was in is refused, and says it once', async () => {
    const dave = new TerminalProcess('dave', away)
    await dave.prints('* Connected')
    const { other, device } = await otherDevice('dave')
    network.freeze()
    await other.chat.removeDevice(device)
    const refused = logged.failures(3)
    network.cut()
    await refused
    await dave.prints('It is tried again by itself: /quit ends that.')
    assert.equal(await dave.quit(), 0)
    assert.lengthOf(dave.shown(/did not accept/), 1)
    assert.lengthOf(dave.shown(/M1 hello/), 1)
  })

  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    it(`says goodbye at ${signal}`, async () => {
      const name = signal.toLowerCase()
      const person = new TerminalProcess(name, there)
      await person.prints('* Connected')
      person.signal(signal)
      assert.equal(await person.exit(), 0)
      assert.match(person.output, /\* Disconnected\.\n$/)
      assert.deepEqual(logged.ends(name), ['closed: done'])
    })

  it('ends at once at a second signal', async () => {
    const erin = new TerminalProcess('erin', away)
    await erin.prints('* Connected')
    // The goodbye has nobody to answer it.
    network.freeze()
    erin.signal('SIGTERM')
    await erin.prints('* Closing.')
    erin.signal('SIGTERM')
    assert.equal(await erin.exit(), 130)
    assert.notInclude(erin.output, 'Disconnected')
  })
})
