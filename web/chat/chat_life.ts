import { type Bytes, hex } from '../protocol/bytes.ts'
import type { HandshakeStep } from '../protocol/handshake_steps.ts'
import type { Connection, End } from './connection.ts'
import type { ConnectionState, HandshakeView, Notice } from './model.ts'
import { deviceRemoved, notAccepted, tampered } from './notice_texts.ts'
import type { Profile } from './profile.ts'

/** Stands in the store once another device has removed this one. */
const REVOKED = 'revoked'
const REMOVED: ConnectionState = {
  phase: 'stopped',
  text: 'This device was removed.',
  final: true,
}

export interface LifeNeeds {
  readonly profile: Profile
  raise(notice: Notice): void
  changed(): void
  log(error: unknown): void
}

/** Where the connection stands, in words, and the newest handshake as it happens. */
export class ChatLife {
  readonly #needs: LifeNeeds
  #phase: ConnectionState = { phase: 'offline', text: '', retryAt: undefined }
  #handshake: HandshakeView | undefined
  #refused = false

  constructor(needs: LifeNeeds) {
    this.#needs = needs
  }

  get phase(): ConnectionState {
    return this.#phase
  }

  get handshake(): HandshakeView | undefined {
    return this.#handshake
  }

  /** This device was removed: it never connects again. */
  get over(): boolean {
    return this.#phase === REMOVED
  }

  /** The endpoint did not accept this device when it was last asked. */
  get refused(): boolean {
    return this.#refused
  }

  set(phase: ConnectionState): void {
    this.#phase = phase
    this.#needs.changed()
  }

  /** What an earlier page has found out for good. */
  async recall(): Promise<void> {
    if ((await this.#needs.profile.storage.read(REVOKED)) === true) this.set(REMOVED)
  }

  begin(): void {
    this.#handshake = { mode: undefined, done: false, ms: 0, steps: [], transcript: '' }
    // Still online: the connection is only renewed.
    this.set(this.#phase.phase === 'online' ? this.#phase : { phase: 'handshake' })
  }

  step(step: HandshakeStep): void {
    const before = this.#handshake
    if (before === undefined) return
    const steps = [...before.steps, step]
    this.#handshake = { ...before, steps, ms: step.at, transcript: step.transcript }
    this.#needs.changed()
  }

  shaken({ mode }: Connection, transcript: Bytes): void {
    this.#refused = false
    if (this.#handshake === undefined) return
    this.#handshake = { ...this.#handshake, mode, done: true, transcript: hex(transcript) }
  }

  ended(end: End, retryAt: number | undefined): void {
    const { raise } = this.#needs
    if (end.why === 'tampered') raise(tampered(end.text))
    const refused = end.why === 'refused' && end.text.includes('did not accept')
    this.#refused ||= refused
    if (refused) raise(notAccepted(end.text))
    if (end.why === 'revoked') this.#endForGood()
    else if (end.why === 'replaced') this.set({ phase: 'stopped', text: end.text })
    else
      this.set({
        phase: 'offline',
        text: end.text,
        retryAt,
        refused,
        mismatch: end.mismatch === true,
      })
  }

  /** Only an authenticated alert comes here. It holds over reloads: nothing is tried again. */
  #endForGood(): void {
    const { profile, raise, log } = this.#needs
    profile.storage.write(new Map([[REVOKED, true]])).catch(log)
    raise(deviceRemoved(profile.user))
    this.set(REMOVED)
  }
}
