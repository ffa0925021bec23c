/**
 * What can be set from outside: flags, and beside each an environment variable. Values are checked
 * here once, and a wrong one is refused with a sentence that names it (exit code 2).
 */
import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'

export const DEFAULT_PORT = 4390
export const DEFAULT_ENDPOINT_PORT = 4391
export const DEFAULT_TRUNK_PORT = 4392
export const DEFAULT_DATA = './.data'
export const DEFAULT_HOST = 'localhost'
export const DEFAULT_LISTEN = '127.0.0.1'
export const DEFAULT_LOBBY_ABSENCE = '24h'
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** A setting that can't be used. The message names it and says what would do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const MOST_PORT = 65_535
const MOST_DAYS = 36_500
const LEAST_ABSENCE = 1
const MOST_ABSENCE = 10 * 365 * 24 * 3600
const MOST_HOST_BYTES = 255
const MOST_PASSWORD = 1024

/** 0 to 65535; 0 takes a free port. */
export function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > MOST_PORT)
    throw new ConfigError(`A port is a number from 0 to ${MOST_PORT} (0 takes a free one).`)
  return port
}

const UNITS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

/** Seconds of a duration such as `90`, `90s`, `15m`, `24h`, `7d`. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})([smhd]?)$/.exec(text)
  const seconds = Number(match?.[1]) * (UNITS[match?.[2] ?? ''] ?? Number.NaN)
  if (match === null || seconds < LEAST_ABSENCE || seconds > MOST_ABSENCE)
    throw new ConfigError('A duration is a number with a unit, such as 90s, 15m, 24h or 7d.')
  return seconds
}

/** Days, or 0 for "for ever". */
export function parseDays(text: string): number {
  const days = Number(text)
  if (!/^\d{1,5}$/.test(text) || days > MOST_DAYS)
    throw new ConfigError(`Days are a number from 0 (for ever) to ${MOST_DAYS}.`)
  return days
}

/** Megabytes, or 0 for no limit. */
export function parseMegabytes(text: string): number {
  if (!/^\d{1,7}$/.test(text)) throw new ConfigError('Megabytes are a number; 0 sets no limit.')
  return Number(text)
}

/** The endpoint's name, as clients know it: a part of every handshake (at most 255 bytes). */
export function parseHost(text: string): string {
  if (!/^[A-Za-z0-9]([A-Za-z0-9.:_-]*[A-Za-z0-9])?$/.test(text) || text.length > MOST_HOST_BYTES)
    throw new ConfigError('A host is a name such as localhost, chat.example.org or 192.168.1.7.')
  return text
}

/** An address to listen on. */
export function parseAddress(text: string): string {
  if (!/^[A-Za-z0-9.:-]{1,255}$/.test(text))
    throw new ConfigError('An address to listen on is such as 127.0.0.1, 0.0.0.0 or ::1.')
  return text
}

/** `host:port` of a trunk; a host alone takes the default port. IPv6 as `[::1]:4392`. */
export function parseTrunk(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9A-Fa-f:]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  if (host === undefined)
    throw new ConfigError('A trunk is an address such as 127.0.0.1:4392 or home.example.org:4392.')
  return { host, port: match?.[3] === undefined ? DEFAULT_TRUNK_PORT : parsePort(match[3]) }
}

/** `host:port` of a trunk that is dialled: no free port will do. */
export function parseDialled(text: string): { host: string; port: number } {
  const address = parseTrunk(text)
  if (address.port === 0)
    throw new ConfigError('Port 0 can’t be dialled: name the one that the other side listens on.')
  return address
}

/** 32 bytes: a fingerprint as it is printed (64 hex digits) or as a link has it (base64url). */
export function parseFingerprint(text: string): Uint8Array<ArrayBuffer> {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return new Uint8Array(Buffer.from(text, 'hex'))
  if (/^[A-Za-z0-9_-]{43}$/.test(text)) return new Uint8Array(Buffer.from(text, 'base64url'))
  throw new ConfigError('A fingerprint is 64 hex digits, as the other part prints it at start.')
}

/** A web origin, such as `https://chat.example.org`. */
export function parseOrigin(text: string): string {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new ConfigError('An origin is a page’s address such as https://chat.example.org.')
  return url.origin
}

/** Whether something is on. Empty is off: a variable that is set to nothing. */
export function parseSwitch(text: string): boolean {
  if (/^(?:yes|true|on|1)$/i.test(text)) return true
  if (/^(?:no|false|off|0|)$/i.test(text)) return false
  throw new ConfigError('This is yes or no (true, on and 1, or false, off, 0 and nothing).')
}

export function parseLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text)
  if (level === undefined) throw new ConfigError(`A log level is one of ${LOG_LEVELS.join(', ')}.`)
  return level
}

/** An absolute path; a leading `~/` is the home directory. */
export function parsePath(text: string): string {
  if (text === '' || text.includes('\0')) throw new ConfigError('A path must not be empty.')
  if (text.startsWith('~/')) return join(homedir(), text.slice(2))
  return isAbsolute(text) ? text : resolve(text)
}

/**
 * The server password, from SOTTO_SERVER_PASSWORD or from the file that
 * SOTTO_SERVER_PASSWORD_FILE names (its first line). Never from the command line, which every
 * user of the machine can read. Undefined when neither is set: then everyone may register.
 */
export function readServerPassword(env: NodeJS.ProcessEnv): string | undefined {
  const path = env.SOTTO_SERVER_PASSWORD_FILE
  const direct = env.SOTTO_SERVER_PASSWORD
  if (path !== undefined && path !== '' && direct !== undefined && direct !== '')
    throw new ConfigError('Set SOTTO_SERVER_PASSWORD or SOTTO_SERVER_PASSWORD_FILE, not both.')
  const password = path ? firstLine(parsePath(path)) : direct
  if (password === undefined || (password === '' && !path)) return undefined
  if (password === '' || password.length > MOST_PASSWORD)
    throw new ConfigError(`The server password must have 1 to ${MOST_PASSWORD} characters.`)
  return password
}

function firstLine(path: string): string {
  let text: string
  try {
    if ((statSync(path).mode & 0o077) !== 0)
      throw new ConfigError(`Others can read ${path}. Make it yours alone: chmod 600 ${path}`)
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    throw new ConfigError(`The server password can't be read from ${path}.`, { cause })
  }
  return text.split(/\r?\n/, 1)[0] ?? ''
}
