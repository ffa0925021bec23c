import { createStore, del, entries, set } from 'idb-keyval'
import { databaseName, idbStorage } from './idb_storage.ts'

/**
 * The browser's list of profiles. It stands twice: in a database of its own, and as markers in
 * localStorage, which the browser clears on other occasions. A marker without its database is how
 * a wiped store is recognised.
 */
export interface ProfileEntry {
  readonly id: string
  readonly user: string
  /** Milliseconds since 1970. */
  readonly madeAt: number
}

const MARKER = 'sotto.profile.'

/** Opens its database at the first use only. */
const index = createStore('sotto', 'profiles')

/** Every profile of this browser, oldest first. */
export async function listProfiles(): Promise<ProfileEntry[]> {
  const all = await entries<string, ProfileEntry>(index)
  return all.map(([, entry]) => entry).sort((a, b) => a.madeAt - b.madeAt || (a.id < b.id ? -1 : 1))
}

/** Puts a profile into the list once its person has a name, or changes it. */
export async function rememberProfile(entry: ProfileEntry): Promise<void> {
  await set(entry.id, entry, index)
  localStorage.setItem(MARKER + entry.id, entry.user)
}

/** Takes a deleted profile out of the list. */
export async function forgetProfile(id: string): Promise<void> {
  await del(id, index)
  localStorage.removeItem(MARKER + id)
}

/**
 * Profiles that were here and whose store the browser has wiped: the list or the database is gone,
 * or the database is there and empty. Their keys are lost here; an exported identity brings the
 * person back. What is there in part, `loadProfile` explains.
 */
export async function wipedProfiles(): Promise<{ readonly id: string; readonly user: string }[]> {
  const listed = new Set((await listProfiles()).map((entry) => entry.id))
  const databases = new Set((await indexedDB.databases()).map((database) => database.name))
  const markers = Object.keys(localStorage).filter((key) => key.startsWith(MARKER))
  const known = markers.map((key) => key.slice(MARKER.length))
  const wiped = await Promise.all(
    known.map(
      async (id) => !listed.has(id) || !databases.has(databaseName(id)) || (await isEmpty(id)),
    ),
  )
  return known
    .filter((_, i) => wiped[i])
    .map((id) => ({ id, user: localStorage.getItem(MARKER + id) ?? '' }))
}

/** Puts profiles back into the list that are all there while the list itself was deleted. */
export async function mendList(): Promise<void> {
  const listed = new Set((await listProfiles()).map((entry) => entry.id))
  const databases = new Set((await indexedDB.databases()).map((database) => database.name))
  for (const [marker, user] of Object.entries(localStorage)) {
    const id = marker.slice(MARKER.length)
    if (!marker.startsWith(MARKER) || listed.has(id) || !databases.has(databaseName(id))) continue
    if (!(await isEmpty(id))) await rememberProfile({ id, user, madeAt: Date.now() })
  }
}

/** A database that was deleted and then opened again has nothing in it. */
async function isEmpty(id: string): Promise<boolean> {
  const storage = idbStorage(id)
  try {
    return (await storage.read('profile')) === undefined && (await storage.keys('')).length === 0
  } finally {
    storage.close()
  }
}
