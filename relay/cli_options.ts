/** The settings of the commands: each a flag, an environment variable and a check. */
import { fileURLToPath } from 'node:url'
import { InvalidArgumentError, Option } from 'commander'
import * as config from './config.ts'

const PAGE = fileURLToPath(new URL('../.build/page', import.meta.url))

/** A value that is wrong ends the command with its sentence and exit code 2. */
export function checked<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : '')
    }
  }
}

export function option<T>(
  flags: string,
  env: string,
  text: string,
  parse: (text: string) => T,
): Option {
  return new Option(flags, text).env(env).argParser(checked(parse))
}

/** For what may be given several times, or as a list with commas. Empty when it is not given. */
export function list<T>(
  flags: string,
  env: string,
  text: string,
  parse: (text: string) => T,
): Option {
  const one = checked(parse)
  return new Option(flags, text)
    .env(env)
    .argParser((value: string, before: T[]) => [
      ...before,
      ...value.split(',').filter(Boolean).map(one),
    ])
    .default([], 'none')
}

export const port = (flags: string, env: string, text: string, value: number): Option =>
  option(flags, env, text, config.parsePort).default(value)

export const dataOption = (): Option =>
  option('--data <directory>', 'SOTTO_DATA', 'where everything is kept', config.parsePath).default(
    config.parsePath(config.DEFAULT_DATA),
    config.DEFAULT_DATA,
  )
export const hostOption = (): Option =>
  option(
    '--host <name>',
    'SOTTO_HOST',
    'the endpoint’s name, as clients know it',
    config.parseHost,
  ).default(config.DEFAULT_HOST)
export const listenOption = (env = 'SOTTO_LISTEN'): Option =>
  option('--listen <address>', env, 'the address to listen on', config.parseAddress).default(
    config.DEFAULT_LISTEN,
  )
export const logOption = (): Option =>
  option('--log <level>', 'SOTTO_LOG', config.LOG_LEVELS.join(', '), config.parseLevel).default(
    'info',
  )
export const endpointKeyOption = (text: string): Option =>
  option('--endpoint-key <fingerprint>', 'SOTTO_ENDPOINT_KEY', text, config.parseFingerprint)
export const proxiedOption = (): Option =>
  option(
    '--proxied [yes]',
    'SOTTO_PROXIED',
    'a proxy on this machine tells where connections come from: yes or no',
    config.parseSwitch,
  )
    .preset('yes')
    .default(false, 'no')
export const pageOption = (): Option =>
  option('--page <directory>', 'SOTTO_PAGE', 'the built page', config.parsePath).default(PAGE)
