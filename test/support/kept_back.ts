import type { RoomId } from '../../web/chat/model.ts'
import { fromHex } from '../../web/protocol/bytes.ts'
import type { Evil } from './evil_endpoint.ts'
import { type Peer, shown } from './peers.ts'
import { assert } from './suite.ts'

/**
 * In a room that is alarmed nothing of what `peer` writes leaves: `text` waits there for a
 * decision. `friend` is somebody to whom the endpoint does not lie, and with whom all is well.
 */
export async function keptBack(
  endpoint: Evil,
  peer: Peer,
  room: RoomId,
  text: string,
  friend: Peer,
): Promise<void> {
  const log = () => endpoint.log(friend.name, fromHex(room))
  const before = await log()
  await peer.chat.send(room, text)
  // The peer goes on elsewhere: by the time that this has come, the other would have left.
  const aside = await peer.chat.openPrivate(friend.name)
  await peer.chat.send(aside, 'aside')
  await shown(friend.chat, aside, 1)
  const view = peer.chat.state.rooms.find((one) => one.room === room)
  assert.equal(view?.phase, 'alarm')
  assert.equal(view?.outgoing, 1)
  const last = (await peer.chat.timeline(room, 0, view?.length ?? 0)).at(-1)
  if (last?.kind !== 'text') assert.fail('the message is not at the end')
  assert.deepEqual([last.text, last.state], [text, 'waiting'])
  assert.deepEqual(await log(), before)
}
