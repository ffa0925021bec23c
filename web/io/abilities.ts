import { listProfiles } from './profiles.ts'

/** What nothing here can do without, and what each is called. All are there or not at all. */
const NEEDS: readonly (readonly [what: string, find: () => unknown])[] = [
  ['IndexedDB', () => globalThis.indexedDB],
  ['Web Locks', () => navigator.locks],
  ['Map.groupBy', () => Map.groupBy],
  ['Promise.withResolvers', () => Promise.withResolvers],
  ['X25519', () => crypto.subtle.generateKey({ name: 'X25519' }, false, ['deriveBits'])],
  ['Ed25519', () => crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify'])],
]

/** Why nobody can chat from here, and what to do, for people; empty when they can. */
export async function unable(): Promise<string> {
  // What follows is missing there in every browser.
  if (!isSecureContext)
    return 'This page came over plain HTTP, and browsers let a page encrypt only if it comes over HTTPS or from localhost. Open it with https:// in front. If that leads nowhere, whoever runs this server has to put an HTTPS proxy before it.'
  if (!(await found(() => localStorage && sessionStorage)))
    return 'This browser lets this site keep nothing, not even your key. Allow cookies and site data for it, then reload the page.'
  for (const [what, find] of NEEDS)
    if (!(await found(find)))
      return `This browser lacks ${what}, which Sotto needs. Use a current one: Chrome or Edge from version 137 on, Firefox from 130 on, or Safari from 17.4 on.`
  if (!(await found(listProfiles)))
    return 'This browser can’t open what it keeps for this site. Restart the browser. If that does not help, its disk is full or its profile damaged.'
  return ''
}

async function found(find: () => unknown): Promise<boolean> {
  try {
    return Boolean(await find())
  } catch {
    return false
  }
}
