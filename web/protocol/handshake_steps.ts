/**
 * What the handshake view shows: each step as it happens, with sizes, public values and hashes.
 * Nothing in here is secret, so a screenshot of it is harmless.
 */
import { type Bytes, hex } from './bytes.ts'

/** One step as it happened. Never holds a secret: sizes, public values and hashes only. */
export interface HandshakeStep {
  readonly name: string
  /** out: we sent it; in: we received it; own: computed here, nothing on the wire. */
  readonly direction: 'out' | 'in' | 'own'
  /** Bytes on the wire; 0 for own. */
  readonly bytes: number
  /** What this step proves or does, in one sentence for people. */
  readonly proves: string
  /** Public fields, ready to show. */
  readonly fields: readonly StepField[]
  /** Hex transcript hash after this step, or empty. */
  readonly transcript: string
  /** Milliseconds since the handshake began. */
  readonly at: number
}

export interface StepField {
  readonly name: string
  readonly value: string
  readonly bytes: number
}

export type Trace = (step: HandshakeStep) => void

/** A public value of one kind or another, as a field. */
export function field(name: string, value: Bytes | string, bytes?: number): StepField {
  if (typeof value !== 'string') return { name, value: hex(value), bytes: value.length }
  return { name, value, bytes: bytes ?? 0 }
}

/** A sealed value: only its size is shown. */
export function sealed(name: string, bytes: number): StepField {
  return { name, value: 'sealed', bytes }
}

/** Puts the time to each step and hands it on. */
export class Tracer {
  readonly #trace: Trace | undefined
  readonly #now: () => number
  readonly #start: number

  constructor(trace: Trace | undefined, now: () => number) {
    this.#trace = trace
    this.#now = now
    this.#start = now()
  }

  step(
    direction: HandshakeStep['direction'],
    name: string,
    proves: string,
    bytes: number,
    transcript: Bytes | undefined,
    fields: () => readonly StepField[],
  ): void {
    this.#trace?.({
      name,
      direction,
      bytes,
      proves,
      fields: fields(),
      transcript: transcript === undefined ? '' : hex(transcript),
      at: this.#now() - this.#start,
    })
  }
}
