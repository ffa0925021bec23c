import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Chat } from '../../web/chat/chat.ts'
import type { ChatState, MessageId, Notice, RoomId } from '../../web/chat/model.ts'
import { NOT_ACCEPTED } from '../../web/chat/notice_texts.ts'
import type { Profile } from '../../web/chat/profile.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { normaliseName } from '../../web/protocol/names.ts'
import { nodePrimitives } from '../node_primitives.ts'
import { ConnectionLines } from './connection_lines.ts'
import { harmless, harmlessLines } from './harmless.ts'
import { fileProfile } from './profile.ts'
import { failedIn, RoomLines } from './room_lines.ts'
import { dialTcp } from './tcp.ts'
import { Terminal } from './terminal.ts'
import { said, TRUST } from './wording.ts'

export interface ChatCommand {
  readonly name: string
  /** The endpoint's configured name. */
  readonly host: string
  /** Where it listens; `host` when left out. */
  readonly address?: string
  readonly port: number
  /** SHA-256 of the endpoint's SPKI; undefined trusts the first key that is seen. */
  readonly pin: Bytes | undefined
  /** Profiles stand in `<dataDir>/peers/<name>`. */
  readonly dataDir: string
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
  /** Resolves when the chat is to end, as at `/quit` but at once. */
  readonly stopped: Promise<unknown>
  /** Milliseconds that what waits at the end of the input gets without any progress: 15 s. */
  readonly patience?: number
}

const PATIENCE_MS = 15_000
/** Obeyed at once; all other lines wait for the lobby, before which one may be a password. */
const AT_ONCE = /^\/(?:choose|help|quit)\b/
/** Wait for the connection: a profile that was used before knows its lobby, but nobody else yet. */
const NEEDS_PEOPLE = /^\/(?:list|pm)\b/

/** What these notices say is said of the connection here, with what to do at a terminal. */
const OF_CONNECTION: ReadonlySet<string> = new Set([NOT_ACCEPTED, 'revoked'])

const UNVERIFIED =
  'This server’s key is not verified yet. Before you give it a password, ask whoever runs it whether its fingerprint is this one:'

const HELP = `Type a line to send it to the lobby.
/pm <user> <message>  a private message
/list                 who is there
/retry                tries again what could not be sent
/discard              gives it up
/choose <choice>      answers the newest notice that asks for a decision
/quit                 says goodbye
/help                 this`

/**
 * Runs the terminal chat until `/quit`, the end of input, `stopped`, or a refusal for good. Resolves
 * to the exit code.
 */
export async function runChat(command: ChatCommand): Promise<number> {
  // A terminal that is closed can't be written to: the chat ends in order all the same.
  const unread = new Promise((resolve) => command.output.on('error', resolve))
  const stopped = Promise.race([command.stopped, unread])
  const terminal = new Terminal(command.input, command.output)
  let profile: Profile
  try {
    const name = normaliseName(command.name)
    const directory = join(command.dataDir, 'peers', name)
    profile = await fileProfile(directory, name, () =>
      terminal.secretly((ask) =>
        Promise.race([ask('Passphrase of the key: '), stopped.then(() => '')]),
      ),
    )
  } catch (error) {
    terminal.print(said(error))
    terminal.close()
    return 1
  }
  const { host, address = host, port, pin, patience = PATIENCE_MS } = command
  const dial = dialTcp(address, port)
  const chat = new Chat({ profile, dial, host, pin, primitives: nodePrimitives })
  const talk = new Talk(chat, terminal, patience)
  try {
    return await talk.run(stopped)
  } finally {
    // First, so that Ctrl+C is a signal again and no prompt is left behind.
    terminal.close()
    await chat.disconnect()
    terminal.print('* Disconnected.')
    profile.storage.close()
  }
}

/** A chat at a terminal: prints what is new, takes lines and commands. */
class Talk {
  readonly #chat: Chat
  readonly #terminal: Terminal
  readonly #patience: number
  readonly #connection: ConnectionLines
  readonly #rooms: RoomLines
  readonly #notices = new Set<string>()
  /** As it was last shown: each wish for passwords is one of its own. */
  #last: ChatState['connection'] | undefined
  #admitting = false
  /** A command or a line was not obeyed, and was told of. */
  #refused = false
  /** The endpoint asks for passwords, and the input is at its end. */
  readonly #unanswered = Promise.withResolvers<void>()

  constructor(chat: Chat, terminal: Terminal, patience: number) {
    this.#chat = chat
    this.#terminal = terminal
    this.#patience = patience
    const print = (line: string) => terminal.print(line)
    this.#connection = new ConnectionLines(print)
    this.#rooms = new RoomLines(chat, print)
  }

  async run(stopped: Promise<unknown>): Promise<number> {
    const changed = (): void => {
      this.#show(this.#chat.state)
      this.#terminal.look()
    }
    this.#chat.addEventListener('change', changed)
    const interrupted = stopped.then(() => {
      this.#terminal.print('* Closing. Press Ctrl+C again to end at once.')
      return 0
    })
    await this.#chat.ready
    this.#chat.connect()
    const done = new AbortController()
    try {
      const ends = [this.#obeyAll(), interrupted, this.#turnedAway(), this.#hopeless(done.signal)]
      return await Promise.race(ends)
    } finally {
      done.abort()
      // What follows is what was asked for.
      this.#chat.removeEventListener('change', changed)
    }
  }

  /**
   * Resolves to the exit code at `/quit`, or when the input is at its end and all is sent. What was
   * refused is in it where no person reads along.
   */
  async #obeyAll(): Promise<number> {
    const takes = (line: string) => AT_ONCE.test(line) || takesNow(line, this.#chat.state)
    const code = () => (this.#refused && !this.#terminal.interactive ? 1 : 0)
    for (;;) {
      const line = await this.#terminal.line(takes)
      if (line === undefined) break
      const [, name, rest = ''] = /^\/(\w+)\s*(.*)$/s.exec(line.text) ?? []
      if (name !== 'quit')
        await this.#obey(name, name === undefined ? line.text : rest).catch((error) =>
          this.#refuse(said(error)),
        )
      else if (line.before === 0) return code()
      else {
        this.#terminal.print('* Waiting to send what you typed before. Ctrl+C leaves at once.')
        this.#terminal.stopAfter(line.before)
      }
    }
    await this.#until((state) => ready(state) && unsent(state) === 0)
    await this.#rooms.settled()
    return this.#chat.state.rooms.some(({ failed = 0 }) => failed > 0) ? 1 : code()
  }

  #refuse(why: string): void {
    this.#refused = true
    this.#terminal.print(why)
  }

  /** Resolves to 1 when neither another try nor a decision would bring the person in. */
  async #turnedAway(): Promise<number> {
    await this.#until((state) => this.#connection.isOver(state))
    await this.#rooms.settled()
    const lines = this.#terminal.left
    if (lines > 0) this.#terminal.print(`* Not sent: ${lines} of your lines.`)
    return 1
  }

  /**
   * Resolves to 1 when the input is at its end and what waits can't be sent: nobody is left to
   * answer a question, or it has got no less for long. Rejects when `signal` says that it is over.
   */
  async #hopeless(signal: AbortSignal): Promise<number> {
    await this.#terminal.ended
    signal.throwIfAborted()
    const undecided = this.#until(
      (state) => state.connection.phase === 'stopped' && !this.#connection.isOver(state),
    )
    const stuck = Promise.race([undecided, this.#unanswered.promise]).then(() => true)
    const left = () => this.#terminal.left + unsent(this.#chat.state)
    for (let before = Number.POSITIVE_INFINITY, now = left(); now < before; now = left()) {
      before = now
      if (await Promise.race([stuck, wait(this.#patience, false, { signal })])) break
    }
    const lines = this.#terminal.left
    if (lines > 0)
      this.#terminal.print(`* The lobby can’t be entered. Not sent: ${lines} of your lines.`)
    else if (!ready(this.#chat.state)) this.#terminal.print('* The lobby can’t be entered.')
    else this.#terminal.print('* Not everything could be sent. It goes out when you start again.')
    return 1
  }

  async #obey(name: string | undefined, rest: string): Promise<void> {
    if (name === undefined) return rest.trim() === '' ? undefined : this.#say(rest)
    if (name === 'help') return this.#terminal.print(HELP)
    if (name === 'list') return this.#list(this.#chat.state)
    if (name === 'pm') return this.#private(rest)
    if (name === 'retry') return this.#failed((room, id) => this.#chat.retry(room, id))
    if (name === 'discard') return this.#failed((room, id) => this.#chat.discard(room, id))
    if (name === 'choose') return this.#choose(rest.trim())
    this.#refuse(`There is no /${name}. /help lists what there is.`)
  }

  async #say(text: string): Promise<void> {
    const lobby = this.#chat.state.rooms.find(({ kind }) => kind === 'lobby')
    if (lobby !== undefined) await this.#chat.send(lobby.room, text)
  }

  async #private(rest: string): Promise<void> {
    // Names may have spaces: the longest one that fits is meant.
    const people = this.#chat.state.people.filter(({ user }) => rest.startsWith(`${user} `))
    const user = people.sort((a, b) => b.user.length - a.user.length)[0]?.user
    const text = rest.slice((user ?? '').length).trim()
    if (user === undefined || text === '')
      return this.#refuse('/pm <user> <message>: /list shows who is there.')
    await this.#chat.send(await this.#chat.openPrivate(user), text)
  }

  /** Does this with all that failed. */
  async #failed(decide: (room: RoomId, id: MessageId) => Promise<void>): Promise<void> {
    const { rooms } = this.#chat.state
    if (!rooms.some(({ failed = 0 }) => failed > 0)) this.#terminal.print('Nothing has failed.')
    for (const view of rooms)
      for (const { id } of await failedIn(this.#chat, view)) await decide(view.room, id)
  }

  async #choose(choice: string): Promise<void> {
    const open = this.#chat.state.notices.find(({ choices }) => choices.length > 0)
    if (!open?.choices.some((one) => one.choice === choice))
      return this.#refuse('There is nothing of that name to choose.')
    await this.#chat.decide(open.id, choice)
  }

  #list({ people }: ChatState): void {
    for (const { user, online, me, fingerprint, trust } of people) {
      const presence = online ? 'online' : 'away'
      const mine = me ? ', you' : ''
      const print = `${fingerprint.slice(0, 16)}…`
      this.#terminal.print(`  ${harmless(user)} (${presence}${mine}) ${print}, ${TRUST[trust]}`)
    }
  }

  // ── what is printed ──

  #show(state: ChatState): void {
    this.#connection.show(state)
    const { connection } = state
    if (connection !== this.#last && connection.phase === 'admission') void this.#admit()
    this.#last = connection
    for (const notice of state.notices) this.#showNotice(notice)
    for (const room of state.rooms) this.#rooms.show(room)
  }

  async #admit(): Promise<void> {
    if (this.#admitting) return
    this.#admitting = true
    const { endpoint } = this.#chat.state
    if (!endpoint?.verified)
      this.#terminal.print(`* ${UNVERIFIED}\n*   ${endpoint?.fingerprint ?? ''}`)
    await this.#terminal.secretly(async (ask) => {
      while (this.#chat.state.connection.phase === 'admission') {
        if (this.#terminal.exhausted) return this.#unanswered.resolve()
        const serverPassword = await ask('Server password (empty for none): ')
        const accountPassword = await ask('Account password (empty for none): ')
        const passwords = {
          ...(serverPassword && { serverPassword }),
          ...(accountPassword && { accountPassword }),
        }
        try {
          return await this.#chat.admit(passwords)
        } catch (error) {
          this.#terminal.print(said(error))
        }
      }
    })
    this.#admitting = false
  }

  #showNotice({ id, title, seen, advice, choices }: Notice): void {
    if (this.#notices.has(id) || OF_CONNECTION.has(id)) return
    this.#notices.add(id)
    this.#terminal.print(`! ${harmlessLines(`${title}: ${seen} ${advice}`)}`)
    for (const { choice, label } of choices)
      this.#terminal.print(`!   /choose ${choice}: ${harmless(label)}`)
  }

  // ── waiting ──

  /** Resolves once the state is so. */
  #until(predicate: (state: ChatState) => boolean): Promise<void> {
    if (predicate(this.#chat.state)) return Promise.resolve()
    return new Promise((resolve) => {
      const look = () => {
        if (!predicate(this.#chat.state)) return
        this.#chat.removeEventListener('change', look)
        resolve()
      }
      this.#chat.addEventListener('change', look)
    })
  }
}

/** Messages on their way into a log, and one more step while there is no lobby. */
function unsent(state: ChatState): number {
  const waiting = state.rooms.map(({ outgoing = 0, failed = 0 }) => outgoing - failed)
  return waiting.reduce((sum, one) => sum + one, ready(state) ? 0 : 1)
}

/** The lobby is known, so that lines have somewhere to go; passwords may be asked for first. */
function ready({ rooms, connection }: ChatState): boolean {
  return connection.phase !== 'admission' && rooms.some(({ kind }) => kind === 'lobby')
}

function takesNow(line: string, state: ChatState): boolean {
  return ready(state) && (state.connection.phase === 'online' || !NEEDS_PEOPLE.test(line))
}
