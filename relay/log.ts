/** Structured logs: one JSON object a line on standard error, so that standard output stays free. */
import { destination, type Logger, pino, stdTimeFunctions } from 'pino'
import type { LogLevel } from './config.ts'

/**
 * What goes in: events, counts, durations, reasons, account names at the endpoint. Never content,
 * room names, keys, passwords, nor the cause of a failed cryptographic check. Callers pass fields
 * by name and never whole objects of the protocol, so there is nothing to redact.
 */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

const STANDARD_ERROR = 2
/** A log that nobody reads must not fill the memory: past this, lines are dropped. */
const MOST_WAITING = 4 * 1024 * 1024

export interface ProcessLog {
  readonly log: Log
  /** Writes what is still waiting: for the last moment of a process. */
  flush(): void
}

export function processLog(part: string, level: LogLevel): ProcessLog {
  const out = destination({ fd: STANDARD_ERROR, sync: false, maxLength: MOST_WAITING })
  const log = pino(
    {
      level,
      base: { part },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    out,
  )
  const flush = (): void => {
    try {
      out.flushSync()
    } catch {
      // Not open yet, or nobody reads it any more: there is nobody to tell.
    }
  }
  return { log, flush }
}

/** For what is embedded in another process, such as tests. */
export function silentLog(): Log {
  return pino({ level: 'silent' })
}
