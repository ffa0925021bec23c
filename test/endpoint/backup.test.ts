import fs, {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { backupStore } from '../../relay/endpoint/backup.ts'
import { recover } from '../../relay/endpoint/recovery.ts'
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
    'never goes over another one, nor into a file',
    withStore(async ({ dir, target }) => {
      const file = `${target}.file`
      writeFileSync(file, '')
      const none = await fails('unavailable', () => backupStore(dir, file))
      assert.equal(none.message, `${file} is no directory: name another directory.`)
      await backupStore(dir, target)
      const error = await fails('unavailable', () => backupStore(dir, target))
      assert.match(error.message, /something in .* already/)
    }),
  )
})

/** Calls of the file system that a restore is interrupted at, one after the other. */
const STEPS = ['copyFileSync', 'fsyncSync', 'renameSync'] as const

/** Runs `work` with `before`, which may throw, in front of each of these steps. */
async function withFailing<T>(before: () => void, work: () => T | Promise<T>): Promise<T> {
  const real = Object.fromEntries(STEPS.map((name) => [name, fs[name]]))
  const failing = (call: unknown) =>
    function (this: unknown, ...given: unknown[]): unknown {
      before()
      return Reflect.apply(call as () => unknown, this, given)
    }
  Object.assign(fs, Object.fromEntries(STEPS.map((name) => [name, failing(real[name])])))
  syncBuiltinESMExports()
  try {
    return await work()
  } finally {
    Object.assign(fs, real)
    syncBuiltinESMExports()
  }
}

/** Runs `work` with a disk that fails from step number `last` on. Says whether it came so far. */
async function interrupted(last: number, work: () => void): Promise<boolean> {
  let step = 0
  const before = (): void => {
    if (step++ >= last) throw new Error('interrupted')
  }
  await withFailing(before, work).catch(() => undefined)
  return step > last
}

/** How many entries the store that starts there has, and its key; undefined if none starts. */
function started(dir: string): [number, string] | undefined {
  const key = join(dir, 'endpoint_key.pem')
  try {
    const { db, mark } = recover(dir, { now: 0, acceptLoss: false, acknowledged: 0 })
    const { count } = db.prepare('SELECT count(*) AS count FROM entry').get() ?? {}
    mark.close()
    db.close()
    return [Number(count), existsSync(key) ? readFileSync(key, 'utf8') : '']
  } catch {
    return undefined
  }
}

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
    'that is interrupted leaves what was there, or nothing that starts, and works the next time',
    withStore(async ({ store, room, dir, target }) => {
      await backupStore(dir, target)
      await store.append(message(room, 'bob', 'later'))
      await store.close()
      writeFileSync(join(dir, 'endpoint_key.pem'), 'an older key')
      const restored = [10, 'a key']
      for (const before of [[11, 'an older key'], undefined]) {
        for (let last = 0, came = true; came; last++) {
          const place = `${dir}-${before === undefined ? 'new' : 'old'}${last}`
          if (before !== undefined) cpSync(dir, place, { recursive: true })
          came = await interrupted(last, () => restoreStore(target, place, { force: true }))
          assert.deepEqual(
            readdirSync(place).filter((name) => name.includes('.part')),
            [],
          )
          const seen = started(place)
          const sound = [undefined, before ?? [0, ''], restored]
          assert.include(sound.map(String), String(seen), `after ${last} steps`)
          restoreStore(target, place, { force: true })
          assert.deepEqual(started(place), restored)
        }
      }
    }),
  )

  it(
    'needs a word before it replaces another key, though there is no store, and keeps that key',
    withStore(async ({ dir, target }) => {
      await backupStore(dir, target)
      const place = `${dir}2`
      const key = join(place, 'endpoint_key.pem')
      mkdirSync(place)
      writeFileSync(key, 'a key')
      restoreStore(target, place)
      rmSync(place, { recursive: true })
      mkdirSync(place)
      writeFileSync(key, 'another key')
      const there = await fails('unavailable', () => restoreStore(target, place))
      assert.match(there.message, /There is another endpoint_key\.pem in .* already.*--force/)
      assert.equal(readFileSync(key, 'utf8'), 'another key')
      const { replaced = '' } = restoreStore(target, place, { force: true })
      assert.equal(readFileSync(join(replaced, 'endpoint_key.pem'), 'utf8'), 'another key')
      assert.equal(readFileSync(key, 'utf8'), 'a key')
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

describe('on a full disk', () => {
  const full = (): never => {
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  }

  it(
    'a backup and a restore say where to make room, and leave nothing half done',
    withStore(async ({ store, dir, target }) => {
      const place = `${dir}2`
      await backupStore(dir, target)
      const says = async (path: string, work: () => unknown): Promise<void> => {
        const error = await withFailing(full, () => fails('unavailable', work))
        assert.equal(
          error.message,
          `There is no room on the disk of ${path}. Make room and run this again.`,
        )
        assert.deepEqual(
          readdirSync(path).filter((name) => name !== 'sotto.lock'),
          [],
        )
      }
      await says(`${target}2`, () => backupStore(dir, `${target}2`))
      await says(place, () => restoreStore(target, place))
      await store.close()
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
