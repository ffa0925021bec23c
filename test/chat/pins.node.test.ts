import { SottoError } from '../../web/protocol/errors.ts'
import { HostileLog } from '../support/hostile_log.ts'
import { assert, describe, it } from '../support/suite.ts'

describe('who comes into a room’s group', () => {
  it('is pinned before the group with them in it is this device’s, and not without', async () => {
    const log = new HostileLog()
    const alice = await log.join('alice')
    const writes: string[] = []
    alice.storage.onWrite = (changes) => {
      writes.push(
        [...changes.keys()]
          .map((key) => key.split('/')[0])
          .sort()
          .join(' '),
      )
    }
    await log.join('bob')
    await alice.until(() => alice.room.view().readers.length === 2, 'alice sees bob come in')
    assert.isDefined(alice.trust.person('bob'))
    const pinned = writes.indexOf('pins')
    assert.isAtLeast(pinned, 0)
    assert.isBelow(
      pinned,
      writes.findIndex((keys) => keys.includes('group')),
    )
    log.end()
  })

  it('is not in it as long as they can’t be pinned', async () => {
    const log = new HostileLog()
    const alice = await log.join('alice')
    alice.storage.onWrite = (changes) => {
      if (changes.has('pins/localhost')) throw new SottoError('unavailable', 'The disk is full.')
    }
    await log.join('bob')
    await alice.until(() => alice.room.view().phase === 'repairing', 'alice is told of the disk')
    assert.lengthOf(alice.room.view().readers, 1)
    log.end()
  })
})
