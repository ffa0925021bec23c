import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileStorage } from '../../relay/peer/file_storage.ts'
import {
  type BrowserProfile,
  createProfile,
  loadProfile,
  repairProfile,
} from '../../web/chat/profile.ts'
import type { Missing } from '../../web/chat/profile_pieces.ts'
import { exportIdentityPem, importIdentityPem } from '../../web/protocol/identity.ts'
import { MemoryStorage } from '../support/memory_storage.ts'
import {
  inLobby,
  lobbyOf,
  type Peer,
  quickIdentity,
  Stand,
  shown,
  texts,
} from '../support/peers.ts'
import { assert, describe, fails, it } from '../support/suite.ts'
import { until } from '../support/until.ts'

const identity = await quickIdentity()
const stranger = await quickIdentity()
const PIECES: readonly Missing[] = ['profile', 'identity', 'vault']

async function made(): Promise<{ storage: MemoryStorage; profile: BrowserProfile }> {
  const storage = new MemoryStorage()
  const profile = await createProfile(storage, 'alice', identity, false)
  await storage.write(
    new Map<string, unknown>([
      ['x', await profile.vault.seal('x', 'a message')],
      ['mls', Uint8Array.of(1)],
      ['group/00', Uint8Array.of(1)],
    ]),
  )
  return { storage, profile }
}

async function ready(storage: MemoryStorage): Promise<BrowserProfile> {
  const loaded = await loadProfile(storage)
  if (loaded.state !== 'ready') assert.fail(`it is ${loaded.state}`)
  return loaded.profile
}

/** The key as it comes back out of the person’s file. */
async function fromFile() {
  return importIdentityPem(await exportIdentityPem(identity, 'a passphrase'), 'a passphrase')
}

describe('a profile of which the browser has deleted a part (F16)', () => {
  it('is nothing when all of it is gone', async () => {
    assert.equal((await loadProfile(new MemoryStorage())).state, 'none')
  })

  it('says what is missing and what to do, for every part and all of them together', async () => {
    for (let set = 1; set < 8; set++) {
      const missing = PIECES.filter((_, bit) => (set >> bit) & 1)
      const { storage } = await made()
      await storage.write(new Map(missing.map((piece) => [piece, undefined])))
      const loaded = await loadProfile(storage)
      if (loaded.state !== 'incomplete') assert.fail(`${missing}: ${loaded.state}`)
      assert.deepEqual(loaded.missing, missing)
      assert.equal(loaded.user, missing.includes('profile') ? undefined : 'alice')
      if (missing.includes('identity')) assert.match(loaded.text, /import your key file/i)
      if (missing.includes('vault')) assert.match(loaded.text, /can’t be read any more/)
      if (missing.includes('profile')) assert.match(loaded.text, /enter your name/)
    }
  })

  it('takes damaged or foreign values for missing ones', async () => {
    const cases: readonly (readonly [string, unknown, Missing])[] = [
      ['identity', stranger.stored(), 'identity'],
      ['identity', { spki: identity.spki }, 'identity'],
      ['vault', Uint8Array.of(1), 'vault'],
      ['vault', { working: stranger.stored().signing, backup: stranger.stored().backup }, 'vault'],
      ['profile', { user: 'alice' }, 'profile'],
    ]
    for (const [key, value, piece] of cases) {
      const { storage } = await made()
      await storage.write(new Map([[key, value]]))
      const loaded = await loadProfile(storage)
      if (loaded.state !== 'incomplete') assert.fail(`${key}: ${loaded.state}`)
      assert.deepEqual(loaded.missing, [piece])
    }
  })

  it('is whole again with the key file: the same device, its messages and all', async () => {
    const { storage, profile } = await made()
    await storage.write(new Map([['identity', undefined]]))
    await fails('bad_key', () => repairProfile(storage, 'alice', undefined))
    await fails('bad_key', () => repairProfile(storage, 'alice', stranger))
    await repairProfile(storage, 'alice', await fromFile())
    const again = await ready(storage)
    assert.deepEqual(again.device, profile.device)
    assert.isTrue(again.backedUp)
    assert.equal(await again.vault.open('x', await storage.read('x')), 'a message')
    assert.deepEqual(await storage.keys('group/'), ['group/00'])
  })

  it('is a new device without what it cannot read when the vault’s key is gone', async () => {
    const { storage, profile } = await made()
    await storage.write(new Map([['vault', undefined]]))
    await repairProfile(storage, 'alice', undefined)
    const again = await ready(storage)
    assert.notDeepEqual(again.device, profile.device)
    assert.deepEqual(again.identity.fingerprint, identity.fingerprint)
    assert.deepEqual(await storage.keys(''), ['identity', 'profile', 'vault'])
  })

  it('asks for the name when it is forgotten, keeps messages, joins as a new device', async () => {
    const { storage } = await made()
    await storage.write(new Map([['profile', undefined]]))
    await repairProfile(storage, 'alice', undefined)
    const again = await ready(storage)
    assert.equal(again.user, 'alice')
    assert.equal(await again.vault.open('x', await storage.read('x')), 'a message')
    assert.deepEqual(await storage.keys('group/'), [])
    assert.isUndefined(await storage.read('mls'))
  })

  it('keeps its app lock, and opens with it, in a file that another process left', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sotto-eviction-'))
    try {
      const first = fileStorage(directory)
      const profile = await createProfile(first, 'alice', identity, false)
      await first.write(new Map([['x', await profile.vault.seal('x', 'a message')]]))
      await profile.lock.set('correct horse')
      first.close()
      const second = fileStorage(directory)
      await second.write(new Map([['profile', undefined]]))
      const loaded = await loadProfile(second)
      assert.equal(loaded.state, 'incomplete')
      const repaired = await repairProfile(second, 'alice', undefined)
      if (repaired.state !== 'locked') assert.fail(repaired.state)
      await fails('bad_passphrase', () => repaired.unlock('wrong horse!'))
      const again = await repaired.unlock('correct horse')
      assert.equal(await again.vault.open('x', await second.read('x')), 'a message')
      second.close()
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})

/** What somebody (or the browser) does to the files while nobody is there. */
interface Edit {
  readonly what: string
  /** `old` is the store as it was two messages ago. */
  do(now: MemoryStorage, old: MemoryStorage, room: string): Promise<ReadonlyMap<string, unknown>>
  /** Part of a line that says so in the room, if one has to. */
  readonly line?: RegExp
}

async function all(storage: MemoryStorage, prefix: string, value?: Uint8Array) {
  return new Map((await storage.keys(prefix)).map((key) => [key, value]))
}

async function from(old: MemoryStorage, ...keys: string[]) {
  const values = await old.readMany(keys)
  return new Map(keys.map((key, i) => [key, values[i]]))
}

const GARBAGE = Uint8Array.of(1, 2, 3)
const EDITS: readonly Edit[] = [
  {
    what: 'the group state is put back to an older one',
    do: (_, old, room) => from(old, `group/${room}`),
    line: /not the newest/,
  },
  {
    what: 'the group state is deleted',
    do: (now) => all(now, 'group/'),
    line: /lost its keys/,
  },
  {
    what: 'the group state is damaged',
    do: (now) => all(now, 'group/', GARBAGE),
    line: /lost its keys/,
  },
  { what: 'the cursor is deleted', do: (now) => all(now, 'room/') },
  { what: 'the cursor is damaged', do: (now) => all(now, 'room/', GARBAGE) },
  {
    what: 'the cursor is put back to an older one',
    do: (_, old, room) => from(old, `room/${room}`),
    line: /not the newest/,
  },
  { what: 'the pins are put back to older ones', do: (_, old) => from(old, 'pins/localhost') },
  {
    what: 'this device’s keys for rooms are deleted',
    do: (now) => all(now, 'mls'),
    line: /renewed or damaged/,
  },
  { what: 'the key packages are deleted', do: (now) => all(now, 'kp/') },
  { what: 'the ticket is garbage', do: async () => new Map([['ticket', { id: 7 }]]) },
  { what: 'the chain log is deleted', do: (now) => all(now, 'chain/') },
  { what: 'the notices are garbage', do: async () => new Map([['notices', GARBAGE]]) },
  { what: 'the messages are deleted', do: (now) => all(now, 'lines/') },
  { what: 'the messages are damaged', do: (now) => all(now, 'lines/', GARBAGE) },
]

describe('a store of which a part was deleted or edited (W7, F16)', () => {
  for (const edit of EDITS)
    it(`goes on, with nothing sent twice or lost, when ${edit.what}`, async () => {
      const stand = await Stand.start()
      try {
        const [alice, bob] = (await stand.join('alice', 'bob')) as [Peer, Peer]
        const lobby = lobbyOf(alice.chat)
        await alice.chat.send(lobby, 'one')
        await shown(alice.chat, lobby, 1)
        const old = alice.profile.storage.copy()
        await alice.chat.send(lobby, 'two')
        await bob.chat.send(lobby, 'three')
        await shown(alice.chat, lobby, 3)
        await alice.chat.disconnect()
        const { storage } = alice.profile
        await storage.write(await edit.do(storage, old, lobby))
        stand.crash(alice, { log: () => undefined })
        alice.chat.connect()
        await inLobby(alice.chat)
        await alice.chat.send(lobby, 'four')
        const before = ['alice: one', 'alice: two', 'bob: three', 'alice: four']
        assert.deepEqual(await shown(bob.chat, lobby, 4), before)
        await bob.chat.send(lobby, 'five')
        const newest = async () => (await texts(alice.chat, lobby)).slice(-2).join()
        await until(alice.chat, async () => (await newest()) === 'alice: four,bob: five')
        if (edit.line !== undefined) {
          const { line } = edit
          const length = alice.chat.state.rooms[0]?.length ?? 0
          const items = await alice.chat.timeline(lobby, 0, length)
          assert.isTrue(
            items.some((item) => item.kind === 'system' && line.test(item.text)),
            JSON.stringify(items),
          )
        }
      } finally {
        await stand.close()
      }
    })

  it('stops and asks when the pins are gone: nothing is sent until the person goes on', async () => {
    const stand = await Stand.start()
    try {
      const [alice, bob] = (await stand.join('alice', 'bob')) as [Peer, Peer]
      const lobby = lobbyOf(alice.chat)
      await alice.chat.send(lobby, 'one')
      await shown(bob.chat, lobby, 1)
      await alice.chat.disconnect()
      await alice.profile.storage.write(new Map([['pins/localhost', undefined]]))
      let dials = 0
      stand.crash(alice, {
        dial: (signal) => {
          dials += 1
          return stand.dial(signal)
        },
      })
      alice.chat.connect()
      const { notices, connection } = await until(
        alice.chat,
        ({ connection, notices }) => connection.phase === 'stopped' && notices.length > 0,
      )
      assert.match(connection.phase === 'stopped' ? connection.text : '', /deleted or damaged/)
      assert.isTrue(notices[0]?.blocking)
      assert.equal(dials, 0)
      await alice.chat.decide(notices[0]?.id ?? '', 'stay')
      assert.equal(dials, 0)
      await alice.chat.decide(notices[0]?.id ?? '', 'trust')
      await inLobby(alice.chat)
      assert.isFalse(alice.chat.state.endpoint?.verified)
      await alice.chat.send(lobby, 'two')
      assert.deepEqual(await shown(bob.chat, lobby, 2), ['alice: one', 'alice: two'])
    } finally {
      await stand.close()
    }
  })
})
