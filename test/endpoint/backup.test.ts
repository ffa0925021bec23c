import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { backupStore } from '../../relay/endpoint/backup.ts'
import { restoreStore } from '../../relay/endpoint/restore.ts'
import { verifyStore } from '../../relay/endpoint/store_report.ts'
import { full } from '../support/random.ts'
import { damageCopies, inScratch, message, open, people, roomOf } from '../support/store_fixture.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

const ALL = 2 ** 30

interface Rig {
  /** A store with a room of ten messages and a key file. */
  readonly store: Awaited<ReturnType<typeof open>>
  readonly room: Awaited<ReturnType<typeof roomOf>>
  readonly dir: string
  readonly target: string
}

function withStore(work: (rig: Rig) => Promise<void>): () => Promise<void> {
  return () =>
    inScratch(async (scratch) => {
      const dir = join(scratch, 'data')
      const store = await open(dir)
      try {
        await people(store, 'ann', 'bob')
        const room = await roomOf(store, 'ann', 'bob')
        for (let i = 0; i < 10; i++) await store.append(message(room, 'ann', `${i}`))
        writeFileSync(join(dir, 'endpoint_key.pem'), 'a key', { mode: 0o644 })
        await work({ store, room, dir, target: join(scratch, 'backup') })
      } finally {
        await store.close()
      }
    })
}

describe('a backup', () => {
  it(
    'of a store that is being written has everything acknowledged before, and is whole',
    withStore(async ({ store, room, dir, target }) => {
      let writing = true
      let acked = 0
      const burst = (async () => {
        for (let i = 10; writing; i++)
          acked = (await store.append(message(room, 'bob', `${i}`))).seq
      })()
      for (let i = 0; i < (full ? 100 : 5); i++) {
        const before = acked
        const report = await backupStore(dir, `${target}${i}`)
        assert.isAtLeast(report.entries, before)
        assert.deepEqual(report.damages, [])
        assert.equal(report.lost, 0)
        const copy = await open(`${target}${i}`)
        assert.lengthOf(copy.entries(room, 0, 100_000, ALL), report.entries)
        await copy.close()
      }
      writing = false
      await burst
    }),
  )

  it(
    'has the key, for its owner alone, unless that was not wanted',
    withStore(async ({ dir, target }) => {
      const { keys } = await backupStore(dir, target)
      assert.deepEqual(keys, ['endpoint_key.pem'])
      assert.equal(statSync(target).mode & 0o777, 0o700)
      for (const file of ['endpoint_key.pem', 'sotto.db'])
        assert.equal(statSync(join(target, file)).mode & 0o777, 0o600)
      await backupStore(dir, `${target}2`, { keys: false })
      assert.isFalse(existsSync(join(`${target}2`, 'endpoint_key.pem')))
    }),
  )

  it(
    'never goes over another one',
    withStore(async ({ dir, target }) => {
      await backupStore(dir, target)
      const error = await fails('unavailable', () => backupStore(dir, target))
      assert.match(error.message, /something in .* already/)
    }),
  )
})

describe('restoring', () => {
  it(
    'brings back the store as it was, with its key, in a new place',
    withStore(async ({ store, room, dir, target }) => {
      await backupStore(dir, target)
      await store.append(message(room, 'bob', 'later'))
      const { report, replaced } = restoreStore(target, `${dir}2`)
      assert.isUndefined(replaced)
      assert.equal(report.entries, 10)
      assert.equal(readFileSync(join(`${dir}2`, 'endpoint_key.pem'), 'utf8'), 'a key')
      const restored = await open(`${dir}2`)
      assert.deepEqual(restored.identity, { id: store.identity.id, restored: 1 })
      assert.equal(restored.room(room)?.seq, 10)
      await restored.append(message(room, 'bob', 'other'))
      // What members notice it by: the same place in the log, another chain.
      assert.notDeepEqual(restored.room(room)?.chain, store.room(room)?.chain)
      await restored.close()
    }),
  )

  it(
    'needs the endpoint to be ended and a word before it replaces anything, and keeps what it replaces',
    withStore(async ({ store, room, dir, target }) => {
      await backupStore(dir, target)
      await store.append(message(room, 'bob', 'later'))
      const running = await fails('unavailable', () => restoreStore(target, dir, { force: true }))
      assert.match(running.message, /Another endpoint is running/)
      await store.close()
      const there = await fails('unavailable', () => restoreStore(target, dir))
      assert.match(there.message, /There is a store in .* already.*--force/)
      const { replaced } = restoreStore(target, dir, { force: true })
      assert.equal(verifyStore(replaced ?? '').entries, 11)
      const restored = await open(dir)
      assert.equal(restored.room(room)?.seq, 10)
      await restored.close()
    }),
  )

  it(
    'takes no damaged backup',
    withStore(async ({ store, room, dir, target }) => {
      await backupStore(dir, target)
      await store.close()
      const { mls } = message(room, 'ann', '4')
      damageCopies(join(target, 'sotto.db'), mls, 5)
      const error = await fails('unavailable', () => restoreStore(target, dir, { force: true }))
      assert.match(error.message, /The backup in .* is damaged/)
      assert.equal(verifyStore(dir).entries, 10)
      await fails('unavailable', () => restoreStore(`${target}-that-is-not-there`, `${dir}3`))
    }),
  )
})

describe('checking a store', () => {
  it(
    'works while it runs and counts what is in it',
    withStore(async ({ dir }) => {
      const { accounts, rooms, entries, damages, lost } = verifyStore(dir)
      assert.deepEqual(
        { accounts, rooms, entries, lost },
        { accounts: 2, rooms: 1, entries: 10, lost: 0 },
      )
      assert.deepEqual(damages, [])
    }),
  )
})
