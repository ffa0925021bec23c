import type { Bytes } from '../protocol/bytes.ts'
import { encodeMessage } from '../protocol/messages.ts'
import { encodeView } from '../protocol/view.ts'
import type { OutboxEntry } from './outbox.ts'
import type { Loaded } from './room_deps.ts'
import type { Change, Cursor, Group } from './room_store.ts'

/** Messages that are sealed ahead of the one being sent. */
const AHEAD = 16

/**
 * Seals the first messages of the outbox under the group's present state, each with our view of the
 * log. The result holds the sealed bytes together with the state that sealing made: written at
 * once, so that no state is ever used to seal twice.
 */
export async function sealNext(
  { mls }: Loaded,
  group: Group,
  cursor: Cursor,
  waiting: readonly OutboxEntry[],
): Promise<Change> {
  let state = group.state
  const replaced: OutboxEntry[] = []
  for (const entry of waiting.slice(0, AHEAD)) {
    if (entry.sealed !== null) break
    const body = encodeMessage({ t: 'text', text: entry.text, at: entry.at })
    const view = { msgId: entry.msgId, seq: cursor.seq, chain: cursor.chain }
    const sealed: { state: typeof state; mls: Bytes } = await mls.seal(
      state,
      body,
      encodeView(view),
    )
    state = sealed.state
    replaced.push({ ...entry, sealed: sealed.mls })
  }
  return { group: { ...group, state }, replaced }
}
