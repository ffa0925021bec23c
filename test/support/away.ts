/** Very many messages for somebody who is away: real clients, a real Sotto. */
import { lobbyOf as roomOf } from '../../relay/endpoint/rooms.ts'
import type { RoomId } from '../../web/chat/model.ts'
import { hex } from '../../web/protocol/bytes.ts'
import { Member } from './campaign_member.ts'
import { Ledger } from './ledger.ts'
import { inLobby } from './peers.ts'
import { type Stack, startStack } from './stack.ts'

const AT_ONCE = 500
const PATIENCE_MS = 300_000

export class Away {
  readonly ledger = new Ledger()
  readonly stack: Stack
  readonly writer: Member
  readonly reader: Member
  readonly room: RoomId

  private constructor(stack: Stack, writer: Member, reader: Member, ledger: Ledger) {
    this.stack = stack
    this.writer = writer
    this.reader = reader
    this.ledger = ledger
    this.room = hex(roomOf(stack.host)) as RoomId
  }

  /** Both are in the lobby; then the reader goes, and its process with it. */
  static async start(): Promise<Away> {
    const stack = await startStack({ env: { SOTTO_LOG: 'warn' } })
    const ledger = new Ledger()
    const fault = (error: unknown) => console.error(error)
    const writer = await Member.start({
      ...{ name: 'writer', way: 'tcp', ledger, fault },
      target: () => stack.endpointPort,
    })
    const reader = await Member.start({
      ...{ name: 'reader', way: 'websocket', ledger, fault },
      target: () => stack.relayPort,
    })
    await Promise.all([inLobby(writer.chat), inLobby(reader.chat)])
    const away = new Away(stack, writer, reader, ledger)
    await away.until(() => writer.view(away.room)?.readers.length === 2)
    await reader.chat.disconnect()
    return away
  }

  /** Types so many; resolves when all have been acknowledged and are in the writer's log. */
  async write(count: number): Promise<void> {
    for (let n = 0; n < count; n += AT_ONCE) {
      for (let i = n; i < Math.min(count, n + AT_ONCE); i++)
        await this.writer.say(this.room, `number ${i}`)
      await this.until(() => this.writer.view(this.room)?.outgoing === 0)
    }
  }

  /** How many messages the reader shows. */
  get shown(): number {
    return this.reader.view(this.room)?.length ?? 0
  }

  /** Waits, looking whenever something changes at either of them. */
  until(done: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const look = (): void => {
      if (done()) resolve()
    }
    const late = setTimeout(
      () => reject(new Error(`waited in vain; shown: ${this.shown}`)),
      PATIENCE_MS,
    )
    for (const member of [this.writer, this.reader]) member.onChange = look
    look()
    return promise.finally(() => clearTimeout(late))
  }

  async close(): Promise<void> {
    await Promise.all([this.writer.close(), this.reader.close()])
    await this.stack.stop()
  }
}
