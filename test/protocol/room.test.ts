import { fromUtf8, utf8 } from '../../web/protocol/bytes.ts'
import { seal } from '../../web/protocol/room.ts'
import { open } from '../../web/protocol/room_open.ts'
import { decodeRoom, encodeRoom, epoch } from '../../web/protocol/room_state.ts'
import { assert, describe, it } from '../support/suite.ts'
import { device, OPEN, only, roomOf, TRUST } from './room_people.ts'

describe('two people in a room', () => {
  for (const kind of ['open', 'members'] as const)
    it(`read each other in a room of kind ${kind}`, async () => {
      const policy = kind === 'open' ? OPEN : await only('ann', 'bob')
      const states = await roomOf(policy, [
        await device('ann'),
        await device('bob'),
        await device('bob', 2),
      ])
      assert.deepEqual(states.map(epoch), [2, 2, 2])
      for (const [i, from] of states.entries()) {
        const { mls, state } = await seal(from, utf8(`hello ${i}`), utf8('aad'))
        states[i] = state
        for (const [j, to] of states.entries())
          if (i !== j) {
            const r = await open(to, mls, TRUST)
            states[j] = await decodeRoom(to.keys, encodeRoom(r.state))
            assert.equal(r.opened.kind, 'message')
            if (r.opened.kind === 'message') {
              assert.equal(fromUtf8(r.opened.body), `hello ${i}`)
              assert.equal(r.opened.sender.user, i === 0 ? 'ann' : 'bob')
            }
          }
      }
    })
})
