import { listProfiles } from './profiles.ts'

/**
 * A tab holds its profile by a Web Lock, so that one profile never has two writers and a second
 * tab becomes a second person. The lock dies with the tab, however the tab dies.
 */
export interface Claim {
  /** Hex, 32 digits: names the profile's database. */
  readonly profile: string
  /** Nobody has used this profile yet: it needs a name and an identity. */
  readonly fresh: boolean
  /** False from the moment in which another tab takes the profile, or it was given back. */
  readonly mine: boolean
  /** Called when another tab takes the profile over: stop, then call `release`. */
  onTakeover: (() => void) | undefined
  /** Gives the profile back. */
  release(): void
}

const HERE = 'sotto.profile'
const CHANNEL = 'sotto.profiles'
/** How long a reloaded page waits for its own predecessor to be gone, and a taker for the holder. */
const PATIENCE_MS = 2_000

function lockName(profile: string): string {
  return `sotto.profile.${profile}`
}

interface Held {
  release(): void
  /** Resolves when the lock was taken from us: another tab was told that we don't answer. */
  readonly stolen: Promise<void>
}

/** Requests the lock; resolves to undefined when it is not to be had. */
function hold(profile: string, options: LockOptions): Promise<Held | undefined> {
  return new Promise((resolve, reject) => {
    const { promise: stolen, resolve: lose } = Promise.withResolvers<void>()
    navigator.locks
      .request(lockName(profile), options, (lock) => {
        if (lock === null) return resolve(undefined)
        return new Promise<void>((release) => resolve({ release, stolen }))
      })
      .catch((error: unknown) => {
        if (!(error instanceof DOMException) || !/Abort|Timeout/.test(error.name)) reject(error)
        // Before the lock was granted this says that it was not; afterwards, that it is lost.
        resolve(undefined)
        lose()
      })
  })
}

function claimed(profile: string, fresh: boolean, held: Held | undefined): Claim {
  sessionStorage.setItem(HERE, profile)
  const channel = new BroadcastChannel(CHANNEL)
  let mine = true
  const claim: Claim = {
    profile,
    fresh,
    get mine() {
      return mine
    },
    onTakeover: undefined,
    release() {
      mine = false
      channel.close()
      held?.release()
    },
  }
  const letGo = () => {
    mine = false
    if (claim.onTakeover === undefined) claim.release()
    else claim.onTakeover()
  }
  channel.onmessage = (event: MessageEvent<{ takeOver?: string }>) => {
    if (event.data.takeOver === profile) letGo()
  }
  void held?.stolen.then(letGo)
  return claim
}

function freshId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function reloaded(): boolean {
  const [entry] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
  return entry?.type === 'reload'
}

/**
 * The profile that this tab had before it was reloaded or restored, or undefined when there is
 * none or another tab holds it. A duplicated tab brings its original's choice along and finds it
 * held.
 */
export async function claimBefore(): Promise<Claim | undefined> {
  const before = sessionStorage.getItem(HERE)
  if (before === null) return undefined
  const existing = (await listProfiles()).map((entry) => entry.id)
  // The page before a reload may still be on its way out, so its lock is waited for.
  const options = reloaded() ? { signal: AbortSignal.timeout(PATIENCE_MS) } : { ifAvailable: true }
  const held = await hold(before, options)
  return held === undefined ? undefined : claimed(before, !existing.includes(before), held)
}

/** This tab forgets which profile it had: the next load asks again. */
export function forgetClaim(): void {
  sessionStorage.removeItem(HERE)
}

/** A new profile for this tab, whatever others there are. */
export async function claimNew(): Promise<Claim> {
  const profile = freshId()
  const held = await hold(profile, {})
  return claimed(profile, true, held)
}

/** Claims this very profile, or resolves to undefined when another tab holds it. */
export async function claimThis(profile: string): Promise<Claim | undefined> {
  const held = await hold(profile, { ifAvailable: true })
  return held === undefined ? undefined : claimed(profile, false, held)
}

/**
 * Claims a profile that another tab holds: asks that tab to say goodbye and let go, and takes the
 * lock from it if it does not (it may be frozen).
 */
export async function takeOver(profile: string): Promise<Claim> {
  const channel = new BroadcastChannel(CHANNEL)
  channel.postMessage({ takeOver: profile })
  channel.close()
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const held = (await hold(profile, { signal })) ?? (await hold(profile, { steal: true }))
  return claimed(profile, false, held)
}

/** The profiles that some tab of this browser holds now. */
export async function heldProfiles(): Promise<Set<string>> {
  const { held = [] } = await navigator.locks.query()
  const prefix = lockName('')
  const names = held.map((lock) => lock.name ?? '').filter((name) => name.startsWith(prefix))
  return new Set(names.map((name) => name.slice(prefix.length)))
}
