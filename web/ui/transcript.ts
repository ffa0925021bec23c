import type { ChatModel, RoomView, TimelineItem } from '../chat/model.ts'
import { iso } from './words.ts'

/** Items that are read at once: all of a long conversation need not be in memory twice. */
const SLICE = 1_024

/**
 * All that this device has of a conversation, as plain text in pieces: one item after the other,
 * with its time (UTC) and who wrote it. Further lines of a message are indented, so that nobody can
 * write what looks like somebody else's. `progress` is told how much of it is read, from 0 to 1.
 * Rejects with the reason of `signal` when that ends it.
 */
export async function transcript(
  model: Pick<ChatModel, 'timeline'>,
  { room, length }: RoomView,
  signal: AbortSignal,
  progress: (read: number) => void,
): Promise<string[]> {
  const pieces: string[] = []
  for (let from = 0; from < length; from += SLICE) {
    pieces.push((await model.timeline(room, from, from + SLICE)).map(line).join(''))
    signal.throwIfAborted()
    progress(Math.min(1, (from + SLICE) / length))
  }
  return pieces
}

function line(item: TimelineItem): string {
  const said =
    item.kind === 'text'
      ? `${item.from}: ${item.text}${item.state === 'received' || item.state === 'sent' ? '' : ' (not sent)'}`
      : `* ${item.text}`
  return `${iso(item.at)} ${said.replace(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/g, '\n    ')}\n`
}
