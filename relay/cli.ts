#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
/** One command, subcommands. Each loads only what it runs: the relay never loads the endpoint. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import {
  checked,
  dataOption,
  endpointKeyOption,
  hostOption,
  list,
  listenOption,
  logOption,
  option,
  pageOption,
  port,
  proxiedOption,
} from './cli_options.ts'
import * as config from './config.ts'
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, firstSignal, startFailure } from './part.ts'

const CLI = fileURLToPath(import.meta.url)
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string }

const PASSWORD_HELP = `
A password that newcomers need is best set by SOTTO_SERVER_PASSWORD_FILE naming a file (mode 600),
or by SOTTO_SERVER_PASSWORD, which whoever is this user can read as long as the endpoint runs. It is
no flag: every user of a machine can read command lines.`

// All that these commands write is for their user alone, whatever the directory is.
process.umask(0o077)

const program = new Command('sotto')
  .description('Private chat that lives in a browser tab.')
  .version(version)
  .showHelpAfterError('(sotto --help tells more)')
  // What subcommands inherit is set before they are made.
  .exitOverride()

program
  .command('start')
  .description('run relay and endpoint on this machine, and print the link')
  .addOption(port('--port <port>', 'SOTTO_PORT', 'the page’s port', config.DEFAULT_PORT))
  .addOption(
    port(
      '--endpoint-port <port>',
      'SOTTO_ENDPOINT_PORT',
      'for chat from a terminal',
      config.DEFAULT_ENDPOINT_PORT,
    ),
  )
  .addOption(
    port(
      '--trunk-port <port>',
      'SOTTO_TRUNK_PORT',
      'between relay and endpoint',
      config.DEFAULT_TRUNK_PORT,
    ),
  )
  .addOption(listenOption())
  .addOption(hostOption())
  .addOption(proxiedOption())
  .addOption(dataOption())
  .addOption(pageOption())
  .addOption(
    option('--log <level>', 'SOTTO_LOG', config.LOG_LEVELS.join(', '), config.parseLevel).default(
      'warn',
    ),
  )
  .action(async ({ data, log, ...flags }) => {
    const { runStart } = await import('./start_command.ts')
    config.readServerPassword(process.env)
    await runStart({ ...flags, cli: CLI, dataDir: data, logLevel: log })
  })

program
  .command('relay')
  .description('run the relay: it serves the page and carries frames that it can’t read')
  .addOption(port('--port <port>', 'SOTTO_PORT', 'the page’s port', config.DEFAULT_PORT))
  .addOption(listenOption())
  .addOption(hostOption())
  .addOption(
    option('--trunk <address>', 'SOTTO_TRUNK', 'the endpoint’s trunk port', config.parseDialled),
  )
  .addOption(
    port(
      '--trunk-port <port>',
      'SOTTO_TRUNK_PORT',
      'the same, on this machine',
      config.DEFAULT_TRUNK_PORT,
    ),
  )
  .addOption(
    option(
      '--accept-trunk <address>',
      'SOTTO_ACCEPT_TRUNK',
      'listen for the endpoint’s trunk instead of dialling it',
      config.parseTrunk,
    ),
  )
  .addOption(endpointKeyOption('for a trunk that leaves the machine'))
  .addOption(
    list(
      '--origin <origin>',
      'SOTTO_ORIGINS',
      'another web origin whose pages may connect',
      config.parseOrigin,
    ),
  )
  .addOption(proxiedOption())
  .addOption(dataOption())
  .addOption(pageOption())
  .addOption(logOption())
  .action(async ({ data, trunk, trunkPort, log, origin, ...flags }) => {
    const { runRelay } = await import('./relay_command.ts')
    await runRelay({
      ...flags,
      trunk: trunk ?? { host: '127.0.0.1', port: trunkPort },
      ...{ origins: origin, version, dataDir: data, logLevel: log },
    })
  })

program
  .command('endpoint')
  .description('run the endpoint: accounts, rooms and the log of sealed messages')
  .addOption(
    port(
      '--port <port>',
      'SOTTO_ENDPOINT_PORT',
      'for peers over TCP',
      config.DEFAULT_ENDPOINT_PORT,
    ),
  )
  .addOption(
    port('--trunk-port <port>', 'SOTTO_TRUNK_PORT', 'for relays', config.DEFAULT_TRUNK_PORT),
  )
  .addOption(listenOption('SOTTO_ENDPOINT_LISTEN'))
  .addOption(
    option(
      '--trunk-listen <address>',
      'SOTTO_TRUNK_LISTEN',
      'the address for relays; off this machine a trunk runs the handshake',
      config.parseAddress,
    ).default(config.DEFAULT_LISTEN),
  )
  .addOption(
    list(
      '--relay-key <fingerprint>',
      'SOTTO_RELAY_KEYS',
      'a relay on another machine that may open a trunk',
      config.parseFingerprint,
    ),
  )
  .addOption(
    list(
      '--dial <address>',
      'SOTTO_DIAL',
      'a relay to dial, for an endpoint behind NAT',
      config.parseDialled,
    ),
  )
  .addOption(hostOption())
  .addOption(dataOption())
  .addOption(
    option(
      '--lobby-absence <duration>',
      'SOTTO_LOBBY_ABSENCE',
      'devices away for longer leave the lobby’s group until they return',
      config.parseDuration,
    ).default(config.parseDuration(config.DEFAULT_LOBBY_ABSENCE), config.DEFAULT_LOBBY_ABSENCE),
  )
  .addOption(
    option(
      '--keep-days <days>',
      'SOTTO_KEEP_DAYS',
      'delete messages older than this; 0 keeps them',
      config.parseDays,
    ).default(0),
  )
  .addOption(
    option(
      '--keep-room-mb <megabytes>',
      'SOTTO_KEEP_ROOM_MB',
      'delete a room’s oldest messages beyond this; 0 keeps them',
      config.parseMegabytes,
    ).default(0),
  )
  .addOption(
    new Option('--accept-loss', 'start though acknowledged messages are missing from the database'),
  )
  .addOption(logOption())
  .addHelpText('after', PASSWORD_HELP)
  .action(async ({ data, log, relayKey, acceptLoss, ...flags }) => {
    const { runEndpoint } = await import('./endpoint/command.ts')
    await runEndpoint({
      ...flags,
      ...{ dataDir: data, relays: relayKey, acceptLoss: acceptLoss === true, logLevel: log },
    })
  })

program
  .command('chat')
  .description('chat from this terminal, straight over TCP')
  .requiredOption('--name <name>', 'who you are')
  .addOption(hostOption())
  .addOption(
    option(
      '--address <address>',
      'SOTTO_ADDRESS',
      'where the endpoint is, if not at its name',
      config.parseAddress,
    ),
  )
  .addOption(port('--port <port>', 'SOTTO_ENDPOINT_PORT', 'its port', config.DEFAULT_ENDPOINT_PORT))
  .addOption(
    endpointKeyOption(
      'the endpoint’s fingerprint; without it the first key that is seen is trusted',
    ),
  )
  .addOption(dataOption())
  .action(async ({ data, endpointKey, ...flags }) => {
    const { runChat } = await import('./peer/chat.ts')
    const { stdin: input, stdout: output } = process
    const stopped = firstSignal(() => process.exit(EXIT_INTERRUPTED), input.isTTY)
    process.exitCode = await runChat({
      ...flags,
      ...{ pin: endpointKey, dataDir: data, input, output, stopped },
    })
  })

program
  .command('backup')
  .description('copy what the endpoint keeps into a new directory, also while it runs')
  .argument('<directory>', 'is made', checked(config.parsePath))
  .addOption(dataOption())
  .option('--no-keys', 'leave the keys out: endpoint_key.pem must then be kept elsewhere')
  .action(async (target: string, { data, keys }) => {
    const { runBackup } = await import('./endpoint/store_command.ts')
    process.stdout.write(`${await runBackup(data, target, keys)}\n`)
  })

program
  .command('restore')
  .description('put a backup in place of what the endpoint keeps; the endpoint must not run')
  .argument('<directory>', 'that `sotto backup` has made', checked(config.parsePath))
  .addOption(dataOption())
  .option('--force', 'replace what is there; it is kept beside the new')
  .action(async (target: string, { data, force }) => {
    const { runRestore } = await import('./endpoint/store_command.ts')
    process.stdout.write(`${runRestore(target, data, force === true)}\n`)
  })

program
  .command('change-key')
  .description(
    'give a name to another key, when its person has lost theirs; the endpoint must not run',
  )
  .argument('<name>', 'whose key it is')
  .argument('<file>', 'the new public key, as the page shows it', checked(config.parsePath))
  .addOption(dataOption())
  .action(async (name: string, file: string, { data }) => {
    const { runChangeKey } = await import('./endpoint/store_command.ts')
    process.stdout.write(`${await runChangeKey(name, file, data)}\n`)
  })

try {
  await program.parseAsync()
} catch (error) {
  process.exit(exitCodeOf(error))
}

/** Commander has said what is wrong by itself; everything else is said here. */
function exitCodeOf(error: unknown): number {
  const { code, exitCode } = error as { code?: string; exitCode?: number }
  if (code?.startsWith('commander.')) return exitCode === 0 ? 0 : EXIT_USAGE
  process.stderr.write(`${startFailure(error)}\n`)
  return error instanceof config.ConfigError ? EXIT_USAGE : EXIT_FAILED
}
