/** One part of Sotto as a process: starts, says that it listens, ends properly on a signal. */
import { ConfigError } from './config.ts'
import type { ProcessLog } from './log.ts'
import { onNpmGone } from './npm_gone.ts'

export interface Part {
  /** Printed on standard output as one line of JSON once the part is ready. */
  readonly listening: object
  /** All parts are about to be stopped on purpose, this one among them. */
  foretold?(): void
  close(): Promise<void>
}

/** What the process that started a part says over their channel, and hears back. */
export const FORETOLD = 'all parts are about to be stopped'

export const EXIT_OK = 0
export const EXIT_FAILED = 1
export const EXIT_USAGE = 2
export const EXIT_INTERRUPTED = 130

/** Closing waits for the other side only so long. */
const MOST_CLOSING_MS = 10_000

/**
 * Runs `start` and closes what it returns on SIGINT, SIGTERM, or when the process that started
 * this one is gone. A second signal ends at once. Never returns: the process exits with 0 after
 * an orderly close, 1 after a failure, 2 after a wrong setting.
 */
export async function runPart(
  { log, flush }: ProcessLog,
  start: () => Promise<Part>,
): Promise<never> {
  const exit = (code: number): never => {
    flush()
    process.exit(code)
  }
  const crash = (error: unknown): never => {
    const { name, message, stack } = error instanceof Error ? error : new Error('unknown')
    log.error({ event: 'crashed', name, text: message, stack }, 'crashed')
    return exit(EXIT_FAILED)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  const stopped = firstSignal(() => exit(EXIT_INTERRUPTED))
  let part: Part | undefined
  process.on('message', (said) => {
    if (said !== FORETOLD) return
    part?.foretold?.()
    process.send?.(FORETOLD)
  })
  try {
    part = await start()
  } catch (error) {
    process.stderr.write(`${startFailure(error)}\n`)
    return exit(error instanceof ConfigError ? EXIT_USAGE : EXIT_FAILED)
  }
  process.stdout.write(`${JSON.stringify(part.listening)}\n`)
  const reason = await stopped
  log.info({ event: 'stopping', reason }, 'stopping')
  const late = setTimeout(() => crash(new Error('Closing took too long.')), MOST_CLOSING_MS)
  await part.close()
  clearTimeout(late)
  log.info({ event: 'stopped' }, 'stopped')
  return exit(EXIT_OK)
}

/**
 * Resolves with what the first of these was: SIGINT, SIGTERM, SIGHUP where `terminal` says that there
 * is one to be closed, or that the process that started this one is gone. `again` is called on
 * another SIGINT or SIGTERM after one.
 */
export function firstSignal(again: () => void, terminal = false): Promise<string> {
  return new Promise((resolve) => {
    let signalled = false
    const take = (name: string) => () => {
      if (signalled) again()
      signalled = true
      resolve(name)
    }
    process.on('SIGINT', take('SIGINT'))
    process.on('SIGTERM', take('SIGTERM'))
    // Comes once from the terminal and once more from the shell that ends with it. Who has none keeps
    // what it was started with, as by nohup.
    if (terminal) process.on('SIGHUP', () => resolve('SIGHUP'))
    // A parent that is gone can't send a signal any more; its end of the channel is closed then.
    if (process.channel) process.once('disconnect', () => resolve('parent gone'))
    onNpmGone(() => resolve('npm gone'))
  })
}

const SYSTEM_ERRORS: Readonly<Record<string, (error: NodeJS.ErrnoException) => string>> = {
  EADDRINUSE: (error) =>
    `${where(error)} is in use. Stop what uses it, or choose another: a flag sets it, or the environment (SOTTO_PORT, SOTTO_ENDPOINT_PORT, SOTTO_TRUNK_PORT; 0 takes a free port).`,
  EADDRNOTAVAIL: (error) =>
    `${where(error)} can't be listened on: this machine has no such address.`,
  ENOTFOUND: unknownHost,
  EAI_AGAIN: unknownHost,
  EACCES: (error) =>
    error.path === undefined
      ? `${where(error)} can't be opened: ports below 1024 need special rights. Choose a higher one.`
      : `${error.path} can't be opened: it belongs to somebody else.`,
  EROFS: (error) => `${error.path} is on a file system that is read-only.`,
  ENOSPC: () => 'The disk is full. Make room and start again.',
}

function unknownHost(error: NodeJS.ErrnoException): string {
  const { hostname = 'this name' } = error as { hostname?: string }
  return `There is no address for ${hostname}. Name one of this machine's own to listen on, such as 127.0.0.1, or 0.0.0.0 for all.`
}

function where(error: NodeJS.ErrnoException): string {
  const { address, port } = error as { address?: string; port?: number }
  // Of port 0, which is any, the system's error says nothing.
  return `${port === undefined ? 'A port' : `Port ${port}`} on ${address ?? 'this machine'}`
}

/** One sentence for the person who started us. */
export function startFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'Starting failed.'
  const code = (error as NodeJS.ErrnoException).code
  return (code === undefined ? undefined : SYSTEM_ERRORS[code])?.(error) ?? error.message
}
