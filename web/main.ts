/**
 * Wires the browser, the chat and the screen: the only file that knows them all. What the first
 * screen needs is here; the chat with its cryptography is loaded when somebody comes in.
 */

import type { BrowserProfile } from './chat/profile.ts'
import { unable } from './io/abilities.ts'
import { heldStorage, idbStorage } from './io/idb_storage.ts'
import {
  type Claim,
  claimBefore,
  claimNew,
  claimThis,
  forgetClaim,
  heldProfiles,
  takeOver,
} from './io/locks.ts'
import { askPersistence } from './io/persist.ts'
import {
  forgetProfile,
  listProfiles,
  mendList,
  rememberProfile,
  wipedProfiles,
} from './io/profiles.ts'
import { onWake } from './io/wake.ts'
import { dialWebSocket } from './io/websocket.ts'
import type { Bytes } from './protocol/bytes.ts'
import { fromBase64url, hex } from './protocol/bytes.ts'
import { SottoError } from './protocol/errors.ts'
import type { Identity } from './protocol/identity.ts'
import { normaliseName, skeleton } from './protocol/names.ts'
import './ui/chat_app.ts'
import type { Door, Entered, KeyFile, Locked, Making, ProfileView } from './ui/door.ts'
import { part } from './ui/part.ts'
import { said } from './ui/words.ts'

const code = {
  chat: () => part(() => import('./chat/chat.ts')),
  profile: () => part(() => import('./chat/profile.ts')),
  identity: () => part(() => import('./protocol/identity.ts')),
  primitives: () => part(() => import('./protocol/web_primitives.ts')),
}

const TAKEN = 'Another tab has just opened this person. You can take over.'
/** The endpoint's name as a relay told it last; the relay's address follows. */
const HOST = 'sotto.host '
const HOST_MS = 10_000

/**
 * The link's fragment, which no server ever sees: `k` is the SHA-256 of the endpoint's key,
 * base64url; `r` the relay's address, when the page does not come from it.
 */
function link(): { readonly pin: Bytes | undefined; readonly relay: URL } {
  const fields = new URLSearchParams(location.hash.slice(1))
  const from = fields.get('r') ?? location.href
  const key = fields.get('k')
  try {
    if (!/^https?:/.test(from)) throw new TypeError('not an address of the web')
    const pin = key === null ? undefined : fromBase64url(key)
    if (pin !== undefined && pin.length !== 32) throw new TypeError('not a fingerprint')
    return { pin, relay: new URL('.', from) }
  } catch (cause) {
    throw new SottoError(
      'bad_key',
      'This link is damaged: the part that names the server or its key can’t be read. Copy the whole link again.',
      { cause },
    )
  }
}

async function askHost(relay: URL): Promise<string> {
  try {
    const signal = AbortSignal.timeout(HOST_MS)
    const answer = await fetch(new URL('sotto.json', relay), { signal })
    const { host } = (await answer.json()) as { host: unknown }
    if (typeof host !== 'string' || host === '') throw new TypeError('no host')
    localStorage.setItem(HOST + relay, host)
    return host
  } catch (cause) {
    throw new SottoError('unavailable', 'The server can’t be reached. Try again in a moment.', {
      cause,
    })
  }
}

/** Nobody waits for a network to read what is here: a name that is another one now is for next time. */
async function hostName(relay: URL): Promise<string> {
  const asked = askHost(relay)
  const known = localStorage.getItem(HOST + relay)
  if (known === null) return asked
  asked.catch(() => undefined)
  return known
}

/** A person who came in, from the claim on their profile to goodbye. */
async function open(claim: Claim, profile: BrowserProfile, news = ''): Promise<Entered> {
  const { pin, relay } = link()
  const [{ Chat }, { webPrimitives }, host, identities] = await Promise.all([
    code.chat(),
    code.primitives(),
    hostName(relay),
    code.identity(),
  ])
  if (!claim.mine) throw new SottoError('refused', TAKEN)
  const socket = new URL('ws', relay)
  socket.protocol = relay.protocol === 'http:' ? 'ws:' : 'wss:'
  const chat = new Chat({
    profile,
    dial: dialWebSocket(socket.href),
    host,
    pin,
    primitives: webPrimitives,
    onWake,
    news,
    // Once the profile is given back its store takes nothing more: that is no fault.
    log: (error) => claim.mine && console.error(error),
  })
  const letGo = (): void => {
    profile.storage.close()
    claim.release()
  }
  const leave = async (): Promise<void> => {
    await chat.disconnect()
    letGo()
  }
  const key: KeyFile = { fingerprint: hex(profile.identity.fingerprint) }
  read.set(key, profile.identity)
  const lost = Promise.withResolvers<void>()
  claim.onTakeover = () => {
    // Another page reads the store from now on: first of all, nothing more is written to it.
    letGo()
    lost.resolve()
    void chat.disconnect()
  }
  let persistent = true
  void askPersistence().then((answer) => {
    persistent = answer.persistent
  })
  chat.connect()
  return {
    model: chat,
    lock: profile.lock,
    key,
    lost: lost.promise,
    async leave() {
      await leave()
      forgetClaim()
    },
    async lockNow() {
      await leave()
      // Nothing that was open stays in memory.
      location.reload()
    },
    keeper: {
      get persistent() {
        return persistent
      },
      publicPem: async () => identities.exportPublicPem(profile.identity),
      async exportPem(passphrase) {
        const pem = await identities.exportIdentityPem(profile.identity, passphrase)
        await chat.backedUp()
        return pem
      },
      async destroy() {
        await profile.storage.destroy()
        await forgetProfile(claim.profile)
      },
    },
  }
}

/** Comes in with a profile that is there, behind its app lock if it has one. */
async function enter(claim: Claim, passphrase?: string): Promise<Entered | Locked> {
  try {
    const found = await profileIn(claim, { passphrase })
    if ('profile' in found) return await open(claim, found.profile, found.news)
    claim.release()
    return { profile: claim.profile, user: found.locked, cancel: forgetClaim }
  } catch (error) {
    claim.release()
    if (passphrase === undefined) forgetClaim()
    throw error
  }
}

/** A stored profile, or the name of the person whose app lock has to be opened first. */
type Found =
  | { readonly profile: BrowserProfile; readonly news: string }
  | { readonly locked: string }

/** What a person brings along to open what is stored. */
interface Brought {
  readonly passphrase?: string | undefined
  readonly identity?: Identity | undefined
}

/**
 * The stored profile. A part that the browser has deleted is made anew where that is possible, and
 * `news` says what that means; without the person's key it is not.
 */
async function profileIn(claim: Claim, { passphrase, identity }: Brought): Promise<Found> {
  const { loadProfile, repairProfile } = await code.profile()
  const storage = await heldStorage(claim.profile, () => claim.mine)
  let loaded = await loadProfile(storage)
  let news = ''
  if (loaded.state === 'incomplete') {
    const listed = (await listProfiles()).find(({ id }) => id === claim.profile)
    const user = loaded.user ?? listed?.user
    const lacksKey = loaded.missing.includes('identity') && identity === undefined
    if (lacksKey || user === undefined) throw new SottoError('bad_key', loaded.text)
    news = loaded.text
    loaded = await repairProfile(storage, user, identity)
  }
  if (loaded.state === 'ready') return { profile: loaded.profile, news }
  if (loaded.state !== 'locked')
    throw new SottoError('bad_key', 'There is nothing left of this person in this browser.')
  if (passphrase === undefined) return { locked: loaded.user }
  return { profile: await loaded.unlock(passphrase), news }
}

/** Brings a profile back whose key the browser has deleted; undefined when it lacks nothing. */
async function bringBack(id: string, identity: Identity): Promise<Entered | undefined> {
  const { loadProfile } = await code.profile()
  const claim = await claimThis(id)
  if (claim === undefined) return undefined
  try {
    const { state } = await loadProfile(idbStorage(id))
    if (state === 'incomplete') {
      const found = await profileIn(claim, { identity })
      if ('profile' in found) return await open(claim, found.profile, found.news)
    }
  } catch (error) {
    claim.release()
    forgetClaim()
    throw error
  }
  claim.release()
  forgetClaim()
  return undefined
}

/** Keys that may wait for a name: those read from files, and those that somebody came in with. */
const read = new WeakMap<KeyFile, Identity>()

const door: Door = {
  unable,

  async resume() {
    const claim = await claimBefore()
    if (claim === undefined) return undefined
    if (!claim.fresh) return enter(claim)
    claim.release()
    forgetClaim()
    return undefined
  },

  async profiles() {
    await mendList()
    const [listed, held, wiped] = await Promise.all([
      listProfiles(),
      heldProfiles(),
      wipedProfiles(),
    ])
    const gone = new Set(wiped.map(({ id }) => id))
    const here = listed
      .filter(({ id }) => !gone.has(id))
      .map(({ id, user }): ProfileView => ({ id, user, state: held.has(id) ? 'held' : 'free' }))
    return [...here, ...wiped.map(({ id, user }): ProfileView => ({ id, user, state: 'wiped' }))]
  },

  nameProblem(name) {
    try {
      normaliseName(name)
      return ''
    } catch (error) {
      return said(error)
    }
  },

  async readKey(pem, passphrase) {
    const { importIdentityPem } = await code.identity()
    const identity = await importIdentityPem(pem, passphrase === '' ? undefined : passphrase)
    const key: KeyFile = { fingerprint: hex(identity.fingerprint) }
    read.set(key, identity)
    return key
  },

  async start(name, key, progress) {
    const user = normaliseName(name)
    const known = (await door.profiles()).find((one) => skeleton(one.user) === skeleton(user))
    // Whoever types their own name again is who they were.
    if (key === undefined && known?.state === 'free') return door.enter(known.id, false)
    if (key === undefined && known?.state === 'held')
      throw new SottoError(
        'bad_name',
        `${known.user} is open in another tab. Take over from it, or choose another name.`,
      )
    const given = key && read.get(key)
    const back = given && known?.state === 'free' ? await bringBack(known.id, given) : undefined
    return back ?? make(user, given, progress)
  },

  forget: forgetProfile,

  async enter(profile, takesOver, passphrase) {
    const claim = takesOver ? await takeOver(profile) : await claimThis(profile)
    if (claim !== undefined) return enter(claim, passphrase)
    throw new SottoError('refused', TAKEN)
  },
}

async function make(
  user: string,
  given: Identity | undefined,
  progress: (step: Making) => void,
): Promise<Entered> {
  link()
  progress('key')
  const [{ generateIdentity }, { createProfile }] = await Promise.all([
    code.identity(),
    code.profile(),
  ])
  const identity = given ?? (await generateIdentity())
  progress('store')
  const claim = await claimNew()
  try {
    const storage = await heldStorage(claim.profile, () => claim.mine)
    const profile = await createProfile(storage, user, identity, given !== undefined)
    await rememberProfile({ id: claim.profile, user, madeAt: Date.now() })
    if (given !== undefined) await forgetWiped(user)
    progress('open')
    return await open(claim, profile)
  } catch (error) {
    claim.release()
    forgetClaim()
    throw error
  }
}

/** With their key file they are back: there is nothing left to be sorry for. */
async function forgetWiped(user: string): Promise<void> {
  for (const { id, user: gone } of await wipedProfiles())
    if (skeleton(gone) === skeleton(user)) await forgetProfile(id)
}

const app = document.querySelector('sotto-app')
if (app) app.door = door
