import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../../relay/endpoint/sqlite_store.ts'
import type { GroupDevice, NewEntry, Store, StoreOptions } from '../../relay/endpoint/store.ts'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { random } from './random.ts'

/** Bytes that follow from their name, so that a test knows them without keeping them. */
export function named(name: string, length: number): Bytes {
  return new Uint8Array(createHash('shake256', { outputLength: length }).update(name).digest())
}

/** Where syncing costs nothing: for what is opened thousands of times. */
export const inMemory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Runs `work` with a directory of its own, which is removed afterwards. */
export async function inScratch<T>(
  work: (dir: string) => T | Promise<T>,
  where = tmpdir(),
): Promise<T> {
  const dir = mkdtempSync(join(where, 'sotto-store-'))
  try {
    return await work(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

export function open(dir: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  return openStore(dir, { keptEpochs: 4, retryAfter: 20, ...options })
}

export function deviceOf(skeleton: string, number = 1): GroupDevice {
  return { skeleton, device: named(`device ${skeleton} ${number}`, 16) }
}

export const roomNamed = (name: string): Bytes => named(`room ${name}`, 16)

/** Accounts with a device each, and a private room between the first two and each later pair. */
export async function people(store: Store, ...names: string[]): Promise<void> {
  await Promise.all(
    names.map((name) =>
      store.createAccount({
        skeleton: name,
        user: name,
        spki: named(`spki ${name}`, 422),
        password: null,
        disabled: false,
        createdAt: 1,
      }),
    ),
  )
  await Promise.all(
    names.map((name) => store.touchDevice(name, deviceOf(name).device, store.now())),
  )
}

/** A private room of the two with a group at generation 0, epoch 0. */
export async function roomOf(store: Store, a: string, b: string): Promise<Bytes> {
  const room = roomNamed(`${a} ${b}`)
  await store.createRoom({ room, kind: 'private', members: [a, b] })
  await store.createGroup(room, 0, named('group info', 2000), deviceOf(a))
  return room
}

/** A message whose bytes follow from `id`. */
export function message(room: Bytes, sender: string, id: string): NewEntry {
  const length = 80 + (named(id, 2)[0] ?? 0) * 8
  return {
    room,
    sender: deviceOf(sender),
    msgId: named(`id ${id}`, 16),
    mls: named(`mls ${id}`, length),
    generation: 0,
    epoch: 0,
    commit: undefined,
  }
}

/** Ids of messages that are not said anywhere else. */
export function* ids(seed: number): Generator<string, never> {
  const chance = random(seed)
  for (let n = 0; ; n++) yield `${n} ${chance.u32()}`
}

/** Changes one bit of every copy of `bytes` in the file: pages keep old ones in unused space. */
export function damageCopies(file: string, bytes: Bytes, bit: number): void {
  const start = bytes.subarray(0, 40)
  const content = readFileSync(file)
  for (let at = content.indexOf(start); at >= 0; at = content.indexOf(start, at + 1))
    content[at + (bit >> 3)] = (content[at + (bit >> 3)] ?? 0) ^ (1 << (bit & 7))
  writeFileSync(file, content)
}
