import { firstChain, nextChain } from '../../relay/endpoint/log_chain.ts'
import type { NewEntry, Store } from '../../relay/endpoint/store.ts'
import { equal } from '../../web/protocol/bytes.ts'
import {
  deviceOf,
  inScratch,
  message,
  named,
  open,
  people,
  roomNamed,
  roomOf,
} from '../support/store_fixture.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

const ALL = 2 ** 30

function withStore(work: (store: Store, dir: string) => Promise<void>): () => Promise<void> {
  return () =>
    inScratch(async (dir) => {
      const store = await open(dir)
      try {
        await people(store, 'ann', 'bob', 'cyn')
        await work(store, dir)
      } finally {
        await store.close()
      }
    })
}

type Commit = NonNullable<NewEntry['commit']>

function commit(base: NewEntry, epoch: number, changes: Partial<Commit> = {}): NewEntry {
  const groupInfo = named(`group info ${epoch}`, 3000)
  return {
    ...base,
    epoch,
    commit: { groupInfo, added: [], removed: [], welcome: undefined, ...changes },
  }
}

describe('accounts and devices', () => {
  it(
    'belong to whoever was first, one account to a name',
    withStore(async (store) => {
      const account = store.account('ann')
      assert.isDefined(account)
      if (account === undefined) return
      await fails('refused', () => store.createAccount({ ...account, user: 'ANN' }))
      assert.equal(store.account('ann')?.user, 'ann')
      assert.deepEqual(
        store.accounts().map(({ skeleton }) => skeleton),
        ['ann', 'bob', 'cyn'],
      )
    }),
  )

  it(
    'claimed by two at once are given to one of them',
    withStore(async (store) => {
      const claim = (user: string) =>
        store.createAccount({
          skeleton: 'dan',
          user,
          spki: named(user, 422),
          password: null,
          disabled: false,
          createdAt: 1,
        })
      const [first, second] = await Promise.allSettled([claim('Dan'), claim('dan')])
      assert.equal(first?.status, 'fulfilled')
      assert.equal(second?.status, 'rejected')
      assert.equal(store.account('dan')?.user, 'Dan')
    }),
  )

  it(
    'change their key, and with it all their devices',
    withStore(async (store) => {
      const { device } = deviceOf('ann')
      await store.changeKey('ann', named('another key', 422))
      assert.deepEqual(store.account('ann')?.spki, named('another key', 422))
      assert.deepEqual(
        store.devices('ann').map(({ revoked }) => revoked),
        [true],
      )
      await fails('refused', () => store.touchDevice('ann', device, store.now()))
      await fails('refused', () => store.changeKey('nobody', named('key', 422)))
    }),
  )

  it(
    'keep a password, change it and lose it',
    withStore(async (store, dir) => {
      const password = { salt: named('salt', 16), hash: named('hash', 32), cost: 16 }
      await store.setPassword('ann', password)
      assert.deepEqual(store.account('ann')?.password, password)
      await store.setPassword('ann', null)
      assert.isNull(store.account('ann')?.password)
      await fails('refused', () => store.setPassword('nobody', null))
      assert.isString(dir)
    }),
  )

  it(
    'that were removed are never taken again, and nothing waits for them',
    withStore(async (store) => {
      const ann = deviceOf('ann')
      await store.addKeyPackages(ann, [named('package', 900)], named('last resort', 900))
      const room = await roomOf(store, 'bob', 'ann')
      const added = { added: [ann], welcome: named('welcome', 5000) }
      await store.append(commit(message(room, 'bob', 'add'), 0, added))
      assert.isDefined(store.welcome(room, ann))

      await store.revokeDevice('ann', ann.device)
      assert.isTrue(store.devices('ann')[0]?.revoked)
      assert.deepEqual(store.keyPackageStock(ann), { stock: 0, lastResort: false })
      assert.isUndefined(await store.takeKeyPackage(ann))
      assert.isUndefined(store.welcome(room, ann))
      await fails('refused', () => store.touchDevice('ann', ann.device, 99))
      await fails('refused', () => store.append(message(room, 'ann', 'still here?')))
    }),
  )

  it(
    'have a time when they were last seen that never goes back',
    withStore(async (store) => {
      const { device } = deviceOf('ann', 2)
      await store.touchDevice('ann', device, 500)
      await store.touchDevice('ann', device, 400)
      const seen = store.devices('ann').find((one) => equal(one.device, device))
      assert.equal(seen?.lastSeen, 500)
    }),
  )
})

describe('rooms', () => {
  it(
    'of two people are one, in either order, until somebody leaves',
    withStore(async (store) => {
      const room = await roomOf(store, 'bob', 'ann')
      assert.deepEqual(store.privateRoom('ann', 'bob'), store.room(room))
      assert.deepEqual(store.privateRoom('bob', 'ann'), store.room(room))
      const another = { room: roomNamed('another'), kind: 'private' as const }
      await fails('refused', () => store.createRoom({ ...another, members: ['ann', 'bob'] }))
      await fails('refused', () => store.createRoom({ ...another, members: ['ann', 'nobody'] }))
      await fails('refused', () => store.createRoom({ ...another, members: ['ann', 'ann'] }))

      await store.leaveRoom(room, 'ann')
      assert.deepEqual(store.room(room)?.members, ['bob'])
      assert.isUndefined(store.privateRoom('ann', 'bob'))
      assert.deepEqual(store.roomsOf('ann'), [])
      assert.lengthOf(store.roomsOf('bob'), 1)
      await store.createRoom({ ...another, members: ['ann', 'bob'] })
      assert.lengthOf(store.roomsOf('bob'), 2)
    }),
  )

  it(
    'begin a group once for each generation',
    withStore(async (store) => {
      const room = await roomOf(store, 'ann', 'bob')
      const begin = (generation: number) =>
        store.createGroup(room, generation, named('info', 100), deviceOf('bob'))
      await fails('stale_epoch', () => begin(0))
      await fails('stale_epoch', () => begin(2))
      const both = await Promise.allSettled([begin(1), begin(1)])
      assert.deepEqual(
        both.map(({ status }) => status),
        ['fulfilled', 'rejected'],
      )
      assert.equal(store.room(room)?.generation, 1)
      assert.deepEqual(store.groupDevices(room), [deviceOf('bob')])
    }),
  )
})

describe('the log', () => {
  it(
    'numbers entries from 1 in one chain',
    withStore(async (store) => {
      const room = await roomOf(store, 'ann', 'bob')
      const entries = ['a', 'b', 'c'].map((id) => message(room, 'ann', id))
      const heads = await Promise.all(entries.map((entry) => store.append(entry)))
      let chain = firstChain(room)
      entries.forEach(({ mls }, i) => {
        chain = nextChain(chain, i + 1, mls)
        assert.deepEqual(heads[i], { seq: i + 1, chain, repeated: false })
      })
      assert.equal(store.room(room)?.seq, 3)
      assert.deepEqual(store.room(room)?.chain, chain)
      assert.deepEqual(
        store.entries(room, 0, 100, ALL).map(({ mls }) => mls),
        entries.map(({ mls }) => mls),
      )
    }),
  )

  it(
    'shows nothing before it is on disk',
    withStore(async (store) => {
      const room = await roomOf(store, 'ann', 'bob')
      const appending = store.append(message(room, 'ann', 'a'))
      assert.equal(store.room(room)?.seq, 0)
      assert.lengthOf(store.entries(room, 0, 10, ALL), 0)
      await appending
      assert.equal(store.room(room)?.seq, 1)
    }),
  )

  it(
    'is read by pages of so many entries and so many bytes, and never an empty page',
    withStore(async (store) => {
      const room = await roomOf(store, 'ann', 'bob')
      const sizes = [500, 70_000, 400, 300]
      for (const [i, size] of sizes.entries())
        await store.append({ ...message(room, 'ann', `${i}`), mls: named(`${i}`, size) })
      const page = (after: number, most: number, bytes: number) =>
        store.entries(room, after, most, bytes).map(({ seq }) => seq)
      assert.deepEqual(page(0, 100, ALL), [1, 2, 3, 4])
      assert.deepEqual(page(2, 1, ALL), [3])
      assert.deepEqual(page(0, 100, 1000), [1])
      assert.deepEqual(page(1, 100, 1000), [2])
      assert.deepEqual(page(2, 100, 1000), [3, 4])
      assert.deepEqual(page(4, 100, 1000), [])
      assert.deepEqual(page(9, 100, 1000), [])
    }),
  )

  it(
    'takes a message that is sent again once, also when the epoch has moved on',
    withStore(async (store) => {
      const room = await roomOf(store, 'ann', 'bob')
      const entry = message(room, 'ann', 'a')
      const [first, second] = await Promise.all([store.append(entry), store.append(entry)])
      assert.deepEqual(second, { ...first, repeated: true })
      const change = commit(message(room, 'ann', 'change'), 0)
      const { seq } = await store.append(change)
      assert.deepInclude(await store.append(change), { seq, repeated: true })
      assert.equal(store.room(room)?.seq, 2)
    }),
  )

  it(
    "takes another device's message with the same id (P2)",
    withStore(async (store) => {
      const room = await roomOf(store, 'ann', 'bob')
      const ours = message(room, 'ann', 'a')
      await store.append(ours)
      const theirs = { ...message(room, 'bob', 'b'), msgId: ours.msgId }
      assert.deepInclude(await store.append(theirs), { seq: 2, repeated: false })
    }),
  )

  it(
    'takes the first commit of an epoch and refuses the other',
    withStore(async (store) => {
      const room = await roomOf(store, 'ann', 'bob')
      const [won, lost] = await Promise.allSettled([
        store.append(commit(message(room, 'ann', 'one'), 0, { added: [deviceOf('bob')] })),
        store.append(commit(message(room, 'bob', 'other'), 0, { removed: [deviceOf('ann')] })),
      ])
      assert.equal(won?.status, 'fulfilled')
      assert.equal(lost?.status === 'rejected' && lost.reason.code, 'stale_epoch')
      assert.equal(store.room(room)?.epoch, 1)
      assert.deepEqual(store.groupInfo(room), named('group info 0', 3000))
      assert.deepEqual(store.groupDevices(room), [deviceOf('ann'), deviceOf('bob')])
    }),
  )

  it(
    'refuses messages of epochs that members no longer have keys of',
    withStore(async (store) => {
      const room = await roomOf(store, 'ann', 'bob')
      const early = (id: string) => ({ ...message(room, 'bob', id), epoch: 0 })
      for (let epoch = 0; epoch < 4; epoch++)
        await store.append(commit(message(room, 'ann', `commit ${epoch}`), epoch))
      await store.append(early('four behind'))
      await store.append(commit(message(room, 'ann', 'commit 4'), 4))
      await fails('stale_epoch', () => store.append(early('five behind')))
      await fails('stale_epoch', () => store.append({ ...early('ahead'), epoch: 6 }))
      await fails('stale_epoch', () => store.append({ ...early('elsewhere'), generation: 1 }))
    }),
  )

  it(
    'takes nothing of a commit that names an unknown device',
    withStore(async (store) => {
      const room = await roomOf(store, 'ann', 'bob')
      const before = store.room(room)
      const ghost = { skeleton: 'bob', device: named('ghost', 16) }
      await fails('refused', () =>
        store.append(commit(message(room, 'ann', 'ghost'), 0, { added: [ghost] })),
      )
      assert.deepEqual(store.room(room), before)
      await store.append(message(room, 'ann', 'next'))
    }),
  )

  it('goes on after closing and opening again', () =>
    inScratch(async (dir) => {
      let store = await open(dir)
      await people(store, 'ann', 'bob')
      const room = await roomOf(store, 'ann', 'bob')
      await store.append(message(room, 'ann', 'a'))
      const { identity } = store
      await store.close()
      store = await open(dir)
      assert.deepEqual(store.identity, identity)
      assert.deepInclude(await store.append(message(room, 'ann', 'b')), { seq: 2 })
      assert.lengthOf(store.entries(room, 0, 10, ALL), 2)
      await store.close()
    }))
})

describe('key packages and Welcomes', () => {
  it(
    'are handed out once each, the last resort again and again',
    withStore(async (store) => {
      const ann = deviceOf('ann')
      const packages = ['p1', 'p2'].map((name) => named(name, 900))
      const last = named('last', 900)
      await store.addKeyPackages(ann, packages, last)
      await store.addKeyPackages(ann, packages, undefined)
      assert.deepEqual(store.keyPackageStock(ann), { stock: 2, lastResort: true })
      const taken = await Promise.all([1, 2, 3, 4].map(() => store.takeKeyPackage(ann)))
      assert.deepEqual(taken, [...packages, last, last])
      assert.isUndefined(await store.takeKeyPackage(deviceOf('bob')))
    }),
  )

  it(
    'of one device are no more than a hundred',
    withStore(async (store) => {
      const ann = deviceOf('ann')
      const more = Array.from({ length: 130 }, (_, i) => named(`p${i}`, 100))
      await store.addKeyPackages(ann, more, undefined)
      assert.equal(store.keyPackageStock(ann).stock, 100)
      assert.deepEqual(await store.takeKeyPackage(ann), more[30])
    }),
  )

  it(
    'wait for each device that a commit added, until it took its own',
    withStore(async (store) => {
      const room = await roomOf(store, 'ann', 'bob')
      const [bob, cyn] = [deviceOf('bob'), deviceOf('cyn')]
      const welcome = named('welcome', 9000)
      const adding = commit(message(room, 'ann', 'add'), 0, { added: [bob, cyn], welcome })
      const { seq, chain } = await store.append(adding)
      const waiting = store.welcome(room, bob)
      assert.deepEqual(waiting, { id: waiting?.id ?? 0, generation: 0, mls: welcome, seq, chain })
      await store.deleteWelcome(waiting?.id ?? 0, bob)
      assert.isUndefined(store.welcome(room, bob))
      assert.isDefined(store.welcome(room, cyn))
      // Cyn asked to be let in just before the commit came that does it; bob has no Welcome left.
      await store.dropGroupDevice(room, cyn)
      assert.isDefined(store.welcome(room, cyn))
      await store.dropGroupDevice(room, bob)
      const inGroup = store.groupDevices(room).map(({ skeleton }) => skeleton)
      assert.notInclude(inGroup, 'bob')
      assert.include(inGroup, 'cyn')
      await store.append(commit(message(room, 'ann', 'remove'), 1, { removed: [cyn] }))
      assert.isUndefined(store.welcome(room, cyn))
    }),
  )

  it(
    'of an earlier group are gone with it',
    withStore(async (store) => {
      const room = await roomOf(store, 'ann', 'bob')
      const bob = deviceOf('bob')
      const adding = { added: [bob], welcome: named('welcome', 100) }
      await store.append(commit(message(room, 'ann', 'add'), 0, adding))
      await store.createGroup(room, 1, named('info', 100), deviceOf('ann'))
      assert.isUndefined(store.welcome(room, bob))
    }),
  )
})

describe('a store', () => {
  it(
    'is of one endpoint at a time',
    withStore(async (_store, dir) => {
      const error = await fails('unavailable', () => open(dir))
      assert.match(error.message, /Another endpoint is running on .*SOTTO_DATA/)
    }),
  )

  it('made by a newer version is left alone, and that is said', () =>
    inScratch(async (dir) => {
      await (await open(dir)).close()
      const { DatabaseSync } = await import('node:sqlite')
      const db = new DatabaseSync(`${dir}/sotto.db`)
      db.exec('PRAGMA user_version = 7')
      db.close()
      const error = await fails('unavailable', () => open(dir))
      assert.match(error.message, /made by a newer Sotto \(format 7, this one knows 1\)/)
    }))

  it('of another program is left alone, and that is said', () =>
    inScratch(async (dir) => {
      const { DatabaseSync } = await import('node:sqlite')
      const db = new DatabaseSync(`${dir}/sotto.db`)
      db.exec('CREATE TABLE theirs (x)')
      db.close()
      const error = await fails('unavailable', () => open(dir))
      assert.match(error.message, /is not a database of Sotto's/)
    }))

  it('that is closed takes and shows nothing', () =>
    inScratch(async (dir) => {
      const store = await open(dir)
      await store.close()
      await fails('unavailable', () => store.prune({ days: 1, roomBytes: 0 }))
      await fails('unavailable', () => store.accounts())
    }))

  it('keeps what it was given before closing', () =>
    inScratch(async (dir) => {
      let store = await open(dir)
      await people(store, 'ann', 'bob')
      const room = await roomOf(store, 'ann', 'bob')
      const appending = Array.from({ length: 50 }, (_, i) =>
        store.append(message(room, 'ann', `${i}`)),
      )
      const closing = store.close()
      await Promise.all(appending)
      await closing
      store = await open(dir)
      assert.equal(store.room(room)?.seq, 50)
      await store.close()
    }))
})
