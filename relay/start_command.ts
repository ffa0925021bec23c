/** `sotto start`: everything on one machine, and a link to open. */
import { DEFAULT_ENDPOINT_PORT, DEFAULT_HOST } from './config.ts'
import { onNpmGone } from './npm_gone.ts'
import { type ListeningLine, StartFailed, Supervised } from './supervisor.ts'

export interface StartFlags {
  readonly cli: string
  readonly port: number
  readonly endpointPort: number
  readonly trunkPort: number
  readonly listen: string
  readonly host: string
  readonly proxied: boolean
  readonly dataDir: string
  readonly page: string
  readonly logLevel: string
}

const EXIT_OK = 0
const EXIT_KILLED = 130

/** Starts both parts, tells how to reach them, and keeps them running until Ctrl+C. */
export async function runStart(flags: StartFlags): Promise<never> {
  const say = (text: string): void => void process.stdout.write(`${text}\n`)
  const common = ['--host', flags.host, '--log', flags.logLevel, '--data', flags.dataDir]
  const endpoint = new Supervised(
    'endpoint',
    flags.cli,
    (last) => [
      ...common,
      ...['--port', String(last?.port ?? flags.endpointPort)],
      ...['--trunk-port', String(last?.trunk ?? flags.trunkPort)],
    ],
    process.env,
    say,
  )
  let trunk = flags.trunkPort
  const relay = new Supervised(
    'relay',
    flags.cli,
    (last) => [
      ...common,
      ...['--port', String(last?.port ?? flags.port), '--listen', flags.listen],
      ...['--trunk', `127.0.0.1:${trunk}`, '--page', flags.page],
      `--proxied=${flags.proxied ? 'yes' : 'no'}`,
    ],
    withoutPassword(process.env),
    say,
  )
  const stopping = stopOnSignal(relay, endpoint, say)
  try {
    const first = await endpoint.start()
    trunk = first.trunk ?? trunk
    if (relay.stopping) return stopping
    const second = await relay.start()
    if (!relay.stopping) say(welcome(flags, second, first))
  } catch (error) {
    if (relay.stopping) return stopping
    await Promise.all([relay.stop(), endpoint.stop()])
    process.exit(error instanceof StartFailed ? error.code : 1)
  }
  return stopping
}

/** The relay is never told what only the endpoint must know. */
function withoutPassword(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { SOTTO_SERVER_PASSWORD: _, SOTTO_SERVER_PASSWORD_FILE: __, ...rest } = env
  return rest
}

/**
 * On the first signal the parts close in order: first the endpoint, whose last words to its sessions
 * the relay still carries, then the relay, which was told and so does not miss it aloud.
 */
function stopOnSignal(
  relay: Supervised,
  endpoint: Supervised,
  say: (text: string) => void,
): Promise<never> {
  return new Promise(() => {
    let signalled = false
    const stop = async (): Promise<void> => {
      if (signalled) {
        for (const part of [relay, endpoint]) part.kill()
        process.exit(EXIT_KILLED)
      }
      signalled = true
      say('Closing. Press Ctrl+C again to end at once.')
      await relay.foretell()
      await endpoint.stop()
      await relay.stop()
      process.exit(EXIT_OK)
    }
    process.on('SIGINT', () => void stop())
    process.on('SIGTERM', () => void stop())
    onNpmGone(() => {
      if (!signalled) void stop()
    })
  })
}

const HEX_PER_GROUP = 4

/** What is printed once both parts listen. */
function welcome(flags: StartFlags, relay: ListeningLine, endpoint: ListeningLine): string {
  const print = endpoint.fingerprint ?? ''
  const pin = Buffer.from(print, 'hex').toString('base64url')
  const groups = print.match(new RegExp(`.{${HEX_PER_GROUP}}`, 'g')) ?? []
  // A name that is not this machine's would be looked up and dialled.
  const host = flags.host === DEFAULT_HOST ? '' : ` --host ${flags.host} --address 127.0.0.1`
  const port = endpoint.port === DEFAULT_ENDPOINT_PORT ? '' : ` --port ${endpoint.port}`
  return [
    '',
    '  Sotto is running. Open this link, in as many tabs as you like:',
    '',
    `    http://localhost:${relay.port}/#k=${pin}`,
    '',
    `  From a terminal:   npx sotto chat --name alice${host}${port}`,
    `  Data directory:    ${flags.dataDir}`,
    `  Endpoint’s key:    ${groups.slice(0, groups.length / 2).join(' ')}`,
    `                     ${groups.slice(groups.length / 2).join(' ')}`,
    '',
    '  Only this machine can open the link: browsers give a page its cryptography over HTTPS or',
    '  on localhost alone. On a network or a VPS, put an HTTPS proxy in front and say --proxied:',
    '  without it everybody counts as one network (README, “Behind a TLS proxy”).',
    '  Ctrl+C stops everything.',
    '',
  ].join('\n')
}
