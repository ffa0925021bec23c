import { SottoError } from '../protocol/errors.ts'
import type { StoredItem } from './history.ts'
import { LOST_ID, SEGMENT, segmentKey } from './segment.ts'
import type { Storage } from './storage.ts'
import type { Vault } from './vault.ts'

/** Before the number of a segment of an earlier version. */
export function formerOf(room: string): string {
  return `log/${room}/`
}

/** Items of such a segment. */
const FORMER = 256
/** Former segments that are taken over in one write. */
const AT_ONCE = 16

/**
 * Cuts what an earlier version has stored of a room into the segments of this one. Each write
 * replaces some by what they held, so it goes on after a crash where it was. What does not open is
 * left for the next time: it may be damaged, or only not open now. And no line that says that
 * something was lost takes the place of it.
 */
export async function takeOver(storage: Storage, vault: Vault, room: string): Promise<void> {
  const keys = await storage.keys(formerOf(room))
  for (let from = 0; from < keys.length; from += AT_ONCE) {
    const changes = new Map<string, unknown>()
    for (const key of keys.slice(from, from + AT_ONCE)) {
      const [items] = await read(storage, vault, [key])
      const first = (Number.parseInt(key.slice(formerOf(room).length), 36) * FORMER) / SEGMENT
      const to = Array.from({ length: Math.ceil((items?.length ?? 0) / SEGMENT) }, (_, i) =>
        segmentKey(room, first + i),
      )
      const present = await read(storage, vault, to)
      if (items === undefined || present.includes(undefined)) continue
      for (const [i, name] of to.entries()) {
        const part = merged(items.slice(i * SEGMENT, (i + 1) * SEGMENT), present[i] ?? [])
        changes.set(name, await vault.seal(name, JSON.stringify(part)))
      }
      changes.set(key, undefined)
    }
    if (changes.size > 0) await storage.write(changes)
  }
}

/** What stands at these keys: nothing where there is none, undefined where it does not open. */
async function read(
  storage: Storage,
  vault: Vault,
  keys: readonly string[],
): Promise<(StoredItem[] | undefined)[]> {
  const sealed = await storage.readMany(keys)
  return Promise.all(
    keys.map(async (key, i) => {
      if (sealed[i] === undefined) return []
      try {
        return JSON.parse((await vault.open(key, sealed[i])) as string) as StoredItem[]
      } catch (error) {
        if (error instanceof SottoError && error.code === 'crypto_failed') return undefined
        throw error
      }
    }),
  )
}

/** Place by place what is there already, unless that says only that it was lost. */
function merged(former: readonly StoredItem[], present: readonly StoredItem[]): StoredItem[] {
  const lost = (item: StoredItem | undefined) => item?.id.startsWith(LOST_ID) !== false
  const longer = former.length > present.length ? former : present
  return longer.map((item, i) => {
    const [here, before] = [present[i], former[i]]
    return (lost(here) ? before : here) ?? here ?? item
  })
}
