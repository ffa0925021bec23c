/** Structured logs: one JSON object a line on standard error, so that standard output stays free. */
import { type Logger, pino, stdTimeFunctions } from 'pino'
import type { LogLevel } from './config.ts'
import { LogStream } from './log_stream.ts'

/**
 * What goes in: events, counts, durations, reasons, account names at the endpoint. Never content,
 * room names, keys, passwords, nor the cause of a failed cryptographic check. Callers pass fields
 * by name and never whole objects of the protocol, so there is nothing to redact.
 */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

export interface ProcessLog {
  readonly log: Log
  /** Writes what is still waiting: for the last moment of a process. */
  flush(): void
}

export function processLog(part: string, level: LogLevel): ProcessLog {
  const out = new LogStream()
  const log = pino(
    {
      level,
      base: { part },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    out,
  )
  return { log, flush: () => out.flush() }
}

/** For what is embedded in another process, such as tests. */
export function silentLog(): Log {
  return pino({ level: 'silent' })
}
