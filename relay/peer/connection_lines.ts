import type { ChatState, ConnectionState, HandshakeView, Offline } from '../../web/chat/model.ts'
import { harmless } from './harmless.ts'
import { type Online, words } from './wording.ts'

/**
 * What a terminal says of the connection. The first one is shown stage by stage, with every step of
 * its handshake, and so is the next after a decision; of each other one a line says what came of it,
 * and of tries that fail alike the first alone.
 */
export class ConnectionLines {
  readonly #print: (line: string) => void
  /** How many steps of the newest handshake were seen, and whether they are printed. */
  #steps = 0
  #detailed = true
  /** The first try is over. */
  #tried = false
  /** The endpoint has taken the person since the start. */
  #entered = false
  #said = ''

  constructor(print: (line: string) => void) {
    this.#print = print
  }

  show(state: ChatState): void {
    const { handshake, connection, endpoint } = state
    this.#showSteps(handshake)
    if (connection.phase === 'online') this.#showOnline(connection, handshake, endpoint)
    else this.#showStage(connection, this.#advice(state))
  }

  /**
   * Neither another try nor a decision would bring the person in. Who was in is tried again: what
   * is said before a handshake is done may be forged, or pass.
   */
  isOver({ connection, notices }: ChatState): boolean {
    if (connection.phase === 'offline') return isNo(connection) && !this.#entered
    return connection.phase === 'stopped' && !notices.some(({ blocking }) => blocking)
  }

  #showSteps(handshake: HandshakeView | undefined): void {
    const steps = handshake?.steps ?? []
    if (steps.length < this.#steps) this.#steps = 0
    const fresh = this.#detailed ? steps.slice(this.#steps) : []
    for (const { direction, name, bytes, proves, at } of fresh) {
      const arrow = { out: '→', in: '←', own: '·' }[direction]
      const size = bytes === 0 ? '' : ` (${bytes} bytes)`
      this.#print(`${arrow} ${name}${size}, ${at.toFixed(0)} ms: ${proves}`)
    }
    this.#steps = steps.length
  }

  /** What to do, where the connection's own text does not say it. */
  #advice(state: ChatState): string {
    const { connection } = state
    if (connection.phase === 'offline' && isNo(connection) && this.#entered)
      return ' It is tried again by itself: /quit ends that.'
    // Nothing to decide, and not for good: the same profile is in use elsewhere.
    if (connection.phase === 'stopped' && !connection.final && this.isOver(state))
      return ' To go on here, start again: the other one is ended then.'
    return ''
  }

  #showStage(connection: Exclude<ConnectionState, Online>, advice: string): void {
    const { phase } = connection
    if (phase === 'connecting' && this.#tried) return
    if (phase === 'handshake' && !this.#detailed) return
    // Nothing has been tried yet.
    if (phase === 'offline' && connection.text === '') return
    if (phase === 'offline' && this.#steps > 0) this.#detailed = false
    if (phase === 'stopped') this.#detailed = true
    if (phase !== 'connecting') this.#tried = true
    this.#say(words(connection) + advice)
  }

  #showOnline(
    { since, resumed }: Online,
    handshake: HandshakeView | undefined,
    endpoint: ChatState['endpoint'],
  ): void {
    const said = `online since ${since}`
    if (said === this.#said) return
    this.#said = said
    const transcript = handshake?.transcript ?? ''
    if (this.#entered) {
      const how = `${resumed ? ', by ticket' : ''}: ${handshake?.steps.length} steps`
      const ms = handshake?.ms.toFixed(0)
      this.#print(`* Connected again${how} in ${ms} ms, transcript hash ${transcript}`)
    } else {
      const how = endpoint?.verified ? 'verified' : 'first seen, unverified'
      this.#print(`* Connected${resumed ? ', by ticket' : ''}`)
      this.#print(`* Transcript hash: ${transcript}`)
      this.#print(`* Endpoint key (${how}): ${endpoint?.fingerprint ?? ''}`)
    }
    this.#detailed = false
    this.#entered = true
  }

  #say(text: string): void {
    if (text === this.#said) return
    this.#said = text
    this.#print(`* ${harmless(text)}`)
  }
}

/** The endpoint does not take the person, or is not the one that is meant. */
function isNo({ refused, mismatch }: Offline): boolean {
  return refused === true || mismatch === true
}
