import { SottoError } from '../protocol/errors.ts'
import type { StoredItem } from './history.ts'
import { SEGMENT, segmentKey } from './segment.ts'
import type { Storage } from './storage.ts'
import type { Vault } from './vault.ts'

/** Items of a segment of an earlier version, `log/<room>/<segment>`. */
const FORMER = 256
/** Former segments that are taken over in one write. */
const AT_ONCE = 16

/**
 * Cuts what an earlier version has stored of a room into the segments of this one. Each write
 * replaces some by what they held, so it goes on after a crash where it was. What is damaged holds
 * nothing any more, and is shown as lost.
 */
export async function takeOver(storage: Storage, vault: Vault, room: string): Promise<void> {
  const former = `log/${room}/`
  const keys = await storage.keys(former)
  for (let from = 0; from < keys.length; from += AT_ONCE) {
    const some = keys.slice(from, from + AT_ONCE)
    const sealed = await storage.readMany(some)
    const changes = new Map<string, unknown>()
    for (const [i, key] of some.entries()) {
      changes.set(key, undefined)
      const items = await read(vault, key, sealed[i])
      const first = (Number.parseInt(key.slice(former.length), 36) * FORMER) / SEGMENT
      for (let at = 0; at < items.length; at += SEGMENT) {
        const to = segmentKey(room, first + at / SEGMENT)
        const part = JSON.stringify(items.slice(at, at + SEGMENT))
        changes.set(to, await vault.seal(to, part))
      }
    }
    await storage.write(changes)
  }
}

async function read(vault: Vault, key: string, sealed: unknown): Promise<StoredItem[]> {
  try {
    return JSON.parse((await vault.open(key, sealed)) as string) as StoredItem[]
  } catch (error) {
    if (error instanceof SottoError && error.code === 'crypto_failed') return []
    throw error
  }
}
