import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { RoomId, RoomView } from '../../web/chat/model.ts'
import { fromHex } from '../../web/protocol/bytes.ts'
import { lobbyOf, type Peer, Stand, texts } from '../support/peers.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

/** What of a conversation is damaged on the endpoint's disk: rows, by SQL. */
const ROOM = '(SELECT id FROM room WHERE room = ?)'
const DAMAGES = [
  ['its record', 'room WHERE room = ?'],
  ['an entry of its log', `entry WHERE seq = 2 AND room = ${ROOM}`],
  ['a record of its group', `group_info WHERE id = ${ROOM}`],
] as const

describe('a conversation that is damaged on the endpoint’s disk (F5)', () => {
  let stand: Stand
  let ann: Peer
  let bob: Peer
  let cyn: Peer
  let lobby: RoomId
  let said = 0

  before(async () => {
    stand = await Stand.start()
    ;[ann, bob, cyn] = (await stand.join('ann', 'bob', 'cyn')) as [Peer, Peer, Peer]
    lobby = lobbyOf(ann.chat)
  })
  after(() => stand.close())

  const view = ({ chat }: Peer, room: RoomId): RoomView | undefined =>
    chat.state.rooms.find((one) => one.room === room)

  async function talk(from: Peer, to: Peer, room: RoomId): Promise<void> {
    const text = `#${said++}`
    const before = view(to, room)?.length ?? 0
    await from.chat.send(room, text)
    await until(to.chat, async () => {
      const items = await to.chat.timeline(room, before, view(to, room)?.length ?? 0)
      return items.some((item) => item.text === text)
    })
  }

  /** Restarts the endpoint with rows of this room that no longer fit their sums, or fit again. */
  function restart(room: RoomId, rows: string, off: 1 | -1): Promise<void> {
    return stand.restart(() => {
      const db = new DatabaseSync(join(stand.directory, 'endpoint', 'sotto.db'))
      const [table, where] = rows.split(/ WHERE (.*)/)
      const damage = db.prepare(`UPDATE ${table} SET sum = sum + ${off} WHERE ${where}`)
      const { changes } = damage.run(fromHex(room))
      db.close()
      assert.equal(changes, 1)
    })
  }

  for (const [what, rows] of DAMAGES)
    it(`(${what}) is stopped and says so, the others go on, and it goes on once it is whole`, async () => {
      const broken = await ann.chat.openPrivate('bob')
      const sound = await ann.chat.openPrivate('cyn')
      await talk(ann, bob, broken)
      await talk(bob, ann, broken)
      await talk(cyn, ann, sound)
      await restart(broken, rows, 1)

      for (const peer of [ann, bob])
        await until(peer.chat, () => view(peer, broken)?.phase === 'stopped')
      assert.match(view(ann, broken)?.text ?? '', /is damaged .*sotto restore/)
      const waiting = `kept for later #${said++}`
      const before = view(bob, broken)?.length ?? 0
      await ann.chat.send(broken, waiting)
      const last = view(ann, broken)?.length ?? 0
      const [item] = await ann.chat.timeline(broken, last - 1, last)
      assert.deepInclude(item, {
        text: waiting,
        state: 'waiting',
        reason: 'Waiting for the server',
      })
      await talk(bob, ann, lobby)
      await talk(ann, cyn, sound)
      assert.equal(view(bob, broken)?.length, before)

      await restart(broken, rows, -1)
      await until(bob.chat, () => view(bob, broken)?.phase === 'ready')
      await until(
        bob.chat,
        async () => (await texts(bob.chat, broken)).at(-1) === `ann: ${waiting}`,
      )
    })

  it('(the lobby) is stopped alone as well', async () => {
    await restart(lobby, 'room WHERE room = ?', 1)
    for (const peer of [ann, bob])
      await until(peer.chat, () => view(peer, lobby)?.phase === 'stopped')
    await talk(ann, bob, await ann.chat.openPrivate('bob'))
    await restart(lobby, 'room WHERE room = ?', -1)
    await until(bob.chat, () => view(bob, lobby)?.phase === 'ready')
    await talk(ann, bob, lobby)
  })

  it('(through the record of one of the two) is stopped for the other, who goes on elsewhere', async () => {
    const broken = await ann.chat.openPrivate('cyn')
    const rows = "account WHERE skeleton = 'cyn' AND ? IS NOT NULL"
    await restart(broken, rows, 1)
    await until(ann.chat, () => view(ann, broken)?.phase === 'stopped')
    await talk(ann, bob, lobby)
    await restart(broken, rows, -1)
    await talk(cyn, ann, broken)
  })
})
