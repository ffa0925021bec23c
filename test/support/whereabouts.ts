import type { Chat } from '../../web/chat/chat.ts'
import type { OutboxEntry } from '../../web/chat/outbox.ts'
import type { Profile } from '../../web/chat/profile.ts'
import type { Meta, Pending } from '../../web/chat/room_store.ts'

/** Somebody who may be asked what they wait for. */
export interface Waiting {
  readonly name: string
  readonly chat: Chat
  readonly profile: Profile
}

/** What a device waits for, by its screen and by its store: a line for the device and each room. */
export async function whereabouts({ name, chat, profile }: Waiting): Promise<string> {
  const { connection, rooms, notices } = chat.state
  const { storage, vault } = profile
  const opened = async (key: string): Promise<unknown> => {
    const sealed = await storage.read(key)
    return sealed === undefined ? undefined : vault.open(key, sealed).catch(() => 'damaged')
  }
  const lines = rooms.map(async ({ room, title, phase, text, length, outgoing, readers }) => {
    const meta = (await opened(`room/${room}`)) as Meta | undefined
    const pending = (await opened(`pending/${room}`)) as Pending | undefined
    const keys = await storage.keys(`outbox/${room}/`)
    const outbox = (await Promise.all(keys.map(opened))) as OutboxEntry[]
    const sending = outbox.map(({ sealed, failed }) => failed || (sealed ? 'sealed' : 'unsealed'))
    return [
      `  ${title}: ${phase} “${text}”, ${length} lines, ${outgoing} going out (${sending})`,
      `read to ${meta?.cursor?.seq} from ${meta?.from}`,
      `alarm ${meta?.alarm?.text}, repair “${meta?.repair}”, commit ${pending?.kind}`,
      `readers ${readers.map(({ user }) => user)}`,
    ].join('; ')
  })
  const told = notices.map(({ id }) => id).join(', ')
  return [`${name}: ${JSON.stringify(connection)} ${told}`, ...(await Promise.all(lines))].join(
    '\n',
  )
}

/** Runs `work`; if it fails, its error tells what everybody waits for at that moment. */
export async function explained<T>(all: readonly Waiting[], work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const told = await Promise.all(all.map(whereabouts))
    if (error instanceof Error) error.message += `\n${told.join('\n')}`
    throw error
  }
}
