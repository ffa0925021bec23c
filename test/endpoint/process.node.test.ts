import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exportPublicPem } from '../../web/protocol/identity.ts'
import {
  anIdentity,
  BarePeer,
  enter,
  msgId,
  sealed,
  shakeHands,
  tcpLine,
} from '../support/bare_peer.ts'
import { quickIdentity } from '../support/peers.ts'
import { steadyPort } from '../support/ports.ts'
import { portOf } from '../support/relay_stand.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { after, afterEach, assert, before, beforeEach, describe, it } from '../support/suite.ts'

const CLI = fileURLToPath(new URL('../../relay/cli.ts', import.meta.url))

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A command as a person types it. */
class Command {
  readonly child: ChildProcess
  readonly done: Promise<Ran>
  out = ''
  err = ''
  readonly #watchers = new Set<() => void>()

  /** `inside`: a shell, say, that is given the command as its arguments. */
  constructor(
    args: readonly string[],
    env: Record<string, string> = {},
    inside: readonly string[] = [],
  ) {
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', CLI, ...args]
    const [command = '', ...rest] = [...inside, ...node]
    this.child = spawn(command, rest, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.out += chunk
      for (const look of this.#watchers) look()
    })
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.err += chunk
    })
    this.done = once(this.child, 'close').then(([code]) => {
      for (const look of this.#watchers) look()
      return { code: code as number | null, out: this.out, err: this.err }
    })
  }

  /** Resolves when standard output matches; rejects when the command ends before. */
  says(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(this.out)
        if (found !== null) resolve(found)
        else if (this.child.exitCode !== null) reject(new Error(`ended: ${this.out}${this.err}`))
      }
      this.#watchers.add(look)
      look()
    })
  }
}

const run = (args: readonly string[], env: Record<string, string> = {}): Promise<Ran> =>
  new Command(args, env).done

describe('sotto at a terminal', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'sotto-cli-'))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const free = () => ['--port', '0', '--trunk-port', '0', '--data', join(dir, 'data')]
  const relayTo = (host: string) => [
    ...['relay', '--page', dir, '--trunk', host, '--endpoint-key', 'ab'.repeat(32)],
  ]

  it('says which setting is wrong and how it should be, and ends with 2', async () => {
    const cases: readonly [string[], Record<string, string>, RegExp][] = [
      [['relay', '--port', '70000'], {}, /--port.*70000.*0 to 65535/s],
      [['relay', '--origin', 'nonsense'], {}, /such as https:/],
      [['relay'], { SOTTO_PROXIED: 'perhaps' }, /'perhaps' from env 'SOTTO_PROXIED'.*yes or no/],
      [['relay'], { SOTTO_PORT: 'many' }, /'many' from env 'SOTTO_PORT'/],
      [['endpoint', '--lobby-absence', 'long'], {}, /90s, 15m, 24h or 7d/],
      [['endpoint', '--keep-days', '-3'], {}, /from 0 \(for ever\)/],
      [['endpoint', '--host', 'a b'], {}, /such as localhost/],
      [['endpoint', '--log', 'loud'], {}, /debug, info/],
      [['endpoint', '--relay-key', 'ab'], {}, /--relay-key.*'ab'.*64 hex digits/],
      [['endpoint'], { SOTTO_RELAY_KEYS: 'zz' }, /'zz' from env 'SOTTO_RELAY_KEYS'.*64 hex/],
      [['relay'], { SOTTO_ENDPOINT_KEY: 'zz' }, /'zz' from env 'SOTTO_ENDPOINT_KEY'.*64 hex/],
      [['chat', '--name', 'a', '--endpoint-key', '12'], {}, /--endpoint-key.*'12'.*64 hex/],
      [['endpoint', '--dial', 'home.example.org:0'], {}, /--dial.*Port 0 can’t be dialled/],
      [['endpoint', '--dial', 'home.example.org'], {}, /With --dial.*--relay-key/],
      [['relay', '--trunk', 'home.example.org:0'], {}, /--trunk .*Port 0 can’t be dialled/],
      [['relay', '--page', dir, '--trunk-port', '0'], {}, /--trunk-port.*not 0/],
      // An address that is kept for documentation.
      [['relay', '--page', dir, '--trunk', '192.0.2.1'], {}, /192\.0\.2\.1.*--endpoint-key/],
      [['endpoint', '--serverpassword', 'x'], {}, /unknown option/],
      [['relay', '--page', join(dir, 'none')], {}, /npm run build/],
      [['chat'], {}, /--name/],
      [['dance'], {}, /unknown command/],
    ]
    for (const [args, env, says] of cases) {
      const { code, err } = await run(args, env)
      assert.match(err, says)
      assert.equal(code, 2, err)
    }
  })

  it('says which port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const taken = String(portOf(server))
    const ends = await Promise.all([
      run(['endpoint', ...free(), '--port', taken]),
      run(['endpoint', ...free(), '--trunk-port', taken, '--data', join(dir, 'other')]),
      run(['relay', '--port', taken, '--page', dir]),
    ])
    server.close()
    for (const { code, err } of ends) {
      assert.equal(code, 1)
      assert.include(err, `Port ${taken} on 127.0.0.1 is in use`)
      assert.notInclude(err, ' at ')
    }
  })

  it('says what else keeps a relay from starting, and does not blame the port', async () => {
    // An address that is kept for documentation: no machine has it.
    const elsewhere = ['--listen', '198.51.100.77', '--page', dir]
    const file = join(dir, 'file')
    writeFileSync(file, '')
    const [fixed, any, page] = await Promise.all([
      run(['relay', '--port', '4390', ...elsewhere]),
      run(['relay', '--port', '0', ...elsewhere]),
      run(['relay', '--port', '0', '--page', file]),
    ])
    for (const { code, err } of [fixed, any]) {
      assert.equal(code, 1)
      assert.include(err, "on 198.51.100.77 can't be listened on: this machine has no such address")
    }
    const named = await run(['relay', '--port', '0', '--listen', 'nowhere.invalid', '--page', dir])
    assert.equal(named.code, 1)
    assert.match(named.err, /no address for nowhere\.invalid\. Name one of this machine's own/)
    assert.equal(page.code, 1)
    assert.include(page.err, 'not a directory')
    assert.notInclude(page.err, 'in use')
  })

  it('makes the endpoint’s key on first start, for its user alone, and keeps it', async () => {
    const prints: string[] = []
    for (let i = 0; i < 2; i++) {
      const command = new Command(['endpoint', ...free()])
      const [, print = ''] = await command.says(/"fingerprint":"([0-9a-f]{64})"/)
      prints.push(print)
      command.child.kill('SIGTERM')
      const { code, err } = await command.done
      assert.equal(code, 0)
      assert.include(err, '"event":"stopped"')
      assert.notInclude(err, 'works again')
    }
    assert.equal(prints[0], prints[1])
    for (const file of ['endpoint_key.pem', 'log_key.pem'])
      assert.equal(statSync(join(dir, 'data', file)).mode & 0o777, 0o600)
    assert.equal(statSync(join(dir, 'data')).mode & 0o777, 0o700)
  })

  it('writes for its user alone where others can look, and makes what is there so too', async () => {
    const data = join(dir, 'data')
    mkdirSync(data, { mode: 0o755 })
    const modes = () =>
      readdirSync(data).map(
        (name) => `${name} ${(statSync(join(data, name)).mode & 0o777).toString(8)}`,
      )
    for (let i = 0; i < 2; i++) {
      const command = new Command(['endpoint', ...free()])
      await command.says(/listening/)
      assert.include(modes().join(), 'sotto.db-wal')
      for (const name of modes()) assert.match(name, / 600$/)
      command.child.kill('SIGKILL')
      await command.done
      for (const name of readdirSync(data))
        if (name.startsWith('sotto')) chmodSync(join(data, name), 0o644)
    }
  })

  it('refuses a key that others can read, or that is none', async () => {
    const first = new Command(['endpoint', ...free()])
    await first.says(/listening/)
    first.child.kill('SIGTERM')
    await first.done
    const file = join(dir, 'data', 'endpoint_key.pem')
    chmodSync(file, 0o640)
    const readable = await run(['endpoint', ...free()])
    assert.equal(readable.code, 1)
    assert.match(readable.err, /Others can read .*chmod 600/)
    chmodSync(file, 0o600)
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, 300))
    const damaged = await run(['endpoint', ...free()])
    assert.equal(damaged.code, 1)
    assert.match(damaged.err, /can’t be used.*from a backup/)
    assert.notInclude(damaged.err, 'MII')
  })

  it('says how a passphrase comes off a key that has to stand without one', async () => {
    const data = join(dir, 'data')
    mkdirSync(data)
    const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
    const clear = join(dir, 'clear.pem')
    openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:3072', '-out', clear)
    const parts = { endpoint_key: ['endpoint'], relay_key: relayTo('home.example.org') }
    for (const [name, command] of Object.entries(parts)) {
      const file = join(data, `${name}.pem`)
      openssl('pkey', '-in', clear, '-aes256', '-passout', 'pass:quince', '-out', file)
      const { code, err } = await run([...command, ...free()])
      assert.equal(code, 1)
      assert.include(err, `openssl pkey -in ${file} -out ${file}.clear`)
      assert.notMatch(err, /enter its passphrase|backup/)
      openssl('pkey', '-in', file, '-passin', 'pass:quince', '-out', `${file}.clear`)
      renameSync(`${file}.clear`, file)
    }
    const started = new Command(['endpoint', ...free()])
    await started.says(/listening/)
    started.child.kill('SIGTERM')
    await started.done
  })

  it('leaves no half of a key where the machine stopped while it was written', async () => {
    mkdirSync(join(dir, 'data'))
    const file = join(dir, 'data', 'relay_key.pem')
    writeFileSync(`${file}.part`, '-----BEGIN PRIV')
    const relay = new Command([...relayTo('127.0.0.1'), ...free(), '--trunk', '127.0.0.1:1'])
    await relay.says(/listening/)
    relay.child.kill('SIGTERM')
    await relay.done
    assert.match(readFileSync(file, 'utf8'), /^-----BEGIN PRIVATE KEY-----.*-----END/s)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.isFalse(existsSync(`${file}.part`))
  })

  it('backs up while the endpoint runs, and restores to an endpoint with the same key', async () => {
    const first = new Command(['endpoint', ...free()])
    const [, port, print] = await first.says(/"port":(\d+).*"fingerprint":"([0-9a-f]{64})"/)
    const identity = await anIdentity()
    await (await enter(Number(port), { user: 'wren', identity })).close()
    const data = ['--data', join(dir, 'data')]
    const made = await run(['backup', join(dir, 'copy'), ...data])
    assert.match(made.out, /1 account, 1 room, 0 sealed messages,.*endpoint_key\.pem/s)
    assert.equal((await run(['backup', join(dir, 'copy'), ...data])).code, 1)
    const running = await run(['restore', join(dir, 'copy'), ...data, '--force'])
    assert.match(running.err, /running/)
    first.child.kill('SIGTERM')
    await first.done
    const restored = await run(['restore', join(dir, 'copy'), '--data', join(dir, 'other')])
    assert.equal(restored.code, 0, restored.err)
    const second = new Command(['endpoint', ...free(), '--data', join(dir, 'other')])
    const [, again] = await second.says(/"fingerprint":"([0-9a-f]{64})"/)
    assert.equal(again, print)
    second.child.kill('SIGTERM')
    await second.done
  })

  it('says which path is no directory, and what to name instead', async () => {
    const file = join(dir, 'file')
    writeFileSync(file, '')
    const ends = await Promise.all([
      run(['endpoint', ...free(), '--data', file]),
      run(['endpoint', ...free(), '--data', join(file, 'sub')]),
      run(['restore', join(dir, 'copy'), '--data', file]),
      // Where Node's own recursive mkdir would try for ever.
      run(['endpoint', ...free(), '--data', '/proc/none/of/it']),
      run([...relayTo('127.0.0.1'), ...free(), '--data', '/proc/none']),
    ])
    for (const { code, err } of ends) assert.equal(code, 1, err)
    assert.include(ends[0].err, `${file} is no directory: name another with --data.`)
    assert.include(ends[1].err, `${join(file, 'sub')} is no directory: name another with --data.`)
    assert.include(ends[2].err, `There is no database in ${join(dir, 'copy')}.`)
    assert.match(ends[3].err, /^\/proc\/none\/of\/it can't be used/)
    assert.include(ends[4].err, "mkdir '/proc/none'")
  })

  it('gives a name to another key while it does not run, and to nothing that is no key', async () => {
    const first = new Command(['endpoint', ...free()])
    const [, port] = await first.says(/"port":(\d+)/)
    const [lost, found] = [await anIdentity(), await quickIdentity()]
    await (await enter(Number(port), { user: 'robin', identity: lost })).close()
    const data = ['--data', join(dir, 'data')]
    const file = join(dir, 'robin.pem')
    writeFileSync(file, exportPublicPem(found))
    const change = (name: string) => run(['change-key', name, file, ...data])
    assert.match((await change('robin')).err, /running/)
    first.child.kill('SIGTERM')
    await first.done
    assert.match((await change('nobody')).err, /no such account/)
    assert.match(
      (await change('robin')).out,
      /robin is the name of this key now: ([0-9a-f]{4} ?){16}/,
    )
    writeFileSync(file, 'no key')
    assert.equal((await change('robin')).code, 1)
    const missing = await run(['change-key', 'robin', `${file}.none`, ...data])
    assert.include(missing.err, `${file}.none is not there. Name the file with the new public key`)
    const directory = await run(['change-key', 'robin', dir, ...data])
    assert.include(directory.err, `${dir} is a directory. Name the file with the new public key`)
    const second = new Command(['endpoint', ...free()])
    const [, again] = await second.says(/"port":(\d+)/)
    const refused = await enter(Number(again), { user: 'robin', identity: lost }).catch(() => 'no')
    assert.equal(refused, 'no')
    await (await enter(Number(again), { user: 'robin', identity: found })).close()
    second.child.kill('SIGTERM')
    await second.done
  })

  it('starts both parts with one command, restarts a killed one, and stops both', async () => {
    const [page, peers, trunk] = await Promise.all([steadyPort(), steadyPort(), steadyPort()])
    const ports = ['--port', `${page}`, '--endpoint-port', `${peers}`, '--trunk-port', `${trunk}`]
    const command = new Command(['start', ...ports, '--data', join(dir, 'data')])
    const [, link = ''] = await command.says(/(http:\/\/localhost:\d+\/)#k=[A-Za-z0-9_-]{43}/)
    assert.equal((await fetch(`${link}sotto.json`)).status, 200)
    const children = () => childrenOf(command.child.pid ?? 0)
    assert.lengthOf(children(), 2)
    for (const part of children()) {
      const environment = readFileSync(`/proc/${part}/environ`, 'latin1').split('\0')
      assert.include(environment, 'MALLOC_ARENA_MAX=2')
      assert.include(environment, 'MALLOC_TRIM_THRESHOLD_=131072')
    }
    for (const victim of children()) {
      process.kill(victim, 'SIGKILL')
      await gone(victim)
    }
    await command.says(/The endpoint ended unexpectedly/)
    await command.says(/The relay ended unexpectedly/)
    await served(`${link}sotto.json`)
    command.child.kill('SIGINT')
    assert.equal((await command.done).code, 0)
    assert.deepEqual(children(), [])
  })

  it('waits for a part that is still starting when it is stopped', async () => {
    const ports = ['--port', '0', '--endpoint-port', '0', '--trunk-port', '0']
    const command = new Command(['start', ...ports, '--data', join(dir, 'data')])
    const ended = once(command.child, 'exit')
    const parts = () => childrenOf(command.child.pid ?? 0)
    while (parts().length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    const started = parts()
    command.child.kill('SIGTERM')
    assert.deepEqual(await ended, [0, null])
    for (const part of started) assert.isFalse(existsSync(`/proc/${part}`), `${part} still runs`)
    assert.notInclude(command.out, '#k=')
  })

  it('ends in order although nobody reads its log any more', async () => {
    const relay = [...relayTo('127.0.0.1'), ...free(), '--trunk', '127.0.0.1:1']
    for (const args of [relay, ['endpoint', ...free()]]) {
      const command = new Command(args)
      await command.says(/"event":"listening"/)
      command.child.stderr?.destroy()
      command.child.kill('SIGTERM')
      assert.equal((await command.done).code, 0)
    }
  })

  it('says no more than that it closes when it is ended in the usual way', async () => {
    const ports = ['--port', '0', '--endpoint-port', '0', '--trunk-port', '0']
    const command = new Command(['start', ...ports, '--data', join(dir, 'data')])
    await command.says(/#k=/)
    command.child.kill('SIGINT')
    const { code, out, err } = await command.done
    assert.equal(code, 0)
    assert.match(out, /Closing\. [^\n]*\n$/)
    assert.equal(err, '')
  })

  it('prints the command that reaches it from a terminal, whatever name it goes by', async () => {
    const ports = ['--port', '0', '--endpoint-port', '0', '--trunk-port', '0']
    const host = ['--host', 'chat.example.org']
    const command = new Command(['start', ...ports, ...host, '--data', join(dir, 'data')])
    await command.says(
      /sotto chat --name alice --host chat\.example\.org --address 127\.0\.0\.1 --port \d+\n/,
    )
    command.child.kill('SIGINT')
    await command.done
  })

  it('leaves no part behind when it is killed itself', async () => {
    const ports = ['--port', '0', '--endpoint-port', '0', '--trunk-port', '0']
    const command = new Command(['start', ...ports, '--data', join(dir, 'data')])
    await command.says(/#k=/)
    const children = childrenOf(command.child.pid ?? 0)
    command.child.kill('SIGKILL')
    await Promise.all(children.map(gone))
  })

  it('closes in order when npm is ended, whose shell passes no signal on', async () => {
    const shell = ['sh', '-c', '"$@"; :', 'sh']
    const env = { npm_lifecycle_event: 'npx' }
    const command = new Command(['endpoint', ...free()], env, shell)
    await command.says(/"listening"/)
    command.child.kill('SIGTERM')
    // Not before the endpoint itself has let go of its output.
    const { err } = await command.done
    assert.match(err, /"reason":"npm gone".*"event":"stopped"/s)
  })
})

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return text.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      const state = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0]
      if (state === 'Z') return
    } catch {
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function served(link: string): Promise<void> {
  for (;;) {
    const answer = await fetch(link).catch(() => undefined)
    if (answer?.status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe('the endpoint as a process', () => {
  const PASSWORD = 'canary-password-quince'
  let stack: Stack
  before(async () => {
    stack = await startStack({
      env: { SOTTO_SERVER_PASSWORD: `${PASSWORD}-server`, SOTTO_LOG: 'debug' },
    })
  })
  after(() => stack.stop())

  it('says goodbye to every session on SIGTERM, and ends with 0', async () => {
    const peers = await Promise.all(
      ['una', 'vera'].map(async (user) => {
        const identity = await anIdentity()
        const line = await tcpLine(stack.endpointPort)
        const peer = new BarePeer(line, await shakeHands(line, { user, identity }))
        await peer.ask({
          op: 'register',
          serverPassword: `${PASSWORD}-server`,
          accountPassword: `${PASSWORD}-${user}`,
        })
        return peer
      }),
    )
    const [una] = peers
    const { rooms } = (await una?.ask({ op: 'sync' })) ?? assert.fail()
    const room = rooms[0]?.room ?? assert.fail()
    await una?.ask({ op: 'create_group', room, generation: 0, groupInfo: new Uint8Array(1) })
    const { seq } = (await una?.subscribe(room))?.head ?? assert.fail()
    const mls = sealed({ room, epoch: 0 })
    const sent = (await una?.ask({ op: 'send', room, msgId: msgId(), mls })) ?? assert.fail()
    assert.equal(sent.seq, seq + 1)
    const code = stack.kill('endpoint', 'SIGTERM')
    for (const peer of peers) assert.equal(await peer.ended, 'closed restart')
    assert.equal(await code, 0)
    // The last word of a room with traffic is its head.
    const heads = una?.events.flatMap((event) => (event.ev === 'head' ? [event.head] : []))
    assert.deepEqual(heads?.at(-1), { room, seq: seq + 1, chain: sent.chain })
    await stack.restart('endpoint')
  })

  it('keeps no password in its log or its files (R20)', async () => {
    const log = stack.logs('endpoint')
    assert.include(log, '"event":"register","user":"una"')
    assert.include(log, '"reason":"going_away"')
    assert.notInclude(log, PASSWORD)
    for (const file of readdirSync(stack.dataDir))
      assert.isFalse(readFileSync(join(stack.dataDir, file)).includes(PASSWORD), file)
  })

  it('has accounts and rooms as they were after a restart', async () => {
    const identity = await anIdentity()
    const peer = await enter(stack.endpointPort, { user: 'una', identity })
    assert.equal(peer.params.status, 'not_admitted')
    await peer.ask({ op: 'login', accountPassword: `${PASSWORD}-una` })
    const { rooms } = await peer.ask({ op: 'sync' })
    assert.equal(rooms[0]?.generation, 0)
    assert.equal(rooms[0]?.seq, 1)
    await peer.close()
  })
})
