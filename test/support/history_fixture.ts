/** Rooms of messages as a device stores them, for tests and benchmarks: no `node:` in here. */
import type { History, StoredItem } from '../../web/chat/history.ts'
import type { RoomId } from '../../web/chat/model.ts'
import { Passing } from '../../web/chat/passing.ts'
import type { Searchable } from '../../web/chat/search.ts'
import type { Storage } from '../../web/chat/storage.ts'
import type { Random } from './random.ts'

export function vaultKey(): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
}

export function message(n: number, text: string, from = 'alice'): StoredItem {
  const id = n.toString(16).padStart(32, '0')
  return { k: 'm', id, from, device: 'd'.repeat(32), mine: false, text, at: n }
}

/** Appends in one write, as a room does. */
export async function append(
  history: History,
  storage: Storage,
  items: readonly StoredItem[],
): Promise<void> {
  const changes = new Map<string, unknown>()
  const adopt = await history.stage(items, changes)
  await storage.write(changes)
  adopt()
}

export async function wipe(history: History, storage: Storage): Promise<void> {
  const changes = new Map<string, unknown>()
  const adopt = await history.stageWipe(changes)
  await storage.write(changes)
  adopt()
}

export function searchable(
  history: History,
  room = 'r',
  passing: Passing = new Passing(),
): Searchable {
  const lines = passing.slice(0, passing.length)
  return {
    room: room as RoomId,
    history,
    placeOf: (n) => passing.placeOf(n),
    storedBefore: (place) => passing.storedBefore(Math.min(place, history.length + lines.length)),
    unkept: lines.flatMap(({ before, item }, i) =>
      item.k === 'm' ? [{ place: before + i, item }] : [],
    ),
  }
}

const SYLLABLES = 'ka lo mi re ta un ve shi pra ston el di go wer tha ni ber sa qui zen'.split(' ')
const LETTERS = ['ä', 'é', 'ß', 'ж', 'λ', 'ع', '東', '京', '猫', 'が', 'ไ', '한', '🎃']

/** A word of a made-up language: short ones are common, as in real ones. */
export function word(random: Random): string {
  const length = 1 + Math.min(random.below(4), random.below(4))
  return Array.from({ length }, () => random.pick(SYLLABLES)).join('')
}

/** A line as people write it: now and then of other scripts, with signs between. */
export function sentence(random: Random): string {
  const words = Array.from({ length: 2 + random.below(12) }, () => {
    if (random.below(12) > 0) return word(random)
    return Array.from({ length: 1 + random.below(4) }, () => random.pick(LETTERS)).join('')
  })
  const text = words.join(random.below(5) === 0 ? ', ' : ' ')
  return random.below(3) === 0 ? text.toUpperCase() : text
}
