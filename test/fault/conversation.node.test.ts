import { nodePrimitives } from '../../relay/node_primitives.ts'
import { dialTcp } from '../../relay/peer/tcp.ts'
import { Chat } from '../../web/chat/chat.ts'
import type { RoomId } from '../../web/chat/model.ts'
import type { Profile } from '../../web/chat/profile.ts'
import type { Dial, Transport } from '../../web/chat/transport.ts'
import { openVault } from '../../web/chat/vault.ts'
import { Checker } from '../support/checker.ts'
import { MemoryStorage } from '../support/memory_storage.ts'
import { inLobby, lobbyOf, messages, quickIdentity } from '../support/peers.ts'
import { full, type Random, random } from '../support/random.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { after, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'
import { explained } from '../support/whereabouts.ts'

/** A person whose process and network can fail. */
class Victim {
  readonly name: string
  readonly #port: number
  readonly #checker: () => Checker | undefined
  #profile: Profile & { storage: MemoryStorage }
  #transport: Transport | undefined
  #death = Promise.withResolvers<void>()
  chat: Chat

  private constructor(
    name: string,
    port: number,
    profile: Profile & { storage: MemoryStorage },
    checker: () => Checker | undefined,
  ) {
    this.name = name
    this.#port = port
    this.#profile = profile
    this.#checker = checker
    this.chat = this.#start()
  }

  static async start(
    name: string,
    port: number,
    checker: () => Checker | undefined,
  ): Promise<Victim> {
    const algorithm = { name: 'AES-GCM', length: 256 }
    const key = await crypto.subtle.generateKey(algorithm, false, ['encrypt', 'decrypt'])
    const identity = await quickIdentity()
    const storage = new MemoryStorage()
    const device = crypto.getRandomValues(new Uint8Array(16))
    const vault = openVault(key)
    const profile = { user: name, device, identity, storage, vault, backedUp: false }
    return new Victim(name, port, profile, checker)
  }

  get profile(): Profile {
    return this.#profile
  }

  /** The process dies at one of its next writes, before or after that write; another one starts. */
  crashSoon(r: Random): void {
    const { storage } = this.#profile
    void storage.dieAt(r.below(6), r.below(2) === 1).then(() => this.#die())
  }

  /** From now on nothing happens to it any more. */
  spare(): void {
    this.#profile.storage.live()
  }

  /** Types a message. A process that dies over it never says whether it was stored. */
  say(checker: Checker, text: string): Promise<void> {
    return Promise.race([checker.send(this.name, this.chat, text), this.#death.promise])
  }

  /** The network breaks, without a goodbye. */
  cut(): void {
    this.#transport?.close()
  }

  #die(): void {
    this.#death.resolve()
    this.#death = Promise.withResolvers()
    const storage = this.#profile.storage.crash()
    this.#transport?.close()
    void this.chat.disconnect()
    this.#profile = { ...this.#profile, storage }
    this.chat = this.#start()
  }

  #start(): Chat {
    const dial: Dial = async (signal) => {
      this.#transport = await dialTcp('127.0.0.1', this.#port)(signal)
      return this.#transport
    }
    const { user } = this.#profile
    const chat = new Chat({
      profile: this.#profile,
      dial,
      host: 'localhost',
      pin: undefined,
      primitives: nodePrimitives,
      log: (error) => console.error(user, error),
    })
    this.#checker()?.watch(chat)
    // The test is not about how long people wait between two tries.
    chat.addEventListener('change', () => {
      if (chat.state.connection.phase === 'offline') setTimeout(() => chat.wake(), 50)
    })
    chat.connect()
    return chat
  }
}

async function run(stack: Stack, victims: Victim[], checker: Checker, seed: number): Promise<void> {
  const r = random(seed)
  for (let round = 0; round < 12; round++) {
    const fault = r.below(8)
    const victim = r.pick(victims)
    if (fault === 1) victim.cut()
    if (fault === 2 || fault === 3) victim.crashSoon(r)
    const sends = victims.map((one) => one.say(checker, `${one.name} ${seed}.${round}`))
    if (fault === 0) await stack.restart('endpoint')
    await Promise.all(sends)
  }
  for (const victim of victims) victim.spare()
}

/** Waits until nothing is on its way out and everyone has what anyone has. */
async function converged(victims: Victim[], room: RoomId, seed: number): Promise<void> {
  const ids = async ({ chat }: Victim) => (await messages(chat, room)).map(({ id }) => id)
  for (const { chat, name } of victims)
    await until(
      chat,
      ({ rooms }) => rooms.find((one) => one.room === room)?.outgoing === 0,
      `${name} has sent everything, seed ${seed}`,
    )
  const all = new Set((await Promise.all(victims.map(ids))).flat())
  for (const victim of victims)
    await until(
      victim.chat,
      async () => new Set(await ids(victim)).size >= all.size,
      `${victim.name} has everything, seed ${seed}`,
    )
}

describe('a conversation under faults', () => {
  let stack: Stack
  let checker: Checker | undefined
  let victims: Victim[]

  before(async () => {
    stack = await startStack()
    const start = (name: string) => Victim.start(name, stack.endpointPort, () => checker)
    victims = await Promise.all(['alice', 'bob', 'carol'].map(start))
    await explained(victims, async () => {
      await Promise.all(victims.map(({ chat }) => inLobby(chat)))
      await Promise.all(
        victims.map(({ chat }) => until(chat, ({ rooms }) => rooms[0]?.readers.length === 3)),
      )
    })
  })
  after(async () => {
    await Promise.all(victims.map(({ chat }) => chat.disconnect()))
    await stack.stop()
  })

  for (let seed = 1; seed <= (full ? 200 : 5); seed++) {
    it(`loses nothing, shows nothing twice and keeps one order, seed ${seed}`, async () => {
      await explained(victims, () => Promise.all(victims.map(({ chat }) => inLobby(chat))))
      const room = lobbyOf((victims[0] as Victim).chat)
      const now = new Checker(room)
      checker = now
      for (const { chat } of victims) now.watch(chat)
      await run(stack, victims, now, seed)
      await explained(victims, () => converged(victims, room, seed))
      for (const { name, chat } of victims) await now.drain(name, chat)
      now.judge(`seed ${seed}`)
    })
  }
})
