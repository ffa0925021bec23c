import { join } from 'node:path'
import { Chat } from '../../web/chat/chat.ts'
import type { ChatState, Notice, RoomView, TimelineItem } from '../../web/chat/model.ts'
import type { Profile } from '../../web/chat/profile.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { normaliseName } from '../../web/protocol/names.ts'
import { nodePrimitives } from '../node_primitives.ts'
import { harmless, harmlessLines } from './harmless.ts'
import { fileProfile } from './profile.ts'
import { dialTcp } from './tcp.ts'
import { Terminal } from './terminal.ts'

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
}

/** Old messages that are shown at the start. */
const LOOK_BACK = 20
/** At the end of a piped input, what is still on its way gets this long. */
const DELIVERY_MS = 15_000

const HELP = `Type a line to send it to the lobby.
/pm <user> <message>  a private message
/list                 who is there
/choose <choice>      answers the newest notice that asks for a decision
/quit                 says goodbye
/help                 this`

/** Runs the terminal chat until `/quit`, Ctrl+C or the end of input. Resolves to the exit code. */
export async function runChat(command: ChatCommand): Promise<number> {
  const terminal = new Terminal(command.input, command.output)
  let profile: Profile
  try {
    const name = normaliseName(command.name)
    const directory = join(command.dataDir, 'peers', name)
    profile = await fileProfile(directory, name, () =>
      terminal.secretly((ask) => ask('Passphrase of the key: ')),
    )
  } catch (error) {
    terminal.print(said(error))
    terminal.close()
    return 1
  }
  const { host, address = host, port, pin } = command
  const dial = dialTcp(address, port)
  const chat = new Chat({ profile, dial, host, pin, primitives: nodePrimitives })
  const talk = new Talk(chat, terminal)
  try {
    return await talk.run()
  } finally {
    await chat.disconnect()
    profile.storage.close()
    terminal.close()
  }
}

/** A chat at a terminal: prints what is new, takes lines and commands. */
class Talk {
  readonly #chat: Chat
  readonly #terminal: Terminal
  /** How much of each room's timeline has been printed. */
  readonly #printed = new Map<string, number>()
  readonly #printing = new Map<string, Promise<void>>()
  #steps = 0
  #connection = ''
  #notices = new Set<string>()
  #admitting = false

  constructor(chat: Chat, terminal: Terminal) {
    this.#chat = chat
    this.#terminal = terminal
  }

  async run(): Promise<number> {
    this.#chat.addEventListener('change', () => this.#show(this.#chat.state))
    const interrupted = new Promise<'quit'>((resolve) => {
      this.#terminal.onInterrupt(() => resolve('quit'))
    })
    await this.#chat.ready
    this.#chat.connect()
    for (;;) {
      const line = await Promise.race([this.#next(), interrupted])
      if (line === undefined) return this.#delivered()
      if (line === 'quit') return 0
      await line().catch((error) => this.#terminal.print(said(error)))
    }
  }

  /** What the next line asks for. Lines wait until there is a lobby to send them to. */
  async #next(): Promise<(() => Promise<void>) | 'quit' | undefined> {
    if (!(await this.#until(ready))) return undefined
    const line = await this.#terminal.line()
    if (line === undefined) return undefined
    const [, name, rest = ''] = /^\/(\w+)\s*(.*)$/s.exec(line) ?? []
    if (name === 'quit') return 'quit'
    return () => this.#obey(name, name === undefined ? line : rest)
  }

  async #obey(name: string | undefined, rest: string): Promise<void> {
    if (name === undefined) return rest.trim() === '' ? undefined : this.#say(rest)
    if (name === 'help') return this.#terminal.print(HELP)
    if (name === 'list') return this.#list(this.#chat.state)
    if (name === 'pm') return this.#private(rest)
    if (name === 'choose') return this.#choose(rest.trim())
    this.#terminal.print(`There is no /${name}. /help lists what there is.`)
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
      return this.#terminal.print('/pm <user> <message>: /list shows who is there.')
    await this.#chat.send(await this.#chat.openPrivate(user), text)
  }

  async #choose(choice: string): Promise<void> {
    const open = this.#chat.state.notices.find(({ choices }) => choices.length > 0)
    if (!open?.choices.some((one) => one.choice === choice))
      return this.#terminal.print('There is nothing of that name to choose.')
    await this.#chat.decide(open.id, choice)
  }

  #list({ people }: ChatState): void {
    for (const { user, online, me, fingerprint, trust } of people) {
      const presence = online ? 'online' : 'away'
      const mine = me ? ', you' : ''
      const print = `${fingerprint.slice(0, 16)}…`
      this.#terminal.print(`  ${harmless(user)} (${presence}${mine}) ${print} ${trust}`)
    }
  }

  // ── what is printed ──

  #show(state: ChatState): void {
    this.#showHandshake(state)
    this.#showConnection(state)
    for (const notice of state.notices) this.#showNotice(notice)
    for (const room of state.rooms) this.#showRoom(room)
  }

  #showHandshake({ handshake }: ChatState): void {
    const steps = handshake?.steps ?? []
    if (steps.length < this.#steps) this.#steps = 0
    for (const { direction, name, bytes, proves, at } of steps.slice(this.#steps)) {
      const arrow = { out: '→', in: '←', own: '·' }[direction]
      const size = bytes === 0 ? '' : ` (${bytes} bytes)`
      this.#terminal.print(`${arrow} ${name}${size}, ${at.toFixed(0)} ms: ${proves}`)
    }
    this.#steps = steps.length
  }

  #showConnection({ connection, handshake, endpoint }: ChatState): void {
    const text = words(connection)
    if (text === this.#connection) return
    this.#connection = text
    this.#terminal.print(`* ${harmless(text)}`)
    if (connection.phase === 'online') {
      this.#terminal.print(`* Transcript hash: ${handshake?.transcript ?? ''}`)
      const how = endpoint?.verified ? 'verified' : 'first seen, unverified'
      this.#terminal.print(`* Endpoint key (${how}): ${endpoint?.fingerprint ?? ''}`)
    }
    if (connection.phase === 'admission') void this.#admit()
  }

  async #admit(): Promise<void> {
    if (this.#admitting) return
    this.#admitting = true
    await this.#terminal.secretly(async (ask) => {
      while (this.#chat.state.connection.phase === 'admission') {
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
    if (this.#notices.has(id)) return
    this.#notices.add(id)
    this.#terminal.print(`! ${harmless(title)}: ${harmless(seen)} ${harmless(advice)}`)
    for (const { choice, label } of choices)
      this.#terminal.print(`!   /choose ${choice}: ${harmless(label)}`)
  }

  /** Prints what has got its final place since; one room's lines never overtake each other. */
  #showRoom(room: RoomView): void {
    const before = this.#printing.get(room.room) ?? Promise.resolve()
    this.#printing.set(
      room.room,
      before.then(() => this.#printRoom(room)),
    )
  }

  async #printRoom({ room, kind, title, length, outgoing = 0 }: RoomView): Promise<void> {
    const settled = length - outgoing
    const from = this.#printed.get(room) ?? Math.max(0, settled - LOOK_BACK)
    if (settled <= from) return
    this.#printed.set(room, settled)
    const place = kind === 'lobby' ? '' : `[private, ${harmless(title)}] `
    for (const item of await this.#chat.timeline(room, from, settled))
      this.#terminal.print(place + lineOf(item))
  }

  // ── waiting ──

  /** Resolves to true once the state is so; to false when the input ended before. */
  #until(predicate: (state: ChatState) => boolean): Promise<boolean> {
    if (predicate(this.#chat.state)) return Promise.resolve(true)
    return new Promise((resolve) => {
      const look = () => {
        if (!predicate(this.#chat.state)) return
        this.#chat.removeEventListener('change', look)
        resolve(true)
      }
      this.#chat.addEventListener('change', look)
    })
  }

  /** At the end of a pipe: waits until everything is sent. 1 when it could not be. */
  async #delivered(): Promise<number> {
    const late = new Promise<number>((resolve) => {
      setTimeout(resolve, DELIVERY_MS, 1).unref()
    })
    const sent = this.#until(({ rooms }) => rooms.every(({ outgoing }) => !outgoing))
    const code = await Promise.race([sent.then(() => 0), late])
    await Promise.all(this.#printing.values())
    return code
  }
}

/** The lobby is known, so that lines have somewhere to go; passwords may be asked for first. */
function ready({ rooms, connection }: ChatState): boolean {
  return connection.phase !== 'admission' && rooms.some(({ kind }) => kind === 'lobby')
}

function lineOf(item: TimelineItem): string {
  const time = new Date(item.at).toTimeString().slice(0, 5)
  if (item.kind === 'system') return `${time} * ${harmless(item.text)}`
  return `${time} ${harmless(item.from)}: ${harmlessLines(item.text)}`
}

function words(connection: ChatState['connection']): string {
  switch (connection.phase) {
    case 'connecting':
      return 'Connecting'
    case 'handshake':
      return 'Handshake'
    case 'admission':
      return connection.text
    case 'entering':
      return 'Entering the lobby'
    case 'online':
      return connection.resumed ? 'Connected again, by ticket' : 'Connected'
    case 'offline':
      return `Not connected. ${connection.text}`.trim()
    case 'stopped':
      return `Stopped. ${connection.text}`
  }
}

function said(error: unknown): string {
  return error instanceof SottoError ? harmless(error.message) : 'Something went wrong.'
}
