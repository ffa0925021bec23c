/**
 * A long conversation on a whole Sotto of real processes, while a seeded script breaks everything
 * that can break. Its judgement is the ledger's.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { MessageId, RoomId } from '../../web/chat/model.ts'
import { Member, type Way } from './campaign_member.ts'
import { type Evil, startEvilTcp } from './evil_relay.ts'
import { type EvilTrunk, startEvilTrunk } from './evil_trunk.ts'
import { FRAME_FAULTS, FrameFaults } from './frame_faults.ts'
import { Ledger } from './ledger.ts'
import { NOTE } from './nonce_notes.ts'
import { repeatedNonce } from './nonce_watch.ts'
import { inLobby, lobbyOf } from './peers.ts'
import { steadyPort } from './ports.ts'
import { type Random, random } from './random.ts'
import { type PartName, type Stack, startStack } from './stack.ts'
import { assert } from './suite.ts'
import { until } from './until.ts'
import { explained, whereabouts } from './whereabouts.ts'

const PEOPLE: readonly (readonly [string, Way])[] = [
  ['alice', 'tcp'],
  ['bob', 'websocket'],
  ['carol', 'websocket'],
  ['dave', 'tcp'],
  ['erin', 'websocket'],
]
/** Pairs with a private room: over the same way, and over two. */
const PAIRS: readonly (readonly [string, string])[] = [
  ['alice', 'bob'],
  ['carol', 'erin'],
]
/** I7. */
const CONVERGES_MS = 10_000
/** F7: a silent connection is given up within so long. */
const NOTICED_MS = 30_000
/** Between two looks of a client at its connection. */
const TICK_MS = 1_000
/** After so much silence a client asks whether the other side is there. */
const SILENT_MS = 11_000
/** When nothing moves for so long, time passes at the clients: they ask whether all is well. */
const STILL_MS = 250
/** A handshake in which nothing has moved for so many of these is damaged. */
const STUCK = 6
const HOPELESS_MS = 30_000
const HOUR = 3_600_000
const CLOCKS = [-24 * HOUR, -HOUR, 0, HOUR, 24 * HOUR]

export interface Totals {
  readonly faults: number
  readonly byKind: Readonly<Record<string, number>>
  readonly sent: number
  readonly acked: number
  /** Milliseconds of the slowest convergence, on the clients' own clocks. */
  readonly slowest: number
  readonly calms: number
  readonly nonces: number
}

export class Campaign {
  readonly ledger = new Ledger()
  readonly frames: FrameFaults
  readonly #random: Random
  readonly #stack: Stack
  readonly #trunk: EvilTrunk
  readonly #tcp: Evil
  readonly #scratch: string
  readonly #faults = new Map<string, number>()
  readonly #guests = new Set<string>()
  readonly members: Member[] = []
  #rooms: { readonly room: RoomId; readonly names: readonly string[] | undefined }[] = []
  #said = 0
  #slowest = 0
  #calms = 0
  #moved: () => void = () => undefined

  private constructor(
    seed: Random,
    stack: Stack,
    trunk: EvilTrunk,
    tcp: Evil,
    scratch: string,
    frames: FrameFaults,
  ) {
    this.#random = seed
    this.#stack = stack
    this.#trunk = trunk
    this.#tcp = tcp
    this.#scratch = scratch
    this.frames = frames
  }

  /** Starts the processes and the people; resolves when they can all write to each other. */
  static async start(seed: number): Promise<Campaign> {
    const r = random(seed)
    const frames = new FrameFaults(r)
    const scratch = mkdtempSync(join(tmpdir(), 'sotto-campaign-'))
    const trunkPort = await steadyPort()
    const trunk = await startEvilTrunk(trunkPort, frames.script('trunk'))
    const clock = new URL('shifted_clock.ts', import.meta.url).href
    const stack = await startStack({
      endpointArgs: ['--trunk-port', String(trunkPort)],
      relayArgs: ['--trunk', `127.0.0.1:${trunk.port}`],
      nodeFlags: ['--import', clock],
      env: {
        SOTTO_TEST_CLOCK: join(scratch, 'clock'),
        SOTTO_TEST_NONCES: join(scratch, 'nonces'),
      },
    })
    const address = { host: '127.0.0.1', port: stack.endpointPort }
    const tcp = await startEvilTcp(address, { script: frames.script('tcp') })
    const campaign = new Campaign(r, stack, trunk, tcp, scratch, frames)
    await campaign.#gather()
    return campaign
  }

  get totals(): Totals {
    const byKind = Object.fromEntries([...this.frames.done, ...this.#faults])
    const faults = Object.values(byKind).reduce((sum, n) => sum + n, 0)
    const { sent, acked } = this.ledger.count
    const nonces = this.#nonces().length
    return { faults, byKind, sent, acked, slowest: this.#slowest, calms: this.#calms, nonces }
  }

  /** What endpoint and relay have written on standard error. */
  get logs(): string {
    return this.#stack.logs()
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.close()))
    await this.#stack.stop()
    await Promise.all([this.#trunk.close(), this.#tcp.close()])
    rmSync(this.#scratch, { recursive: true, force: true })
  }

  /** One burst of messages under several faults. `heavy` ones break a whole process. */
  async storm(heavy: boolean): Promise<void> {
    const r = this.#random
    for (const member of this.members) member.storm = true
    for (let i = 0; i < 8; i++)
      this.frames.arm(r.pick(FRAME_FAULTS), r.pick(['up', 'down']), r.below(10))
    const says = this.members.flatMap((member) => this.#says(member))
    const breaking = this.#two().map((member) => this.#breakMember(member))
    if (heavy) breaking.push(this.#breakProcess())
    await Promise.all([...says, ...breaking])
    await this.#until(() => this.frames.waiting === 0, 'every fault has happened')
  }

  /**
   * In each room somebody says something and is gone as soon as that has left. Nobody says anything
   * after it, and nobody else connects anew: who does not have it then was not told.
   */
  async lastWords(): Promise<void> {
    const r = this.#random
    const speakers = new Map<Member, RoomId>()
    for (const { room, names } of this.#rooms.toReversed())
      speakers.set(r.pick(this.#present(names).filter((one) => !speakers.has(one))), room)
    const deaths = [...speakers.keys()].map(({ deaths }) => deaths)
    for (const [member, room] of speakers) {
      this.#count('gone after a last word')
      this.#said += 1
      member.dieSoon({ at: 'sent', left: 0, done: true })
      await member.say(room, `${this.#said}, the last of ${member.name}`)
    }
    const gone = () => [...speakers.keys()].every((one, i) => one.deaths > (deaths[i] ?? 0))
    await this.#until(gone, 'all who said a last word are gone', true)
  }

  /** The faults end; everyone has everything soon, and the ledger's judgement holds. */
  async calm(): Promise<void> {
    this.frames.disarm()
    for (const member of this.members) {
      member.spare()
      member.network.thaw()
      member.storm = false
    }
    // A record that was lost is noticed at the next one, which may be a ping. Who still waits for an
    // answer in a handshake that was damaged has to connect anew.
    for (const member of this.members)
      if (member.online) member.clock.sleep(SILENT_MS)
      else member.cut()
    const began = performance.now()
    for (const member of this.members) member.trail = [String(Math.round(member.clock.steady()))]
    const slept = this.members.map(({ clock }) => clock.slept)
    await this.#until(() => this.#converged(), 'everyone has everything', true)
    const asleep = this.members.map(({ clock }, i) => clock.slept - (slept[i] ?? 0))
    const took = performance.now() - began + Math.max(...asleep)
    this.#slowest = Math.max(this.#slowest, took)
    this.#calms += 1
    await this.#judge()
    const trails = this.members.map(({ name, trail }) => `${name}: ${trail.join(' · ')}`)
    const late = this.#about('I7: milliseconds until everyone had everything')
    assert.isAtMost(took, CONVERGES_MS, `${late}\n${trails.join('\n')}`)
  }

  /** Somebody new comes into the lobby, which changes the group's keys. */
  async guest(name: string, way: Way): Promise<void> {
    this.#guests.add(name)
    const guest = await this.#member(name, way)
    await inLobby(guest.chat)
  }

  #says(member: Member): Promise<void>[] {
    const r = this.#random
    const rooms = this.#rooms.filter(({ names }) => names?.includes(member.name) ?? true)
    return Array.from({ length: 1 + r.below(2) }, () => {
      this.#said += 1
      return member.say(r.pick(rooms).room, `${this.#said} from ${member.name}`)
    })
  }

  /** Two different ones: what ends a fault of one must not end another's. */
  #two(): Member[] {
    const first = this.#random.pick(this.members)
    return [first, this.#random.pick(this.members.filter((member) => member !== first))]
  }

  async #breakMember(member: Member): Promise<void> {
    const r = this.#random
    switch (r.below(6)) {
      case 0:
        this.#count('connection cut')
        member.cut()
        break
      case 1:
      case 2: {
        const at = r.pick(['write', 'sent', 'received'] as const)
        member.dieSoon({ at, left: r.below(6), done: r.below(2) === 1 })
        this.#count('client killed')
        break
      }
      case 3:
        this.#count('slow reader')
        member.network.freeze()
        await pause(50)
        member.network.thaw()
        break
      case 4:
        this.#count('client’s clock')
        member.clock.set(r.pick(CLOCKS))
        break
      case 5:
        await this.#halfOpen(member)
    }
  }

  async #halfOpen(member: Member): Promise<void> {
    if (!member.online) return
    this.#count('half-open')
    member.storm = false
    member.network.freeze()
    const before = member.clock.slept
    while (member.online && member.clock.slept - before < NOTICED_MS) {
      // Never faster than the client can look: a busy machine must not look like a slow client.
      const looked = member.clock.armed
      member.clock.sleep(TICK_MS)
      await Promise.race([looked, pause(TICK_MS, undefined, { ref: false })])
    }
    const slept = member.clock.slept - before
    member.network.thaw()
    member.storm = true
    assert.isBelow(slept, NOTICED_MS, this.#about(`F7: ${member.name} did not notice the silence`))
  }

  async #breakProcess(): Promise<void> {
    const r = this.#random
    const part = r.pick<PartName>(['endpoint', 'endpoint', 'relay'])
    const fault = r.below(6)
    if (fault <= 1) await this.#outage('SIGKILL', part)
    else if (fault === 2) await this.#outage('SIGKILL', 'endpoint', 'relay')
    else if (fault === 3) await this.#outage('SIGTERM', part)
    else if (fault === 4) {
      this.#count('endpoint’s clock')
      writeFileSync(join(this.#scratch, 'clock'), String(r.pick(CLOCKS)))
    } else {
      this.#count('trunk cut')
      this.#trunk.cut()
      await this.#trunk.up()
    }
  }

  /** Processes end and come back. That takes its time: nobody sleeps through it. */
  async #outage(signal: 'SIGKILL' | 'SIGTERM', ...parts: readonly PartName[]): Promise<void> {
    for (const part of parts) this.#count(`${part} ${signal === 'SIGKILL' ? 'killed' : 'stopped'}`)
    for (const member of this.members) member.storm = false
    await Promise.all(parts.map((part) => this.#stack.kill(part, signal)))
    for (const part of parts) await this.#stack.restart(part)
    await this.#trunk.up()
    for (const member of this.members) member.storm = true
  }

  async #gather(): Promise<void> {
    await Promise.all(PEOPLE.map(([name, way]) => this.#member(name, way)))
    await explained(this.members, () => this.#meet())
  }

  /** Resolves when everybody is in the lobby, and the pairs are in their rooms. */
  async #meet(): Promise<void> {
    await Promise.all(this.members.map(({ chat }) => inLobby(chat)))
    const everyone = PEOPLE.length
    for (const { chat } of this.members)
      await until(
        chat,
        ({ rooms }) => rooms[0]?.readers.length === everyone,
        'all are in the lobby',
      )
    const first = this.members[0] as Member
    this.#rooms.push({ room: lobbyOf(first.chat), names: undefined })
    for (const names of PAIRS) {
      const [one, other] = names.map((name) => this.#named(name)) as [Member, Member]
      const room = await one.chat.openPrivate(other.name)
      for (const { chat } of [one, other])
        await until(chat, ({ rooms }) =>
          rooms.some(
            (view) => view.room === room && view.phase === 'ready' && view.readers.length === 2,
          ),
        )
      this.#rooms.push({ room, names })
    }
  }

  async #member(name: string, way: Way): Promise<Member> {
    const member = await Member.start({
      ...{ name, way, ledger: this.ledger },
      target: () => (way === 'tcp' ? this.#tcp.port : this.#stack.relayPort),
      fault: (error) => console.error(this.#about(name), error),
    })
    member.onChange = () => this.#moved()
    this.members.push(member)
    return member
  }

  #named(name: string): Member {
    const found = this.members.find((member) => member.name === name)
    if (found === undefined) throw new Error(`nobody is called ${name}`)
    return found
  }

  #present(names: readonly string[] | undefined): Member[] {
    return this.members.filter(({ name }) => names?.includes(name) ?? true)
  }

  async #converged(): Promise<boolean> {
    await Promise.all(this.members.map((member) => member.look()))
    return this.#rooms.every(({ room, names }) => {
      const present = this.#present(names)
      const whole = present.filter(({ name }) => !this.#guests.has(name))
      const all = this.ledger.known(
        room,
        whole.map(({ name }) => name),
      ).size
      const idle = present.every((member) => {
        const view = member.view(room)
        return member.online && view?.phase === 'ready' && view.outgoing === 0
      })
      const shown = whole.map(({ name }) => this.ledger.shownTo(room, name))
      const last = [...(shown[0] ?? [])].at(-1)
      const current = present.every(({ name }) => {
        const seen = this.ledger.shownTo(room, name)
        return last === undefined || seen.has(last)
      })
      return idle && current && shown.every(({ size }) => size === all)
    })
  }

  async #judge(): Promise<void> {
    for (const { room, names } of this.#rooms) {
      const orders = new Map<string, MessageId[]>()
      const guests = new Map<string, number>()
      for (const member of this.#present(names)) {
        orders.set(member.name, await member.order(room))
        if (this.#guests.has(member.name)) guests.set(member.name, await member.beforeItsTime(room))
      }
      try {
        this.ledger.judge(room, orders, guests, this.#about(names?.join(' and ') ?? 'the lobby'))
      } catch (error) {
        if (error instanceof Error) error.message += `\n${await this.#lines(room)}`
        throw error
      }
    }
    assert.isUndefined(repeatedNonce(), this.#about('I4: a client used a nonce twice'))
    const nonces = this.#nonces()
    assert.equal(
      new Set(nonces).size,
      nonces.length,
      this.#about('I4: the endpoint used a nonce twice'),
    )
    for (const { chat, name } of this.members) {
      const blocking = chat.state.notices.filter((notice) => notice.blocking)
      assert.deepEqual(blocking, [], this.#about(`${name} was stopped`))
    }
  }

  /** What the endpoint has sealed under, over all its lives. */
  #nonces(): string[] {
    let notes: Buffer
    try {
      notes = readFileSync(join(this.#scratch, 'nonces'))
    } catch {
      return []
    }
    const count = Math.floor(notes.length / NOTE)
    return Array.from({ length: count }, (_, i) =>
      notes.toString('latin1', i * NOTE, (i + 1) * NOTE),
    )
  }

  /**
   * Waits for `done`, looked at whenever something changes. Waiting for the next try to connect is
   * slept through; in a storm, so is all other time in which nothing happens.
   */
  async #until(done: () => boolean | Promise<boolean>, what: string, calm = false): Promise<void> {
    const late = performance.now() + HOPELESS_MS
    let quiet = 0
    while (!(await done())) {
      if (performance.now() > late)
        throw new Error(this.#about(`waited in vain until ${what}\n${await this.#state()}`))
      quiet = (await this.#still()) ? quiet + 1 : 0
      for (const member of this.members) {
        const { phase } = member.chat.state.connection
        if (phase === 'offline') calm ? member.lookOrWait() : member.skipWait()
        else if (calm || quiet === 0) continue
        else if (phase === 'online') member.clock.sleep(SILENT_MS)
        else if (quiet % STUCK === 0) member.cut()
      }
    }
  }

  /** Resolves at the next change: false; or, when there is none for a while, true. */
  #still(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = setTimeout(() => resolve(true), STILL_MS)
    this.#moved = () => resolve(false)
    return promise.finally(() => clearTimeout(timer))
  }

  /** What the room's screens say besides messages: who failed to read something says so there. */
  async #lines(room: RoomId): Promise<string> {
    const said = this.members.map(async (member) => {
      const { name, chat } = member
      const items = await chat.timeline(room, 0, member.view(room)?.length ?? 0)
      const lines = items.flatMap((item, i) =>
        item.kind === 'system' && !/ (joined|left)$/.test(item.text) ? [`${i} ${item.text}`] : [],
      )
      return `${name}: ${lines.join(' · ')}`
    })
    return (await Promise.all(said)).join('\n')
  }

  #count(fault: string, by = 1): void {
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + by)
  }

  #about(what: string): string {
    return `${what} (seed ${this.#random.seed})`
  }

  async #state(): Promise<string> {
    const lines = this.members.map(async (member) => {
      const shown = this.#rooms.map(({ room }) => this.ledger.shownTo(room, member.name).size)
      const trail = member.trail.slice(-8).join(' · ')
      return `${await whereabouts(member)}\n  shown ${shown.join(', ')}; ${trail}`
    })
    const known = this.#rooms.map(({ room, names }) => {
      const whole = this.#present(names).filter(({ name }) => !this.#guests.has(name))
      return this.ledger.known(
        room,
        whole.map(({ name }) => name),
      ).size
    })
    const told = await Promise.all(lines)
    return [`known ${known.join(', ')}; armed ${this.frames.waiting}`, ...told].join('\n')
  }
}
