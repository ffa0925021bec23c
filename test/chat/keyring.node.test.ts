import { systemClock } from '../../web/chat/clock.ts'
import { Keyring } from '../../web/chat/keyring.ts'
import type { Profile } from '../../web/chat/profile.ts'
import type { Link } from '../../web/chat/room_deps.ts'
import { openVault } from '../../web/chat/vault.ts'
import { MemoryStorage } from '../support/memory_storage.ts'
import { quickIdentity } from '../support/peers.ts'
import { assert, describe, it } from '../support/suite.ts'

const DAY_MS = 86_400_000
const HOST = new Uint8Array(32)

/** A device with its store, at an endpoint that takes every stock, on a day after today. */
async function device() {
  const algorithm = { name: 'AES-GCM', length: 256 }
  const key = await crypto.subtle.generateKey(algorithm, false, ['encrypt', 'decrypt'])
  const identity = await quickIdentity()
  const storage = new MemoryStorage()
  const number = crypto.getRandomValues(new Uint8Array(16))
  const common = { user: 'alice', device: number, identity, storage, backedUp: true }
  const profile: Profile = { ...common, vault: openVault(key) }
  let published = 0
  const link: Link = {
    ask: async () => {
      published += 1
      return { stock: 16 } as never
    },
    limits: { keepDays: 0, lobbyAbsence: 0 },
    session: {},
  }
  const at = (days: number) => {
    const clock = { ...systemClock, now: () => Date.now() + days * DAY_MS }
    return new Keyring(profile, clock)
  }
  return {
    storage,
    /** How often a stock was published in a session on that day. */
    async session(days: number): Promise<number> {
      published = 0
      await at(days).restock(link, HOST, 16, true)
      return published
    },
  }
}

describe('a stock of key packages', () => {
  it('is published once, and again well before it ends', async () => {
    const { session } = await device()
    assert.deepEqual(
      [await session(0), await session(1), await session(59), await session(61), await session(62)],
      [1, 0, 0, 1, 0],
    )
  })

  it('that was made by a clock far ahead is replaced once', async () => {
    const { session } = await device()
    assert.deepEqual(
      [await session(30), await session(0), await session(0), await session(1)],
      [1, 1, 0, 0],
    )
  })

  it('leaves nothing on the device in the end but the present one', async () => {
    const { session, storage } = await device()
    for (let day = 0; day <= 700; day += 61) await session(day)
    // The one before may be in Welcomes that are still on their way.
    assert.lengthOf(await storage.keys('kp/'), 2 * 17)
  })
})
